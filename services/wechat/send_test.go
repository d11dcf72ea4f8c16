package wechat

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSendIsAccepted(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.HandleFunc("POST "+sendPath, func(w http.ResponseWriter, r *http.Request) {
		if !p.valid(r) {
			t.Errorf("token %q", r.URL.Query().Get("access_token"))
		}
		if got, want := readBody(t, r), string(encodeMessage(testMessage())); got != want {
			t.Errorf("body %s, want %s", got, want)
		}
		if got := r.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
			t.Errorf("content type %q", got)
		}
		fmt.Fprint(w, `{"errcode":0,"errmsg":"ok","msgid":3557254367693750277}`)
	})
	c := serve(t, p, func(c *Config) { c.BaseURL += "/" })
	got := c.Send(t.Context(), testMessage())
	if diff := cmp.Diff(Result{Verdict: Accepted, MsgID: 3557254367693750277}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSendKeepsItsConnections(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.answer("POST "+sendPath, `{"errcode":0,"errmsg":"ok","msgid":1}`)
	base, conns := serveCounted(t, p)
	c := newClient(t, base)
	for range 50 {
		if r := c.Send(t.Context(), testMessage()); r.Verdict != Accepted {
			t.Fatalf("got %+v", r)
		}
	}
	conns.want(t, 1)
}

// What the platform's machines answer when they do not answer.
func TestSendWithoutAUsableAnswer(t *testing.T) {
	t.Parallel()
	const notJSON = "the answer is not the platform's JSON"
	tests := map[string]struct {
		answer http.HandlerFunc
		want   Result
		hangs  bool
	}{
		"502": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				http.Error(w, "<html>Bad Gateway</html>", http.StatusBadGateway)
			},
			Result{Verdict: Retry, MaybeSent: true, Detail: "HTTP 502", RetryAfter: 7 * time.Second},
			false,
		},
		"HTML with 200": {
			func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>busy</html>") },
			Result{Verdict: Retry, MaybeSent: true, Detail: notJSON},
			false,
		},
		"nothing with 200": {
			func(http.ResponseWriter, *http.Request) {},
			Result{Verdict: Retry, MaybeSent: true, Detail: notJSON},
			false,
		},
		"a redirect is not followed": {
			func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			},
			Result{Verdict: Retry, MaybeSent: true, Detail: "HTTP 307"},
			false,
		},
		"too long": {
			func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, `{"errcode":0,"errmsg":"`+strings.Repeat("x", answerLimit)+`"}`)
			},
			Result{Verdict: Retry, MaybeSent: true, Detail: "the answer is too long"},
			false,
		},
		"cut after it was read": {
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			Result{Verdict: Retry, MaybeSent: true, Detail: "the connection was cut"},
			false,
		},
		"cut in the answer": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				fmt.Fprint(w, `{"errcode":0`)
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			},
			Result{Verdict: Retry, MaybeSent: true, Detail: "the connection was cut"},
			false,
		},
		"no answer": {
			func(_ http.ResponseWriter, r *http.Request) {
				// The server sees that the client is gone once the body is read.
				_ = readBody(t, r)
				<-r.Context().Done()
			},
			Result{Verdict: Retry, MaybeSent: true, Detail: "no answer in time"},
			true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform()
			p.HandleFunc("POST "+sendPath, tt.answer)
			p.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) {
				t.Error("the redirect was followed")
			})
			c := serve(t, p, func(c *Config) {
				if tt.hangs {
					c.Timeout = time.Second
				}
			})
			if diff := cmp.Diff(tt.want, c.Send(t.Context(), testMessage())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// deadAddress is a loopback address on which nobody listens.
func deadAddress(tb testing.TB) string {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func TestSendToNobodyIsAway(t *testing.T) {
	t.Parallel()
	t.Run("before the token", func(t *testing.T) {
		t.Parallel()
		r := newClient(t, deadAddress(t)).Send(t.Context(), testMessage())
		if r.Verdict != Away || r.MaybeSent || !strings.Contains(r.Detail, "refused") || strings.Contains(r.Detail, "http") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("with a token", func(t *testing.T) {
		t.Parallel()
		p := newPlatform()
		srv := httptest.NewServer(p)
		c := newClient(t, srv.URL)
		if _, err := c.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		srv.Close()
		c.Close()
		r := c.Send(t.Context(), testMessage())
		if r.Verdict != Away || r.MaybeSent {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("TLS that fails", func(t *testing.T) {
		t.Parallel()
		srv := httptest.NewUnstartedServer(newPlatform())
		srv.Config.ErrorLog = discardLog()
		srv.StartTLS()
		t.Cleanup(srv.Close)
		r := newClient(t, srv.URL).Send(t.Context(), testMessage()) // its certificate is unknown
		if r.Verdict != Away || r.MaybeSent {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a malformed base URL", func(t *testing.T) {
		t.Parallel()
		r := newClient(t, "://").Send(t.Context(), testMessage())
		if r.Verdict != Away || r.MaybeSent {
			t.Errorf("got %+v", r)
		}
	})
}

func TestSendCancelledByItsCaller(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	ctx, cancel := context.WithCancel(t.Context())
	p.HandleFunc("POST "+sendPath, func(_ http.ResponseWriter, r *http.Request) {
		_ = readBody(t, r)
		cancel()
		<-r.Context().Done()
	})
	c := serve(t, p)
	r := c.Send(ctx, testMessage())
	if r.Verdict != Retry || !r.MaybeSent {
		t.Errorf("in flight: got %+v", r)
	}
	r = c.Send(ctx, testMessage())
	if r.Verdict != Retry || r.MaybeSent {
		t.Errorf("before the flight: got %+v; that the caller gave up says nothing about the platform", r)
	}
}

func TestSendRefreshesAStaleTokenTwiceAtMost(t *testing.T) {
	t.Parallel()
	for _, code := range []int{40001, 40014, 41001, 42001} {
		p := newPlatform()
		var sends atomic.Int64
		p.HandleFunc("POST "+sendPath, func(w http.ResponseWriter, _ *http.Request) {
			p.revoke(fmt.Sprintf("TOKEN-%d", sends.Add(1)))
			fmt.Fprintf(w, `{"errcode":%d,"errmsg":"stale"}`, code)
		})
		r := serve(t, p).Send(t.Context(), testMessage())
		want := Result{Verdict: Retry, Code: code, Detail: "stale"}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Errorf("code %d: %s", code, diff)
		}
		if normal, forced := p.calls(); sends.Load() != 3 || normal != 3 || forced != 0 {
			t.Errorf("code %d: %d sends, %d normal and %d forced token calls; want 3, 3, 0", code, sends.Load(), normal, forced)
		}
	}
}

func TestDetailIsOneShortLine(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	long, err := json.Marshal("a\r\nb\t" + strings.Repeat("错", 300))
	if err != nil {
		t.Fatal(err)
	}
	p.answer("POST "+sendPath, fmt.Sprintf(`{"errcode":47003,"errmsg":%s}`, long))
	got := serve(t, p).Send(t.Context(), testMessage()).Detail
	if want := "a  b " + strings.Repeat("错", 194) + "…"; got != want {
		t.Errorf("got %q", got)
	}
}

func BenchmarkSend(b *testing.B) {
	p := newPlatform()
	p.HandleFunc("POST "+sendPath, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, `{"errcode":0,"errmsg":"ok","msgid":3557254367693750277}`)
	})
	c := serve(b, p)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if r := c.Send(b.Context(), testMessage()); r.Verdict != Accepted {
				b.Errorf("got %+v", r)
			}
		}
	})
}
