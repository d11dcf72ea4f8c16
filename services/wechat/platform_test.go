package wechat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log" //nolint:depguard // net/http writes to it
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // as main does
	goleak.VerifyTestMain(m)
}

const (
	testApp    = "wx1234567890abcdef"
	testSecret = "s3cret-of-the-account"
	testOpenID = "oABCD1234567890abcdefghijklm"
)

// platform is the token side of the platform and whatever else a test routes.
type platform struct {
	*http.ServeMux

	mu     sync.Mutex
	token  string
	life   int
	normal int // calls without force_refresh
	forced int
	bad    string // a token that is refused although it is the current one
	// onForce makes the next token; nil for one more than the last.
	onForce func(p *platform)
}

func newPlatform() *platform {
	p := &platform{ServeMux: http.NewServeMux(), token: "TOKEN-0", life: 7200}
	p.HandleFunc("POST "+stableTokenPath, p.stableToken)
	return p
}

func (p *platform) stableToken(w http.ResponseWriter, r *http.Request) {
	var req struct {
		GrantType string `json:"grant_type"`
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		Force     bool   `json:"force_refresh"`
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.GrantType != "client_credential" || req.AppID == "" || req.Secret == "" {
		fmt.Fprint(w, `{"errcode":41002,"errmsg":"appid missing"}`)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if req.Force {
		p.forced++
		if p.onForce != nil {
			p.onForce(p)
		} else {
			p.token = fmt.Sprintf("FORCED-%d", p.forced)
		}
	} else {
		p.normal++
	}
	fmt.Fprintf(w, `{"access_token":%q,"expires_in":%d}`, p.token, p.life)
}

// revoke replaces the current token, as another process's forced refresh does.
func (p *platform) revoke(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.token = token
}

func (p *platform) valid(r *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	token := r.URL.Query().Get("access_token")
	return token == p.token && token != p.bad
}

// refuse has a token refused although the platform gives it.
func (p *platform) refuse(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bad = token
}

// calls returns the numbers of normal and forced refreshes so far.
func (p *platform) calls() (normal, forced int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.normal, p.forced
}

// answer routes a path to a fixed body, behind a check of the token.
func (p *platform) answer(path, body string) {
	p.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if !p.valid(r) {
			fmt.Fprint(w, invalidToken)
			return
		}
		fmt.Fprint(w, body)
	})
}

const accepted = `{"errcode":0,"errmsg":"ok","msgid":1}`

const invalidToken = `{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest rid: 65609427-54c9eae0-289148d7"}`

// serve starts h on loopback and returns a client of it.
func serve(tb testing.TB, h http.Handler, change ...func(*Config)) *Client {
	tb.Helper()
	srv := httptest.NewServer(h)
	tb.Cleanup(srv.Close)
	return newClient(tb, srv.URL, change...)
}

// connCounter counts the connections of a server.
type connCounter struct{ opened, closed atomic.Int64 }

// want fails unless as many connections were opened.
func (c *connCounter) want(tb testing.TB, opened int64) {
	tb.Helper()
	if n := c.opened.Load(); n != opened {
		tb.Errorf("%d connections, want %d", n, opened)
	}
}

// awaitClosed waits until as many connections were closed.
func (c *connCounter) awaitClosed(tb testing.TB, closed int64) {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); c.closed.Load() < closed; {
		if time.Now().After(deadline) {
			tb.Fatalf("%d connections were closed, want %d", c.closed.Load(), closed)
		}
		<-time.After(time.Millisecond)
	}
}

func (c *connCounter) note(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		c.opened.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.closed.Add(1)
	case http.StateActive, http.StateIdle:
	}
}

// serveCounted starts h on loopback and counts its connections.
func serveCounted(tb testing.TB, h http.Handler) (base string, conns *connCounter) {
	tb.Helper()
	conns = &connCounter{}
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ConnState = conns.note
	srv.Start()
	tb.Cleanup(srv.Close)
	return srv.URL, conns
}

func newClient(tb testing.TB, baseURL string, change ...func(*Config)) *Client {
	tb.Helper()
	cfg := Config{AppID: testApp, AppSecret: testSecret, BaseURL: baseURL}
	for _, f := range change {
		f(&cfg)
	}
	c := New(cfg)
	tb.Cleanup(c.Close)
	return c
}

// inProcess is a transport that calls h directly, for tests on a fake clock.
func inProcess(h http.Handler) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		rec := httptest.NewRecorder()
		if r.Body == nil {
			r.Body = http.NoBody
		}
		h.ServeHTTP(rec, r)
		return rec.Result(), nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// logTo collects what is logged, at every level.
func logTo(buf *syncBuffer) func(*Config) {
	return func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(buf, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func testMessage() Message {
	return Message{
		ToUser: testOpenID, TemplateID: "TPL", ClientMsgID: "7-1",
		Data: []Field{{Key: "thing1", Value: "图书馆 <周三> & \"闭馆\""}},
	}
}

// noSecrets fails if a text names the secret, a token or the whole OpenID.
func noSecrets(tb testing.TB, what, text string) {
	tb.Helper()
	for _, s := range []string{testSecret, "TOKEN-", "FORCED-", testOpenID} {
		if strings.Contains(text, s) {
			tb.Errorf("%s holds %q: %s", what, s, text)
		}
	}
}

func readBody(tb testing.TB, r *http.Request) string {
	tb.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Errorf("read request: %v", err)
	}
	return string(raw)
}
