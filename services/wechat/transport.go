package wechat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"
)

const (
	// dialTimeout is for one address of the platform.
	dialTimeout = 5 * time.Second
	// idleTimeout is how long an unused connection is kept.
	idleTimeout = 90 * time.Second
	// headLimit is how much an answer may have before its body, in bytes.
	headLimit = 64 << 10

	contentType = "application/json; charset=utf-8"
	userAgent   = "wechat-broadcast"
)

// newTransport returns what carries calls to base: at most keep unused connections
// are kept. Through a proxy TLS is spoken with the platform inside of what the
// connection carries, so that guardedConn can't follow it: no connection serves
// two calls there.
func newTransport(base *url.URL, keep int, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:                  proxy,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    DefaultTimeout,
		MaxIdleConnsPerHost:    keep,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: headLimit,
	}
	if through, err := proxy(&http.Request{URL: base}); !canGuard || through != nil || err != nil {
		t.DisableKeepAlives = true
		t.MaxConnsPerHost = keep
		return t
	}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return guard(conn, base.Scheme == "https")
	}
	return t
}

// exchange carries a call to the platform and its answer back. reached tells of an
// error whether the call may have been carried out.
//
// What may have been carried out is not repeated: net/http repeats a POST only if
// nothing of it was written, and not always then.
func (c *Client) exchange(ctx context.Context, req call) (a *answer, reached bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, req.timeout)
	defer cancel()
	for {
		var on attempt
		r, err := c.request(httptrace.WithClientTrace(ctx, on.trace(ctx)), req)
		if err != nil {
			return nil, false, err
		}
		res, err := c.transport.RoundTrip(r)
		if !on.withdraw() {
			if err != nil {
				return nil, on.reached, err
			}
			a, err := read(res, req.limit)
			return a, true, err
		}
		if err == nil {
			res.Body.Close() // it answers what was not asked yet
		}
		switch {
		case ctx.Err() != nil:
			return nil, false, ctx.Err()
		case !on.kept:
			return nil, false, errUnasked
		}
	}
}

// attempt is what is known of a request on its way: the transport may try several
// connections.
type attempt struct {
	reached bool         // a connection was had
	kept    bool         // it had served another call
	conn    *guardedConn // nil if it is none
}

func (t *attempt) trace(ctx context.Context) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { *t = attempt{} },
		GotConn: func(info httptrace.GotConnInfo) {
			*t = attempt{reached: true, kept: info.Reused, conn: guarded(info.Conn)}
			if t.conn != nil {
				t.conn.ask(ctx, !info.Reused)
			}
		},
	}
}

// withdraw tells whether a connection was had and nothing was written to it. Then
// nothing will be.
func (t *attempt) withdraw() bool { return t.conn != nil && t.conn.withdraw() }

// read reads an answer.
func read(res *http.Response, limit int64) (*answer, error) {
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return nil, errors.New("the connection speaks another protocol")
	}
	body, err := readAll(res, limit)
	return &answer{status: res.StatusCode, retryAfter: res.Header.Get("Retry-After"), body: body}, err
}

func (c *Client) request(ctx context.Context, req call) (*http.Request, error) {
	var body io.Reader
	if req.body != nil {
		body = bytes.NewReader(req.body)
	}
	r, err := http.NewRequestWithContext(ctx, req.method, "", body)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	u := *c.base
	u.Path, u.RawPath = u.Path+req.path, c.base.EscapedPath()+req.path
	u.RawQuery = req.rawQuery()
	r.URL = &u
	r.Close = c.closed.Load()
	if req.body != nil {
		r.Header.Set("Content-Type", contentType)
	}
	r.Header.Set("User-Agent", userAgent)
	r.Header.Set("Accept-Encoding", "identity")
	return r, nil
}
