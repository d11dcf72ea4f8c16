package transport_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log" //nolint:depguard // net/http writes to it
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"wechat-broadcast/services/wechat/transport"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // as main does
	if flag.Parse(); *servePlatform {
		fmt.Fprintln(os.Stderr, serveBench(os.Stdin, os.Stdout))
		os.Exit(1)
	}
	// The transport trusts what the system trusts, and is tested over TLS from outside.
	dir, err := trustHostile()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}),
		// BenchmarkCalls alone uses fasthttp, which does not end these.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*TCPDialer).tcpAddrsClean"),
	)
}

// caller makes requests to base over a transport.
type caller struct {
	base string
	over *http.Transport
}

// newCaller returns a caller with New's transport; proxy is the way, nil for none.
func newCaller(tb testing.TB, base string, proxy *url.URL) caller {
	tb.Helper()
	c := caller{base, transport.New(parse(tb, base), 8, http.ProxyURL(proxy))}
	tb.Cleanup(c.over.CloseIdleConnections)
	return c
}

func parse(tb testing.TB, base string) *url.URL {
	tb.Helper()
	u, err := url.Parse(base)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

type answer struct {
	status int
	body   string
}

// call makes a request with a body and reads the answer.
func (c caller) call(ctx context.Context, body string) (a answer, reached bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/x?access_token=T%261", strings.NewReader(body))
	if err != nil {
		return answer{}, false, err
	}
	res, reached, err := transport.RoundTrip(c.over, r)
	if err != nil {
		return answer{}, reached, err
	}
	defer res.Body.Close()
	read, err := transport.ReadBody(res, 1<<10)
	return answer{res.StatusCode, string(read)}, true, err
}

// mustCall makes a request that is answered.
func (c caller) mustCall(tb testing.TB) answer {
	tb.Helper()
	a, _, err := c.call(tb.Context(), testBody)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

const testBody = `{"k":"值"}`

// connCounter counts the connections that a server was opened.
type connCounter struct{ opened atomic.Int64 }

// want fails unless as many connections were opened.
func (c *connCounter) want(tb testing.TB, opened int64) {
	tb.Helper()
	if n := c.opened.Load(); n != opened {
		tb.Errorf("%d connections, want %d", n, opened)
	}
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
			c := newCaller(t, base, nil)
			for range 3 {
				if a := c.mustCall(t); a.status != http.StatusOK || a.body != tt.body {
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
			c := newCaller(t, base, nil)
			for range 2 {
				if a, reached, err := c.call(t.Context(), testBody); err == nil || !reached {
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
	c := newCaller(t, srv.URL, nil)
	const rounds = 50
	for range rounds {
		c.mustCall(t)
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
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, err := io.ReadAll(r.Body); err != nil || string(got) != testBody {
			t.Errorf("it was sent %q, %v", got, err)
		}
		if calls.Add(1)%2 == 0 {
			panic(http.ErrAbortHandler)
		}
		sayOK(w, r)
	}))
	t.Cleanup(srv.Close)
	c := newCaller(t, srv.URL, nil)
	for range 10 {
		c.mustCall(t)
		if _, reached, err := c.call(t.Context(), testBody); err == nil || !reached {
			t.Errorf("cut: reached %v, %v", reached, err)
		}
	}
	if n := calls.Load(); n != 20 {
		t.Errorf("%d calls arrived, want 20", n)
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
	c := newCaller(t, "https://"+l.Addr().String(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	if _, reached, err := c.call(ctx, testBody); !errors.Is(err, context.Canceled) || reached {
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
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.opened.Add(1)
		}
	}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.EnableHTTP2 = true
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{hostileCertificate}}
	srv.StartTLS()
	t.Cleanup(srv.Close)

	c := newCaller(t, srv.URL, nil)
	for range 3 {
		if a := c.mustCall(t); a.body != "HTTP/1.1" {
			t.Fatalf("%+v", a)
		}
	}
	srv.CloseClientConnections()
	c.mustCall(t)
	conns.want(t, 2)

	elsewhere := newCaller(t, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1), nil) // the certificate is of another name
	var wrong *tls.CertificateVerificationError
	if _, reached, err := elsewhere.call(t.Context(), testBody); !errors.As(err, &wrong) || reached {
		t.Errorf("with another name: reached %v, %v", reached, err)
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
	newCaller(t, "http://platform.example", parse(t, proxy.URL)).mustCall(t)
	want := []string{"http://platform.example/x?access_token=T%261"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}
