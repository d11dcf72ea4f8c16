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
	// strangerRests is how long a stranger's connection may do nothing new once half
	// of the places are taken. Before that nobody is in need of them, and a
	// reverse proxy that keeps a connection should be the one that closes it.
	strangerRests = 5 * time.Second
	// crowdedEvery is how often it is logged that connections were closed.
	crowdedEvery = time.Minute
)

// Serve serves on a listener with at most so many connections at a time, until
// the server is closed. When a connection comes and there is no place, the one is
// closed that has shown no good signature and has begun nothing for longest:
// whoever opens many shuts out only himself. It sets the server's ConnState and
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

// trust notes that the request's connection has shown a good signature.
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
	room   sync.Cond // when one was closed or rests
	count  int
	closed bool
	// strangers have shown no good signature, whatever they do, and resting are the
	// others between two requests. In front is who began or ended a request, or
	// came, the longest ago.
	strangers, resting list.List
	// crowded counts whom was closed for another since it was last told.
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

// admit gives a connection a place, another's if need be. It waits while all
// others are busy with signed requests.
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

// late takes out the strangers who have done nothing new for too long, if many
// places are taken. The caller holds the lock.
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

// closeOne closes a connection to have its file; false if there is none to close.
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

// next takes out who is to be closed next, or returns nil. The caller holds the
// lock.
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

// giveWay closes the connection for another, and tells of it now and then.
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
