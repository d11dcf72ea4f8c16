package wechat

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// quiet tells whether a connection that waits for nothing has received nothing:
// no byte that nobody has read yet, wherever it lies, and not its end.
func (l *lane) quiet() bool {
	switch {
	case !canLook:
		return l.since.IsZero() // it was not used yet
	case l.in.Buffered() > 0:
		return false
	case l.records == nil:
		return silent(l.raw)
	}
	// TLS may hold decrypted bytes, or read session tickets, which answer nothing.
	l.records.looking = true
	defer func() { l.records.looking = false }()
	var b [1]byte
	n, err := l.Read(b[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && !l.records.cut()
}

// recordHeader is the length of what stands before a TLS record (RFC 8446,
// section 5.1): its type, its version, and in two bytes how long it is.
const recordHeader = 5

// records is the connection under TLS. It follows where records begin and end,
// because crypto/tls does not tell that it holds a part of one.
type records struct {
	net.Conn
	raw syscall.RawConn
	// looking: a read returns what is there and does not wait.
	looking bool

	header []byte // of the record that begins, as far as it was read
	left   int    // of the record's content, in bytes
}

// Read implements net.Conn. Where it does not wait it fails with
// os.ErrDeadlineExceeded: crypto/tls goes on after a read that timed out, and
// after no other error.
func (r *records) Read(p []byte) (int, error) {
	if r.looking && silent(r.raw) {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := r.Conn.Read(p)
	r.follow(p[:n])
	return n, err
}

func (r *records) follow(read []byte) {
	for len(read) > 0 {
		if r.left > 0 {
			n := min(r.left, len(read))
			r.left -= n
			read = read[n:]
			continue
		}
		r.header = append(r.header, read[0])
		read = read[1:]
		if len(r.header) == recordHeader {
			r.left = int(r.header[3])<<8 | int(r.header[4])
			r.header = r.header[:0]
		}
	}
}

// cut tells whether a part of a record was read, and the rest of it was not.
func (r *records) cut() bool { return r.left > 0 || len(r.header) > 0 }
