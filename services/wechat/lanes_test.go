package wechat

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
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

// lanesTo returns lanes to a server.
func lanesTo(tb testing.TB, base string) *lanes {
	tb.Helper()
	u, err := url.Parse(base)
	if err != nil {
		tb.Fatal(err)
	}
	ls := newLanes(u, 4)
	tb.Cleanup(ls.close)
	return ls
}

func testCall() call {
	return call{
		method: http.MethodPost, path: "/x", token: "T&1", query: url.Values{"a": {"b c"}}, body: []byte(`{"k":"值"}`),
		limit: 1 << 10, timeout: 5 * time.Second,
	}
}

// rawServer answers every request, whatever it is, with what it is given, as
// it stands. It hangs up after the first if once is set.
func rawServer(tb testing.TB, once bool, response string) (base string, conns *atomic.Int64) {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	conns = &atomic.Int64{}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
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

func TestLanesSayWhatNetHTTPWouldUnderstand(t *testing.T) {
	t.Parallel()
	type seen struct{ Method, URI, Host, ContentType, Body string }
	var got []seen
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, seen{r.Method, r.RequestURI, r.Host, r.Header.Get("Content-Type"), readBody(t, r)})
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "好")
	}))
	t.Cleanup(srv.Close)
	ls := lanesTo(t, srv.URL+"/gate%2Fway")
	get := call{method: http.MethodGet, path: "/y", limit: 10, timeout: time.Second}
	for _, req := range []call{testCall(), get} {
		a, _, err := ls.exchange(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&answer{status: 202, retryAfter: "3", body: []byte("好")}, a, cmp.AllowUnexported(answer{})); diff != "" {
			t.Error(diff)
		}
	}
	host := strings.TrimPrefix(srv.URL, "http://")
	want := []seen{
		{"POST", "/gate%2Fway/x?access_token=T%261&a=b+c", host, "application/json; charset=utf-8", `{"k":"值"}`},
		{"GET", "/gate%2Fway/y", host, "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// However an answer ends, the next call gets its own.
func TestLanesReadEveryForm(t *testing.T) {
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
			ls := lanesTo(t, base)
			for range 3 {
				a, _, err := ls.exchange(t.Context(), testCall())
				if err != nil {
					t.Fatal(err)
				}
				if a.status != http.StatusOK || string(a.body) != tt.body {
					t.Errorf("HTTP %d %q, want %q", a.status, a.body, tt.body)
				}
			}
			if n := conns.Load(); n != tt.conns {
				t.Errorf("%d connections, want %d", n, tt.conns)
			}
		})
	}
}

func TestLanesGiveUpOnNonsense(t *testing.T) {
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
			ls := lanesTo(t, base)
			for range 2 {
				if a, reached, err := ls.exchange(t.Context(), testCall()); err == nil || !reached {
					t.Errorf("answer %+v, reached %v, error %v", a, reached, err)
				}
			}
			if n := conns.Load(); n != 2 {
				t.Errorf("%d connections, want one for each call", n)
			}
		})
	}
}

// A connection that the other side closed while it was not used costs no send.
func TestLanesLeaveAConnectionThatWasClosed(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	t.Cleanup(srv.Close)
	ls := lanesTo(t, srv.URL)
	for range 3 {
		if _, _, err := ls.exchange(t.Context(), testCall()); err != nil {
			t.Fatal(err)
		}
		srv.CloseClientConnections()
		awaitClosed(t, ls)
	}
}

// awaitClosed waits until the unused connection hears that it was closed.
func awaitClosed(tb testing.TB, ls *lanes) {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); silent(ls.idle[0].raw); {
		if time.Now().After(deadline) {
			tb.Fatal("the connection is still open")
		}
		<-time.After(time.Millisecond)
	}
}

