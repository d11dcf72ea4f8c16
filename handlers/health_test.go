package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	for _, tt := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/readyz", 200, `{"status":"ok"}`},
		{"GET", "/", 404, "404 没有这个页面 · There is no such page"},
		{"GET", "/wechat/", 404, "404 没有这个页面 · There is no such page"},
		{"GET", "/WECHAT", 404, "404 没有这个页面 · There is no such page"},
		{"POST", "/nowhere", 404, "404 没有这个页面 · There is no such page"},
		{"HEAD", "/wechat", 405, "405 method not allowed"},
		{"PUT", "/wechat", 405, "405 method not allowed"},
		{"DELETE", "/metrics", 405, "405 method not allowed"},
		{"POST", "/healthz", 405, "405 method not allowed"},
		{"BREW", "/wechat", 405, "405 method not allowed"},
	} {
		rec := a.do(tt.method, tt.target, nil)
		if rec.Code != tt.status || rec.Body.String() != tt.body {
			t.Errorf("%s %s: %d %q, want %d %q", tt.method, tt.target, rec.Code, rec.Body, tt.status, tt.body)
		}
		if ct := rec.Header().Get("Content-Type"); tt.status >= 400 && !strings.HasPrefix(ct, "text/plain") {
			t.Errorf("%s %s: content type %q", tt.method, tt.target, ct)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, func(c *setup) {
			c.checks = []Check{
				{Name: "fine", Check: func(context.Context) error { return nil }},
				{Name: "database", Check: func(context.Context) error { return errors.New("reach the database:\n refused") }},
				{Name: "slow", Check: func(ctx context.Context) error { <-ctx.Done(); return errors.New("too slow") }},
				{Name: "deaf", Check: func(context.Context) error { time.Sleep(time.Minute); return nil }},
				{Name: "broken", Check: func(context.Context) error { panic("oh") }},
			}
		})
		start := time.Now()
		rec := a.do("GET", "/readyz", nil)
		if took := time.Since(start); took > checkWithin+time.Second {
			t.Errorf("took %v", took)
		}
		var got struct {
			Status string
			Checks map[string]string
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != 503 || got.Status != "unavailable" {
			t.Fatalf("%d %q: %v", rec.Code, rec.Body, err)
		}
		if slow := got.Checks["slow"]; slow != "too slow" && slow != "no answer within 3s" {
			t.Errorf("slow: %q", slow)
		}
		delete(got.Checks, "slow") // its error and the time limit come at the same moment
		want := map[string]string{
			"database": "reach the database: refused", "deaf": "no answer within 3s", "broken": "panic: oh",
		}
		if diff := cmp.Diff(want, got.Checks); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		time.Sleep(time.Minute) // the deaf check ends
	})
}

// The requests come at the same time, or within KeepFor.
func TestACheckRunsOnceForAllWhoAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		a := newAccount(t, func(c *setup) {
			c.Now = time.Now
			c.checks = []Check{{Name: "token", KeepFor: 5 * time.Second, Check: func(context.Context) error {
				time.Sleep(time.Second)
				asked.Add(1)
				return nil
			}}}
		})
		ready := func() {
			if rec := a.do("GET", "/readyz", nil); rec.Code != 200 {
				t.Errorf("%d %q", rec.Code, rec.Body)
			}
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(ready)
		}
		wg.Wait()
		time.Sleep(4 * time.Second)
		ready()
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times, want once", n)
		}
		time.Sleep(2 * time.Second)
		ready()
		if n := asked.Load(); n != 2 {
			t.Errorf("asked %d times, want again", n)
		}
	})
}

func TestAFailureIsKeptForASecondOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		a := newAccount(t, func(c *setup) {
			c.Now = time.Now
			c.checks = []Check{{Name: "token", KeepFor: 5 * time.Second, Check: func(context.Context) error {
				if asked.Add(1) == 1 {
					return errors.New("refused")
				}
				return nil
			}}}
		})
		for _, want := range []int{503, 503, 200} {
			if rec := a.do("GET", "/readyz", nil); rec.Code != want {
				t.Errorf("%d %q, want %d", rec.Code, rec.Body, want)
			}
			time.Sleep(600 * time.Millisecond)
		}
		if n := asked.Load(); n != 2 {
			t.Errorf("asked %d times, want twice", n)
		}
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.push(textMsg("hi", 1))
	a.push(textMsg("hi", 1))
	a.push(receiptMsg)
	a.push("<xml>")
	a.push(xmlMsg("image", ""))
	a.push(eventMsg("debug_demo", ""))
	a.post(nil, "")
	a.do("GET", "/wechat", nil)
	a.do("POST", "/wechat", strings.NewReader(strings.Repeat(" ", maxBody+1)))
	body := a.do("GET", "/metrics", nil).Body.String()
	for _, want := range []string{
		`{kind="text",outcome="ok"} 1`,
		`{kind="text",outcome="repeated"} 1`,
		`{kind="receipt",outcome="ok"} 1`,
		`{kind="unknown",outcome="malformed"} 1`,
		`{kind="unknown",outcome="refused"} 1`,
		`{kind="unknown",outcome="too_large"} 1`,
		`{kind="other",outcome="ok"} 1`,
		`{kind="other",outcome="ignored"} 1`,
		`{kind="verify",outcome="refused"} 1`,
	} {
		if !strings.Contains(body, "callback_duration_seconds_count"+want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

func TestServerLimits(t *testing.T) {
	t.Parallel()
	s := NewHTTPServer(newAccount(t))
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= answerWithin || s.IdleTimeout <= 0 {
		t.Errorf("a slow client is waited for: %+v", s)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = s
	server.Start()
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", 64<<10))
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KiB of headers: %d", res.StatusCode)
	}
}
