//go:build unix

package transport

import (
	"io"
	"syscall"
)

// canGuard: connections can be looked at here, so they are kept.
const canGuard = true

// receive reads what has arrived; syscall.EAGAIN if nothing has.
func receive(fd uintptr, p []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), p)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// quiet tells whether nothing has arrived that nobody has read yet, neither bytes nor the connection's
// end.
func quiet(raw syscall.RawConn) bool {
	nothing := false
	err := raw.Control(func(fd uintptr) {
		var buf [1]byte
		_, _, err := syscall.Recvfrom(int(fd), buf[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		nothing = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	})
	return err == nil && nothing
}
