// Package transport carries requests to the platform over connections on which an
// answer that nobody asked for is never taken for the next request's.
package transport

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"
)

const (
	// dialTimeout is for one address of the platform.
	dialTimeout = 5 * time.Second
	// handshakeTimeout is for TLS.
	handshakeTimeout = 10 * time.Second
	// idleTimeout is how long an unused connection is kept.
	idleTimeout = 90 * time.Second
	// headLimit is how much an answer may have before its body, in bytes.
	headLimit = 64 << 10
)

// errSwitched is the error of an answer after which no HTTP is spoken any more.
var errSwitched = errors.New("the connection speaks another protocol")

// New returns what RoundTrip carries requests to base over: at most keep unused
// connections are kept. Through a proxy TLS is spoken with the platform inside of
// what the connection carries, so that guardedConn can't follow it: no connection
// serves two requests there.
func New(base *url.URL, keep int, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:                  proxy,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    handshakeTimeout,
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

// RoundTrip carries a request over t and returns its answer. reached tells of an
// error whether the request may have been carried out. t is what New returns; over
// another RoundTripper an answer that nobody asked for is not noticed. A request
// with a body needs its GetBody.
//
// What may have been carried out is not repeated: net/http repeats a POST only if
// nothing of it was written, and not always then.
func RoundTrip(t http.RoundTripper, r *http.Request) (res *http.Response, reached bool, err error) {
	ctx := r.Context()
	for {
		var on attempt
		res, err := t.RoundTrip(r.WithContext(httptrace.WithClientTrace(ctx, on.trace(ctx))))
		if !on.withdraw() {
			if err == nil && res.StatusCode == http.StatusSwitchingProtocols {
				res.Body.Close()
				return nil, true, errSwitched
			}
			return res, on.reached, err
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
		if r, err = again(r); err != nil {
			return nil, false, err
		}
	}
}

// again returns a request that is like r, with a body of which nothing is read yet.
func again(r *http.Request) (*http.Request, error) {
	r = r.Clone(r.Context())
	if r.GetBody == nil {
		return r, nil
	}
	body, err := r.GetBody()
	r.Body = body
	return r, err
}

// attempt is what is known of a request on its way: the transport may try several
// connections.
type attempt struct {
	reached bool         // a connection was had
	kept    bool         // it had served another request
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
