package cluster

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/redis/go-redis/v9"
)

// line is the connections to Redis of the queue's servers, whose calls know no
// ctx: cutting the line ends them. Closing their client instead would close the
// channel of their subscription, and asynq (v0.26) then panics.
type line struct {
	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

var errCut = errors.New("the connection to Redis is cut")

// newLine returns a client that is like another one, but on a line of its own.
func newLine(like *redis.Client) (*line, *redis.Client) {
	l, options := &line{conns: map[net.Conn]struct{}{}}, *like.Options()
	dial := options.Dialer
	options.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return l.add(conn)
	}
	return l, redis.NewClient(&options)
}

func (l *line) add(conn net.Conn) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, errors.Join(errCut, conn.Close())
	}
	l.conns[conn] = struct{}{}
	return &lineConn{Conn: conn, line: l}, nil
}

// end cuts the line for good.
func (l *line) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for conn := range l.conns {
		_ = conn.Close() // that its calls end is all that is wanted
	}
	clear(l.conns)
}

type lineConn struct {
	net.Conn
	line *line
}

func (c *lineConn) Close() error {
	c.line.mu.Lock()
	delete(c.line.conns, c.Conn)
	c.line.mu.Unlock()
	return c.Conn.Close()
}
