package broadcast_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"wechat-broadcast/services/loop"
)

// sendPath is the path of the API that sends.
const sendPath = "/cgi-bin/message/template/send"

// wire carries requests to a handler without a network, so that time can be fake.
type wire struct {
	handler http.Handler
	down    atomic.Bool // nobody listens
	// tokenless lets the token API answer 502.
	tokenless atomic.Bool
	// thinks is how long the platform takes to tell the quota, in nanoseconds.
	thinks atomic.Int64
	// deaf lets user/info answer 502.
	deaf atomic.Bool
	// bare lets the account have no templates.
	bare atomic.Bool
	// templates, if set, is what the account's templates are instead.
	templates atomic.Pointer[string]
	// mute lets the APIs that tell the templates and the quota answer 502.
	mute atomic.Bool
	// before, if set, is called with each send and may answer it itself.
	before atomic.Pointer[func(w http.ResponseWriter, r *http.Request) (answered bool)]
	// people, if set, is the same for user/info/batchget.
	people atomic.Pointer[func(w http.ResponseWriter) (answered bool)]
}

// RoundTrip implements http.RoundTripper.
func (c *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if c.down.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	answered := make(chan error, 1)
	go func() {
		defer func() {
			if cause := recover(); cause == http.ErrAbortHandler { //nolint:errorlint // a panic's value
				answered <- io.EOF
			} else if cause != nil {
				panic(cause)
			}
		}()
		before, people := c.before.Load(), c.people.Load()
		if strings.HasSuffix(r.URL.Path, "/quota/get") {
			_ = loop.Sleep(r.Context(), time.Duration(c.thinks.Load()))
		}
		switch {
		case people != nil && strings.HasSuffix(r.URL.Path, "/user/info/batchget") && (*people)(w):
		case c.tokenless.Load() && strings.HasSuffix(r.URL.Path, "token"):
			w.WriteHeader(http.StatusBadGateway)
		case c.deaf.Load() && strings.HasSuffix(r.URL.Path, "/user/info"):
			w.WriteHeader(http.StatusBadGateway)
		case c.mute.Load() && (strings.HasSuffix(r.URL.Path, "/quota/get") || strings.HasSuffix(r.URL.Path, "/get_all_private_template")):
			w.WriteHeader(http.StatusBadGateway)
		case c.templates.Load() != nil && strings.HasSuffix(r.URL.Path, "/get_all_private_template"):
			_, _ = io.WriteString(w, *c.templates.Load())
		case c.bare.Load() && strings.HasSuffix(r.URL.Path, "/get_all_private_template"):
			_, _ = io.WriteString(w, `{"template_list":[]}`)
		case before == nil || r.URL.Path != sendPath || !(*before)(w, r):
			c.handler.ServeHTTP(w, r)
		}
		answered <- nil
	}()
	select {
	case err := <-answered:
		if err != nil {
			return nil, err
		}
		return w.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// onSend has f see every send to somebody first; f may answer it instead of the
// platform.
func (a *account) onSend(f func(w http.ResponseWriter, openID string) (answered bool)) {
	before := func(w http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			a.t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var m struct {
			ToUser string `json:"touser"`
		}
		if err := json.Unmarshal(body, &m); err != nil {
			a.t.Error(err)
		}
		return m.ToUser != "" && f(w, m.ToUser)
	}
	a.wire.before.Store(&before)
}

// answer answers as the platform does, with a code.
func answer(w http.ResponseWriter, code int) {
	_, _ = fmt.Fprintf(w, `{"errcode":%d,"errmsg":"as the test says rid: 65609427-54c9eae0-289148d7"}`, code)
}
