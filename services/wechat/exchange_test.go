package wechat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/services/wechat/transport"
)

func testCall() call {
	return call{
		path: "/x", token: "T&1", query: url.Values{"a": {"b c"}}, body: []byte(`{"k":"值"}`),
		limit: 1 << 10, timeout: 5 * time.Second,
	}
}

// mustExchange makes a call that is answered.
func mustExchange(tb testing.TB, c *Client) *answer {
	tb.Helper()
	a, _, err := c.exchange(tb.Context(), testCall())
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func sayOK(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }

func TestRequestSaysWhatTheCallIs(t *testing.T) {
	t.Parallel()
	type seen struct{ Method, URI, Host, ContentType, UserAgent, Body string }
	var got []seen
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, seen{r.Method, r.RequestURI, r.Host, r.Header.Get("Content-Type"), r.UserAgent(), readBody(t, r)})
		w.Header().Set("Retry-After", "3")
		w.Header().Set("Date", "Fri, 27 Nov 2026 07:37:21 GMT")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "好")
	}))
	t.Cleanup(srv.Close)
	c := newClient(t, srv.URL+"/gate%2Fway")
	get := call{path: "/y", limit: 10, timeout: time.Second}
	for _, req := range []call{testCall(), get} {
		a, _, err := c.exchange(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&answer{status: 202, retryAfter: "3", date: "Fri, 27 Nov 2026 07:37:21 GMT", body: []byte("好")}, a, cmp.AllowUnexported(answer{})); diff != "" {
			t.Error(diff)
		}
	}
	host := strings.TrimPrefix(srv.URL, "http://")
	want := []seen{
		{"POST", "/gate%2Fway/x?access_token=T%261&a=b+c", host, "application/json; charset=utf-8", "wechat-broadcast", `{"k":"值"}`},
		{"GET", "/gate%2Fway/y", host, "", "wechat-broadcast", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnusedConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	base, conns := serveCounted(t, http.HandlerFunc(sayOK))
	own := transport.New(&url.URL{Scheme: "http", Host: strings.TrimPrefix(base, "http://")}, 4, http.ProxyURL(nil))
	if own.IdleConnTimeout != 90*time.Second {
		t.Errorf("they are kept for %s", own.IdleConnTimeout)
	}
	own.IdleConnTimeout = 300 * time.Millisecond
	c := newClient(t, base, func(c *Config) { c.Transport = own })
	mustExchange(t, c)
	mustExchange(t, c)
	conns.want(t, 1)
	conns.awaitClosed(t, 1)
	mustExchange(t, c)
	conns.want(t, 2)
	c.Close()
	conns.awaitClosed(t, 2)
	mustExchange(t, c)
	conns.want(t, 3)
	conns.awaitClosed(t, 3) // a closed client keeps none
}

func TestNoMoreConnectionsAreKeptThanAllowed(t *testing.T) {
	t.Parallel()
	const atOnce, most = 12 + spareConns, 4 + spareConns
	var meet sync.WaitGroup
	meet.Add(atOnce)
	base, conns := serveCounted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		meet.Done()
		meet.Wait()
		sayOK(w, r)
	}))
	c := newClient(t, base, func(c *Config) { c.MaxConns = most - spareConns })
	var calls sync.WaitGroup
	for range atOnce {
		calls.Go(func() {
			if _, _, err := c.exchange(t.Context(), testCall()); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	conns.want(t, atOnce)
	conns.awaitClosed(t, atOnce-most)
	<-time.After(50 * time.Millisecond)
	if n := conns.closed.Load(); n != atOnce-most {
		t.Errorf("%d connections are kept, want %d", atOnce-n, most)
	}
}

func TestCallEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var calls atomic.Int64
	base, conns := serveCounted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = readBody(t, r)
		if calls.Add(1) == 1 {
			sayOK(w, r)
			return
		}
		cancel()
		<-r.Context().Done()
	}))
	c := newClient(t, base)
	if _, _, err := c.exchange(ctx, testCall()); err != nil {
		t.Fatal(err)
	}
	if _, reached, err := c.exchange(ctx, testCall()); !errors.Is(err, context.Canceled) || !reached {
		t.Errorf("in flight: reached %v, %v", reached, err)
	}
	if _, reached, err := c.exchange(ctx, testCall()); !errors.Is(err, context.Canceled) || reached {
		t.Errorf("before the flight: reached %v, %v", reached, err)
	}
	conns.awaitClosed(t, 1) // it has an answer on its way
}

func TestCallHasADeadline(t *testing.T) {
	t.Parallel()
	c := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = readBody(t, r)
		<-r.Context().Done()
	}))
	req := testCall()
	req.timeout = 500 * time.Millisecond // on a busy machine the dial alone takes 100 ms
	if _, reached, err := c.exchange(t.Context(), req); !errors.Is(err, context.DeadlineExceeded) || !reached {
		t.Errorf("reached %v, %v", reached, err)
	}
}

func TestCallToNobody(t *testing.T) {
	t.Parallel()
	if _, reached, err := newClient(t, deadAddress(t)).exchange(t.Context(), testCall()); !errors.Is(err, syscall.ECONNREFUSED) || reached {
		t.Errorf("reached %v, %v", reached, err)
	}
}