func TestLanesCloseWhatIsNotUsed(t *testing.T) {
	t.Parallel()
	base, conns := rawServer(t, false, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	ls := lanesTo(t, base)
	exchange := func() {
		t.Helper()
		if _, _, err := ls.exchange(t.Context(), testCall()); err != nil {
			t.Fatal(err)
		}
	}
	exchange()
	ls.dropUnused()
	if len(ls.idle) != 1 {
		t.Fatal("a connection was dropped at once")
	}
	ls.idle[0].since = time.Now().Add(-idleLanes)
	ls.dropUnused()
	if len(ls.idle) != 0 || ls.trim != nil {
		t.Errorf("%d connections kept", len(ls.idle))
	}
	exchange()
	ls.idle[0].since = time.Now().Add(-idleLanes)
	exchange() // a connection that is about to be dropped is not used
	if n := conns.Load(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
	ls.close()
	exchange()
	if len(ls.idle) != 0 {
		t.Error("a connection is kept by closed lanes")
	}
}

func TestLanesKeepNoMoreThanTheyMay(t *testing.T) {
	t.Parallel()
	const atOnce = 12
	var meet sync.WaitGroup
	meet.Add(atOnce)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		meet.Done()
		meet.Wait()
		fmt.Fprint(w, "ok")
	}))
	t.Cleanup(srv.Close)
	ls := lanesTo(t, srv.URL)
	var calls sync.WaitGroup
	for range atOnce {
		calls.Go(func() {
			if _, _, err := ls.exchange(t.Context(), testCall()); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if len(ls.idle) != ls.keep {
		t.Errorf("%d connections kept, want %d", len(ls.idle), ls.keep)
	}
}

func TestLanesEndWithTheirCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var calls atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = readBody(t, r)
		if calls.Add(1) == 1 {
			fmt.Fprint(w, "ok")
			return
		}
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	ls := lanesTo(t, srv.URL)
	if _, _, err := ls.exchange(ctx, testCall()); err != nil {
		t.Fatal(err)
	}
	if _, reached, err := ls.exchange(ctx, testCall()); !errors.Is(err, context.Canceled) || !reached {
		t.Errorf("in flight: reached %v, %v", reached, err)
	}
	if _, reached, err := ls.exchange(ctx, testCall()); !errors.Is(err, context.Canceled) || reached {
		t.Errorf("before the flight: reached %v, %v", reached, err)
	}
	if len(ls.idle) != 0 {
		t.Error("a connection with an answer on its way is kept")
	}
}

func TestLanesHaveADeadline(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = readBody(t, r)
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	ls := lanesTo(t, srv.URL)
	req := testCall()
	req.timeout = 500 * time.Millisecond // on a busy machine the dial alone takes 100 ms
	if _, reached, err := ls.exchange(t.Context(), req); !errors.Is(err, context.DeadlineExceeded) || !reached {
		t.Errorf("reached %v, %v", reached, err)
	}
}

func TestLanesOverTLS(t *testing.T) {
	t.Parallel()
	var conns atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto)
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Config.ErrorLog = discardLog()
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())

	ls := lanesTo(t, srv.URL)
	ls.tls.RootCAs = roots
	for range 3 {
		a, _, err := ls.exchange(t.Context(), testCall())
		if err != nil || string(a.body) != "HTTP/1.1" {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	srv.CloseClientConnections()
	awaitClosed(t, ls)
	if _, _, err := ls.exchange(t.Context(), testCall()); err != nil {
		t.Errorf("after the other side's end: %v", err)
	}
	if n := conns.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}

	ls = lanesTo(t, srv.URL)
	ls.tls.RootCAs, ls.tls.ServerName = roots, "elsewhere.example"
	var wrong *tls.CertificateVerificationError
	if _, reached, err := ls.exchange(t.Context(), testCall()); !errors.As(err, &wrong) || reached {
		t.Errorf("with another name: reached %v, %v", reached, err)
	}
}

func TestLanesToNobody(t *testing.T) {
	t.Parallel()
	ls := lanesTo(t, deadAddress(t))
	if _, reached, err := ls.exchange(t.Context(), testCall()); !errors.Is(err, syscall.ECONNREFUSED) || reached {
		t.Errorf("reached %v, %v", reached, err)
	}
}

func TestProxyIsUsed(t *testing.T) {
	t.Parallel()
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		fmt.Fprint(w, "ok")
	}))
	t.Cleanup(proxy.Close)
	through, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	base := &url.URL{Scheme: "http", Host: "platform.example"}
	wire, closeIdle := newWire(base, Config{}, http.ProxyURL(through))
	t.Cleanup(closeIdle)
	if _, _, err := wire.exchange(t.Context(), testCall()); err != nil {
		t.Fatal(err)
	}
	want := []string{"http://platform.example/x?access_token=T%261&a=b+c"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}
