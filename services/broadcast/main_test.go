package broadcast_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"wechat-broadcast/models/modelstest"
)

func TestMain(m *testing.M) {
	// The first to ask makes the file. It is made here, where time is real.
	if _, err := modelstest.Migrated(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
