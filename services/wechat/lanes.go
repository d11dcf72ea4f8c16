package wechat

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// idleLanes is how long an unused connection is kept.
	idleLanes = 90 * time.Second
	// headLimit is how much an answer may have beside its body, in bytes.
	headLimit = 64 << 10
)

// lanes are connections to one host, for HTTP/1.1. Each serves one call at a
// time, in the goroutine that makes the call: net/http's transport hands every
// call to two goroutines of its connection and back, which costs more than all
// the rest of a send. They know neither proxies nor HTTP/2.
type lanes struct {
	address string // host:port
	tls     *tls.Config
	dialer  net.Dialer
	keep    int // unused connections at most
	// head is what stands in every request between its query and its length.
	head string
	path string // before every call's

	mu     sync.Mutex
	idle   []*lane // the longest unused first
	trim   *time.Timer
	closed bool
}

// lane is a connection.
type lane struct {
	net.Conn
	raw     syscall.RawConn // of the connection under TLS
	records *records        // under TLS; nil without
	limit   io.LimitedReader
	in      *bufio.Reader
	out     []byte
	since   time.Time // when it was last used
}

// newLanes returns lanes to the host of base, none open yet.
func newLanes(base *url.URL, keep int) *lanes {
	ls := &lanes{
		dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second},
		keep:   keep,
		path:   base.EscapedPath(),
		head:   " HTTP/1.1\r\nHost: " + base.Host + "\r\nUser-Agent: wechat-broadcast\r\nAccept-Encoding: identity\r\n",
	}
	port := "80"
	if base.Scheme == "https" {
		port = "443"
		ls.tls = &tls.Config{ServerName: base.Hostname(), MinVersion: tls.VersionTLS12}
	}
	if p := base.Port(); p != "" {
		port = p
	}
	ls.address = net.JoinHostPort(base.Hostname(), port)
	return ls
}

// errUnasked is what a connection comes to that says something before anything
// is asked of it. Nothing has been sent over it then.
var errUnasked = errors.New("the other side answers what it was not asked")

// exchange implements exchanger.
func (ls *lanes) exchange(ctx context.Context, req call) (*answer, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	deadline := time.Now().Add(req.timeout)
	a, err := (*answer)(nil), errUnasked
	for kept := true; kept && errors.Is(err, errUnasked); {
		l := ls.take()
		if kept = l != nil; !kept {
			if l, err = ls.dial(ctx, deadline); err != nil {
				return nil, false, err
			}
		}
		var again bool
		a, again, err = l.call(ctx, ls, req, deadline)
		if again {
			ls.give(l)
		} else {
			l.Close()
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// It is the call's deadline, unless the caller moved it.
		err = context.DeadlineExceeded
		if ctx.Err() != nil {
			err = ctx.Err()
		}
	}
	return a, !errors.Is(err, errUnasked), err
}

// take returns the connection that has been unused longest, or nil. The longer
// one rests, the surer its last look shows what the other side sent unasked.
func (ls *lanes) take() *lane {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for len(ls.idle) > 0 {
		l := ls.idle[0]
		ls.idle = slices.Delete(ls.idle, 0, 1)
		if time.Since(l.since) < idleLanes {
			return l
		}
		l.Close()
	}
	return nil
}

func (ls *lanes) dial(ctx context.Context, deadline time.Time) (*lane, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := ls.dialer.DialContext(ctx, "tcp", ls.address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	l := &lane{Conn: conn}
	if tcp, ok := conn.(*net.TCPConn); ok {
		l.raw, err = tcp.SyscallConn()
	}
	if err == nil && ls.tls != nil {
		l.records = &records{Conn: conn, raw: l.raw}
		secure := tls.Client(l.records, ls.tls)
		err = secure.HandshakeContext(ctx)
		l.Conn = secure
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	l.limit.R = l.Conn
	l.in = bufio.NewReader(&l.limit)
	return l, nil
}

// give keeps a connection for the next call.
func (ls *lanes) give(l *lane) {
	l.since = time.Now()
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed || len(ls.idle) >= ls.keep {
		l.Close()
		return
	}
	ls.idle = append(ls.idle, l)
	if ls.trim == nil {
		ls.trim = time.AfterFunc(idleLanes, ls.dropUnused)
	}
}

// dropUnused closes the connections that were not used for long.
func (ls *lanes) dropUnused() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.idle = slices.DeleteFunc(ls.idle, func(l *lane) bool {
		old := time.Since(l.since) >= idleLanes
		if old {
			l.Close()
		}
		return old
	})
	ls.trim = nil
	if len(ls.idle) > 0 && !ls.closed {
		ls.trim = time.AfterFunc(idleLanes, ls.dropUnused)
	}
}

// close closes the unused connections, and each one in use after its call.
func (ls *lanes) close() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.closed = true
	if ls.trim != nil {
		ls.trim.Stop()
	}
	for _, l := range ls.idle {
		l.Close()
	}
	ls.idle = nil
}

// call makes a call on the connection; again tells whether it can serve another.
// The error is errUnasked if nothing was sent because something was there to be
// read before.
func (l *lane) call(ctx context.Context, ls *lanes, req call, deadline time.Time) (a *answer, again bool, err error) {
	if err := l.SetDeadline(deadline); err != nil {
		return nil, false, err
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { _ = l.SetDeadline(time.Unix(1, 0)) })
		defer func() { again = stop() && again }()
	}
	l.out = appendRequest(l.out[:0], ls, req)
	// What can be read before the request is written answers something else:
	// taken for an answer it would shift all that follow by one. The look also
	// spares a send the connection that the other side has closed meanwhile.
	if !l.quiet() {
		return nil, false, errUnasked
	}
	if _, err := l.Write(l.out); err != nil {
		return nil, false, err
	}
	l.limit.N = headLimit + 2*req.limit
	res, err := l.response(req.method)
	if err != nil {
		return nil, false, err
	}
	defer res.Body.Close()
	a = &answer{status: res.StatusCode, retryAfter: res.Header.Get("Retry-After")}
	if a.body, err = readAll(res, req.limit); err != nil {
		return a, false, err
	}
	return a, !res.Close && l.quiet(), nil
}

// response reads the head of the answer, past those that only announce one.
func (l *lane) response(method string) (*http.Response, error) {
	for {
		res, err := http.ReadResponse(l.in, &http.Request{Method: method})
		switch {
		case err != nil:
			return nil, err
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("the connection speaks another protocol")
		case res.StatusCode >= http.StatusOK:
			return res, nil
		}
	}
}

// appendRequest appends the request as it goes over the wire.
func appendRequest(dst []byte, ls *lanes, req call) []byte {
	dst = append(append(dst, req.method...), ' ')
	dst = append(append(dst, ls.path...), req.path...)
	if query := req.rawQuery(); query != "" {
		dst = append(append(dst, '?'), query...)
	}
	dst = append(dst, ls.head...)
	if req.body == nil {
		return append(dst, "\r\n"...)
	}
	dst = append(dst, "Content-Type: "+contentType+"\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(req.body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, req.body...)
}
