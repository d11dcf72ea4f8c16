package wechat

import (
	"fmt"
	"io"
	"log" //nolint:depguard // net/http wants one
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// Each path that fails, with a platform that echoes all it was sent.
func TestNoSecretInAnyErrorOrLog(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request, status, code int) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"errcode":%d,"errmsg":%q}`, code, r.URL.String()+" "+string(raw)+testSecret)
	}
	faults := map[string]http.HandlerFunc{
		"refused":  func(w http.ResponseWriter, r *http.Request) { echo(w, r, 200, 40013) },
		"stale":    func(w http.ResponseWriter, r *http.Request) { echo(w, r, 200, 40001) },
		"HTTP 500": func(w http.ResponseWriter, r *http.Request) { echo(w, r, 500, 0) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+r.Host+"/?"+r.URL.RawQuery+testSecret, http.StatusFound)
		},
		"echo": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.String(), testSecret) },
		"cut":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"strange HTTP": func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			fmt.Fprintf(conn, "%s %s\r\n\r\n", testSecret, r.URL.RawQuery)
			conn.Close()
		},
		"hung": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
	}
	for name, fault := range faults {
		for _, withToken := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, token %v", name, withToken), func(t *testing.T) {
				t.Parallel()
				p := newPlatform()
				h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if withToken && r.URL.Path == stableTokenPath {
						p.ServeHTTP(w, r)
						return
					}
					fault(w, r)
				})
				driveFailures(t, h, withToken, name == "hung")
			})
		}
	}
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		var logs syncBuffer
		c := newClient(t, deadAddress(t), logTo(&logs))
		noSecrets(t, "detail", c.Send(t.Context(), testMessage()).Detail)
		noSecrets(t, "log", logs.String())
	})
}

func driveFailures(t *testing.T, h http.Handler, withToken, hangs bool) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	var logs syncBuffer
	timeout := 10 * time.Second
	if hangs {
		timeout = 500 * time.Millisecond
	}
	c := newClient(t, srv.URL, logTo(&logs), func(c *Config) { c.Timeout = timeout })
	if withToken {
		if _, err := c.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	r := c.Send(t.Context(), testMessage())
	if r.Verdict == Accepted || r.Detail == "" {
		t.Errorf("send: %+v", r)
	}
	noSecrets(t, "send", r.Detail)
	req := call{path: followersPath, limit: 1024, timeout: timeout, openID: testOpenID}
	req.query = url.Values{"next_openid": {testOpenID}}
	if _, err := askOnce[followersAnswer](t.Context(), c, req); err == nil {
		t.Error("no error from the page of followers")
	} else {
		noSecrets(t, "followers", err.Error())
	}
	if err := c.Notify(t.Context(), testOpenID, "hello"); err == nil {
		t.Error("no error from the notice")
	} else {
		noSecrets(t, "notify", err.Error())
	}
	again := newClient(t, srv.URL, logTo(&logs), func(c *Config) { c.Timeout = timeout })
	if _, err := again.Token(t.Context()); err != nil {
		noSecrets(t, "token", err.Error())
	}
	noSecrets(t, "log", logs.String())
}
