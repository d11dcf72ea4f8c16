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
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testCall() call {
	return call{
		method: http.MethodPost, path: "/x", token: "T&1", query: url.Values{"a": {"b c"}}, body: []byte(`{"k":"值"}`),
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

// rawServer answers every request, whatever it is, with what it is given, as
// it stands. It hangs up after the first if once is set.
func rawServer(tb testing.TB, once bool, response string) (base string, conns *connCounter) {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	conns = &connCounter{}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.opened.Add(1)
			serving.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					if _, err := io.WriteString(conn, response); err != nil || once {
						return
					}
				}
			})
		}
	})
	tb.Cleanup(func() { l.Close(); serving.Wait() })
	return "http://" + l.Addr().String(), conns
}

func TestRequestSaysWhatTheCallIs(t *testing.T) {
	t.Parallel()
	type seen struct{ Method, URI, Host, ContentType, UserAgent, Body string }
	var got []seen
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, seen{r.Method, r.RequestURI, r.Host, r.Header.Get("Content-Type"), r.UserAgent(), readBody(t, r)})
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "好")
	}))
	t.Cleanup(srv.Close)
	c := newClient(t, srv.URL+"/gate%2Fway")
	get := call{method: http.MethodGet, path: "/y", limit: 10, timeout: time.Second}
	for _, req := range []call{testCall(), get} {
		a, _, err := c.exchange(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&answer{status: 202, retryAfter: "3", body: []byte("好")}, a, cmp.AllowUnexported(answer{})); diff != "" {
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

// However an answer ends, the next call gets its own.
func TestEveryFormOfAnswerIsRead(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		once     bool
		response string
		body     string
		conns    int64 // for three calls
	}{
		"length":            {false, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 1},
		"chunks":            {false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", "ok", 1},
		"announced":         {false, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 1},
		"empty":             {false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", 1},
		"until the end":     {true, "HTTP/1.1 200 OK\r\n\r\nok", "ok", 3},
		"a farewell":        {false, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok", 3},
		"the old protocol":  {true, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 3},
		"more than it said": {false, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 Forged\r\n\r\n", "ok", 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, conns := rawServer(t, tt.once, tt.response)
			c := newClient(t, base)
			for range 3 {
				if a := mustExchange(t, c); a.status != http.StatusOK || string(a.body) != tt.body {
					t.Errorf("HTTP %d %q, want %q", a.status, a.body, tt.body)
				}
			}
			conns.want(t, tt.conns)
		})
	}
}

func TestNonsenseIsNoAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"no HTTP":          "SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"another protocol": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
		"endless head":     "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 100),
		"endless body":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("800\r\n"+strings.Repeat("x", 2048)+"\r\n", 10),
		"half a head":      "HTTP/1.1 200 OK\r\nConte",
		"half a body":      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
	}
	for name, response := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, conns := rawServer(t, true, response)
			c := newClient(t, base)
			for range 2 {
				if a, reached, err := c.exchange(t.Context(), testCall()); err == nil || !reached {
					t.Errorf("answer %+v, reached %v, error %v", a, reached, err)
				}
			}
			conns.want(t, 2) // one for each call: none is made twice
		})
	}
}

// A connection that the other side closed while it was not used costs no send.
func TestAClosedConnectionCostsNoSend(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(srv.Close)
	c := newClient(t, srv.URL)
	const rounds = 50
	for range rounds {
		mustExchange(t, c)
		srv.CloseClientConnections()
	}
	if n := calls.Load(); n != rounds {
		t.Errorf("%d calls arrived, want %d", n, rounds)
	}
}

// A call that may have been taken is not made again unseen.
func TestACallIsMadeOnceWhenItsAnswerIsCut(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = readBody(t, r)
		if calls.Add(1)%2 == 0 {
			panic(http.ErrAbortHandler)
		}
		sayOK(w, r)
	}))
	for range 10 {
		mustExchange(t, c)
		if _, reached, err := c.exchange(t.Context(), testCall()); err == nil || !reached {
			t.Errorf("cut: reached %v, %v", reached, err)
		}
	}
	if n := calls.Load(); n != 20 {
		t.Errorf("%d calls arrived, want 20", n)
	}
}

func TestUnusedConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	base, conns := serveCounted(t, http.HandlerFunc(sayOK))
	own := newTransport(&url.URL{Scheme: "http", Host: strings.TrimPrefix(base, "http://")}, 4, http.ProxyURL(nil))
	if own.IdleConnTimeout != idleTimeout {
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

// A platform that takes the connection and never speaks TLS.
func TestCallThatIsCancelledBeforeTheHandshakeWasNotSent(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := newClient(t, "https://"+l.Addr().String())
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	if _, reached, err := c.exchange(ctx, testCall()); !errors.Is(err, context.Canceled) || reached {
		t.Errorf("reached %v, %v", reached, err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the caller waited for %s", took)
	}
}

func TestCallsOverTLSKeepTheirConnection(t *testing.T) {
	t.Parallel()
	conns := &connCounter{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto)
	}))
	srv.Config.ConnState = conns.note
	srv.Config.ErrorLog = discardLog()
	srv.EnableHTTP2 = true
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{hostileCertificate}}
	srv.StartTLS()
	t.Cleanup(srv.Close)

	c := newClient(t, srv.URL)
	for range 3 {
		if a := mustExchange(t, c); string(a.body) != "HTTP/1.1" {
			t.Fatalf("%+v", a)
		}
	}
	srv.CloseClientConnections()
	mustExchange(t, c)
	conns.want(t, 2)

	elsewhere := newClient(t, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)) // the certificate is of another name
	var wrong *tls.CertificateVerificationError
	if _, reached, err := elsewhere.exchange(t.Context(), testCall()); !errors.As(err, &wrong) || reached {
		t.Errorf("with another name: reached %v, %v", reached, err)
	}
}

func TestCallToNobody(t *testing.T) {
	t.Parallel()
	if _, reached, err := newClient(t, deadAddress(t)).exchange(t.Context(), testCall()); !errors.Is(err, syscall.ECONNREFUSED) || reached {
		t.Errorf("reached %v, %v", reached, err)
	}
}

// through has a client use a proxy.
func through(proxy *url.URL) func(*Config) {
	return func(c *Config) {
		base, _ := url.Parse(c.BaseURL)
		c.Transport = newTransport(base, 8, http.ProxyURL(proxy))
	}
}

func TestProxyIsUsed(t *testing.T) {
	t.Parallel()
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		sayOK(w, r)
	}))
	t.Cleanup(proxy.Close)
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	mustExchange(t, newClient(t, "http://platform.example", through(u)))
	want := []string{"http://platform.example/x?access_token=T%261&a=b+c"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}
