//go:build !unix

package transport

import (
	"errors"
	"syscall"
)

// canGuard: here a connection can't be looked at, so none serves two calls.
const canGuard = false

func receive(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

func quiet(syscall.RawConn) bool { return false }
