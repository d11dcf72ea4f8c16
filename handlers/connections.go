package handlers

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

const (
	// strangerRests is how long a connection without a valid signature may be idle
	// once half of the places are taken. With fewer it stays open, since a reverse
	// proxy should close its idle connections itself.
	strangerRests = 5 * time.Second
	// crowdedEvery is how often it is logged that connections were closed.
	crowdedEvery = time.Minute
)

// Serve serves on a listener with at most so many connections at a time, until
// the server is closed. When there is no place for a new connection, it closes the
// one that showed no valid signature and has been idle longest. So whoever opens
// many connections loses only their own. It sets the server's ConnState and
// ConnContext.
func Serve(server *http.Server, listener net.Listener, most int, log *slog.Logger) error {
	all := &connections{Listener: listener, most: most, log: log}
	all.room.L = &all.mu
	server.ConnState = all.changed
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, conn)
	}
	return server.Serve(all)
}

type connectionKey struct{}

// trust marks the request's connection as one that showed a valid signature.
func trust(ctx context.Context) {
	if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
		c.all.trust(c)
	}
}

// connections are a listener and what it accepted.
type connections struct {
	net.Listener
	most int
	log  *slog.Logger

	mu     sync.Mutex
	room   sync.Cond // signalled when a connection closes or becomes idle
	count  int
	closed bool
	// strangers are the connections that showed no valid signature. resting are the
	// others while they are between two requests. In front is the one whose last
	// request, or whose arrival, is longest ago.
	strangers, resting list.List
	// crowded counts the connections that were closed for another one since told,
	// when it was last logged.
	crowded int
	told    time.Time
}

// connection is a net.Conn that has a place.
type connection struct {
	net.Conn
	all   *connections
	close func() error

	// Guarded by all.mu.
	trusted bool
	since   time.Time
	in      *list.List // nil while it is in neither
	at      *list.Element
}

// Accept implements net.Listener.
func (c *connections) Accept() (net.Conn, error) {
	for {
		raw, err := c.Listener.Accept()
		if err == nil {
			return c.admit(raw)
		}
		// The process may have no more files than there are connections.
		if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) || !c.closeOne() {
			return nil, err
		}
	}
}

// Close implements net.Listener.
func (c *connections) Close() error {
	c.mu.Lock()
	c.closed = true
	c.room.Broadcast()
	c.mu.Unlock()
	return c.Listener.Close()
}

// admit gives a connection a place, and closes another one if there is none. It
// waits while all others are busy with signed requests.
func (c *connections) admit(raw net.Conn) (net.Conn, error) {
	conn := &connection{Conn: raw, all: c}
	conn.close = sync.OnceValue(func() error {
		err := raw.Close()
		c.left(conn)
		return err
	})
	c.mu.Lock()
	for c.count >= c.most && !c.closed {
		if victim := c.next(); victim != nil {
			c.mu.Unlock()
			victim.giveWay()
			c.mu.Lock()
			continue
		}
		c.room.Wait()
	}
	if c.closed {
		c.mu.Unlock()
		_ = raw.Close()
		return nil, net.ErrClosed
	}
	c.count++
	conn.list(&c.strangers)
	late := c.late()
	c.mu.Unlock()
	for _, other := range late {
		other.giveWay()
	}
	return conn, nil
}

// late removes from their list the strangers that were idle for longer than
// strangerRests, if more than half of the places are taken, and returns them. The
// caller holds the lock.
func (c *connections) late() []*connection {
	var late []*connection
	for c.count-len(late) > c.most/2 {
		first, _ := c.strangers.Front().Value.(*connection)
		if time.Since(first.since) <= strangerRests {
			break
		}
		first.list(nil)
		late = append(late, first)
	}
	return late
}

// closeOne closes a connection to free its file; false if there is none to close.
func (c *connections) closeOne() bool {
	c.mu.Lock()
	victim := c.next()
	c.mu.Unlock()
	if victim == nil {
		return false
	}
	victim.giveWay()
	return true
}

// next removes from its list the connection that is to be closed next, and returns
// it, or nil. The caller holds the lock.
func (c *connections) next() *connection {
	for _, l := range []*list.List{&c.strangers, &c.resting} {
		if first := l.Front(); first != nil {
			conn, _ := first.Value.(*connection)
			conn.trusted = false
			conn.list(nil)
			return conn
		}
	}
	return nil
}

// changed implements http.Server's ConnState.
func (c *connections) changed(raw net.Conn, state http.ConnState) {
	conn, ok := raw.(*connection)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case conn.in == nil && !conn.trusted: // it is closed, or about to be
	case state == http.StateActive && conn.trusted:
		conn.list(nil)
	case state == http.StateIdle && conn.trusted:
		conn.list(&c.resting)
		c.room.Broadcast()
	case state == http.StateActive, state == http.StateIdle:
		conn.list(&c.strangers)
	}
}

func (c *connections) trust(conn *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !conn.trusted && conn.in != nil {
		conn.trusted = true
		conn.list(nil) // it has a request
	}
}

func (c *connections) left(conn *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.trusted = false
	conn.list(nil)
	c.count--
	c.room.Broadcast()
}

// list puts the connection at the end of a list, or in none. The caller holds the
// lock.
func (c *connection) list(l *list.List) {
	if c.in != nil {
		c.in.Remove(c.at)
	}
	if c.in = l; l != nil {
		c.at, c.since = l.PushBack(c), time.Now()
	}
}

// giveWay closes the connection for another one, and logs how many were closed
// every crowdedEvery.
func (c *connection) giveWay() {
	_ = c.Close()
	all := c.all
	all.mu.Lock()
	all.crowded++
	n := all.crowded
	tell := time.Since(all.told) >= crowdedEvery
	if tell {
		all.crowded, all.told = 0, time.Now()
	}
	all.mu.Unlock()
	if tell {
		all.log.Warn("connections without a good signature were closed, since many are open", "closed", n, "most", all.most)
	}
}

// Close implements net.Conn.
func (c *connection) Close() error { return c.close() }

// CloseWrite lets the server end its side first, so that an answer which comes
// before the whole request was read still arrives.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
