package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take whose speed is not what is tried: a
// machine that has other work as well must not fail a trial.
const patience = 90 * time.Second

// tidied is how long a second notice could take that should not come.
const tidied = 2500 * time.Millisecond

// binary is the program under test. Only TestMain writes it.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	severalAtOnce()
	if signal.Ignored(syscall.SIGHUP) {
		// Under nohup the programs that are tried would inherit that. They don't inherit a handler.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	os.Exit(run(m))
}

// run builds the program as it is shipped, without the race detector, and runs
// the trials.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a folder for the program:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	binary = filepath.Join(dir, "wechat-broadcast")
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", binary, "wechat-broadcast")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// severalAtOnce lets more trials go at once than there are processors, unless
// -parallel says how many: they wait most of the time.
func severalAtOnce() {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return
	}
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err) // the flag is the testing package's
	}
}

// full tells whether the trials run with the numbers that the project promises
// rather than with those that suit every change.
func full() bool { return os.Getenv("E2E_FULL") == "1" }

// sized returns usual, or large in a full run.
func sized[T any](usual, large T) T {
	if full() {
		return large
	}
	return usual
}

// long skips a trial that takes seconds when the run is to be short.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped in a short run: it runs whole broadcasts")
	}
}

// eventually waits until ok holds, and fails the test if that takes too long.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	poll(t, 20*time.Millisecond, within, what, ok)
}

// seldom is eventually for what costs the program something to be asked.
func seldom(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	poll(t, 300*time.Millisecond, within, what, ok)
}

func poll(t *testing.T, interval, within time.Duration, what string, ok func() bool) {
	t.Helper()
	late := time.NewTimer(within)
	defer late.Stop()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("%s: not within %s", what, within)
		}
	}
}

// pass lets some time go by: what is tried is that nothing happens in it.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}
