package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// newBar returns a progress bar of so many steps that says when it will end, and leaves
// nothing behind.
func newBar(w io.Writer, steps int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(max(1, steps), progressbar.OptionSetWriter(w), progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
}
