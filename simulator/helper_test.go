package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const noticeID = "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY"

const noticeData = `{"thing1":{"value":"图书馆周三闭馆"},"time2":{"value":"2026年11月24日 09:00"},"keyword3":{"value":"请相互转告"}}`

// mustStart makes a simulator that listens on loopback and ends with the test.
func mustStart(tb testing.TB, o Options) *Simulator {
	tb.Helper()
	s, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	if err := s.Start("127.0.0.1:0"); err != nil {
		tb.Fatal(err)
	}
	return s
}

// answer is what any API answers.
type answer struct {
	Code      int    `json:"errcode"`
	Text      string `json:"errmsg"`
	MsgID     int64  `json:"msgid"`
	Token     string `json:"access_token"`
	ExpiresIn int    `json:"expires_in"`
}

// mustCall asks the API and decodes the answer into v.
func mustCall(tb testing.TB, s *Simulator, method, path, body string, v any) {
	tb.Helper()
	status, text := call(tb, s, method, path, body)
	if status != http.StatusOK {
		tb.Fatalf("%s %s: status %d: %s", method, path, status, text)
	}
	if err := json.Unmarshal(text, v); err != nil {
		tb.Fatalf("%s %s: %v: %s", method, path, err, text)
	}
}

// call asks through the handler, without a connection.
func call(tb testing.TB, s *Simulator, method, path, body string) (status int, text []byte) {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), method, path, strings.NewReader(body))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

// mustToken gets a stable token.
func mustToken(tb testing.TB, s *Simulator) string {
	tb.Helper()
	var a answer
	mustCall(tb, s, http.MethodPost, pathStableToken, stableBody(s, false), &a)
	if a.Token == "" {
		tb.Fatalf("no token: %+v", a)
	}
	return a.Token
}

func stableBody(s *Simulator, force bool) string {
	return fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q,"force_refresh":%v}`, s.opts.AppID, s.opts.AppSecret, force)
}

// message is the body of a good send.
func message(openID, clientID string) string {
	return fmt.Sprintf(`{"touser":%q,"template_id":%q,"client_msg_id":%q,"miniprogram":{"appid":"","pagepath":""},"data":%s}`, openID, noticeID, clientID, noticeData)
}

// send sends a template message.
func send(tb testing.TB, s *Simulator, token, body string) answer {
	tb.Helper()
	var a answer
	mustCall(tb, s, http.MethodPost, pathSend+"?access_token="+token, body, &a)
	return a
}

// clock is a clock that only moves when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// callbackServer is the other side of the callbacks. It keeps every request, and answers by serve.
type callbackServer struct {
	*httptest.Server
	mu    sync.Mutex
	calls []callbackCall
}

type callbackCall struct {
	url  string
	body string
}

func newCallbackServer(tb testing.TB, serve func(n int, w http.ResponseWriter, r *http.Request, body []byte)) *callbackServer {
	tb.Helper()
	c := new(callbackServer)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			tb.Error(err)
		}
		c.mu.Lock()
		c.calls = append(c.calls, callbackCall{r.URL.String(), string(body)})
		n := len(c.calls)
		c.mu.Unlock()
		serve(n, w, r, bytes.Clone(body))
	}))
	tb.Cleanup(c.Close)
	return c
}

func (c *callbackServer) seen() []callbackCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]callbackCall(nil), c.calls...)
}

// eventually waits for something that happens in a goroutine.
func eventually(tb testing.TB, what string, happened func() bool) {
	tb.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("%s did not happen within 10 s", what)
		}
	}
}
