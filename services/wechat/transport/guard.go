package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// errUnasked is the error of a connection on which something arrived before the
// request was written. Nothing of the request was sent then.
var errUnasked = errors.New("the other side answers what it was not asked")

// guardedConn is a TCP connection of an http.Transport on which nobody gets the
// answer to another's request. net/http takes whatever it reads next for the
// answer, also what arrived before the request. ask and Write refuse such a
// connection before anything is sent; the transport then takes another one.
type guardedConn struct {
	net.Conn
	raw    syscall.RawConn
	secure bool // TLS is spoken over it

	mu      sync.Mutex
	changed sync.Cond // waiting or closed
	waiting bool      // the transport has read all that arrived, and waits for more
	closed  bool
	asking  bool // nothing may arrive before the request is written
	refused bool
	wrote   bool // something since ask
	records records
}

// guard returns conn, just dialled, as a guardedConn. secure says that TLS is going
// to be spoken over it.
func guard(conn net.Conn, secure bool) (net.Conn, error) {
	var raw syscall.RawConn
	err := errors.ErrUnsupported
	if tcp, ok := conn.(*net.TCPConn); ok {
		raw, err = tcp.SyscallConn()
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("guard connection: %w", err)
	}
	g := &guardedConn{Conn: conn, raw: raw, secure: secure}
	g.changed.L = &g.mu
	return g, nil
}

// guarded returns the guardedConn of a transport's connection; nil if it has none.
func guarded(conn net.Conn) *guardedConn {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	g, _ := conn.(*guardedConn)
	return g
}

// Read implements net.Conn. It takes bytes and clears waiting in one step, so that
// ask overlooks none that are on their way to the transport.
func (g *guardedConn) Read(p []byte) (n int, err error) {
	rawErr := g.raw.Read(func(fd uintptr) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		n, err = receive(fd, p)
		g.waiting = errors.Is(err, syscall.EAGAIN)
		switch {
		case g.waiting:
			g.changed.Broadcast()
		case g.asking:
			g.refused = true
			n, err = 0, errUnasked
		case g.secure:
			g.records.follow(p[:n])
		}
		return !g.waiting
	})
	if rawErr != nil {
		return 0, rawErr
	}
	return n, err
}

// Write implements net.Conn.
func (g *guardedConn) Write(p []byte) (int, error) {
	g.mu.Lock()
	refused := g.refused || g.asking && !quiet(g.raw)
	g.refused = refused
	g.asking = refused
	g.wrote = g.wrote || !refused
	g.mu.Unlock()
	if refused {
		return 0, errUnasked
	}
	return g.Conn.Write(p)
}

// Close implements net.Conn.
func (g *guardedConn) Close() error {
	g.mu.Lock()
	g.closed = true
	g.changed.Broadcast()
	g.mu.Unlock()
	return g.Conn.Close()
}

// ask prepares the connection for a request, before the transport expects an
// answer. It waits until the transport has read all that arrived: what answers
// nothing makes the transport close the connection. What arrives later, before the
// request is written, is refused. On a new connection under TLS it is not, because
// session tickets arrive there (RFC 8446, section 4.6.1).
func (g *guardedConn) ask(ctx context.Context, fresh bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.waiting && !g.closed {
		stop := context.AfterFunc(ctx, func() { _ = g.Close() })
		for !g.waiting && !g.closed {
			g.changed.Wait()
		}
		stop()
	}
	g.wrote = false
	g.asking = !fresh || !g.secure
	g.refused = g.closed || g.records.cut()
}

// withdraw refuses the request if nothing of it was written. It tells whether it did.
func (g *guardedConn) withdraw() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = g.refused || !g.wrote
	return !g.wrote
}

// recordHeader is the length of what stands before a TLS record (RFC 8446,
// section 5.1): its type, its version, and in two bytes how long it is.
const recordHeader = 5

// records follows where TLS records begin and end, because crypto/tls does not
// tell that it holds a part of one.
type records struct {
	header []byte // of the record that begins, as far as it was read
	left   int    // of the record's content, in bytes
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
