package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// refusers are the four platforms that never accept: what template/send answers once
// it has read the request.
var refusers = []struct {
	name   string
	reason string // a word of what the status says
	answer func(w http.ResponseWriter)
}{
	{"45011", "too fast", func(w http.ResponseWriter) {
		_, _ = fmt.Fprint(w, `{"errcode":45011,"errmsg":"api minute-quota reach limit must slower retry next minute rid: 65609427-54c9eae0-289148d7"}`)
	}},
	{"502", "no usable answer", func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }},
	{"HTML", "no usable answer", func(w http.ResponseWriter) { _, _ = fmt.Fprint(w, "<html><title>busy</title></html>") }},
	{"cut connections", "no usable answer", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }},
}

// gateway stands before a platform. While it holds, it answers template/send itself.
type gateway struct {
	url              string
	hold             atomic.Pointer[func(w http.ResponseWriter)]
	somebody, nobody atomic.Int64 // calls that it answered, by whom they were for
	mu               sync.Mutex
	doubted          map[string]bool // OpenIDs of those calls
}

func newGateway(t *testing.T, platformURL string) *gateway {
	t.Helper()
	target, err := url.Parse(platformURL)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{doubted: map[string]bool{}}
	through := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := g.hold.Load()
		if answer == nil || !strings.HasSuffix(r.URL.Path, "/message/template/send") {
			through.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		var m struct {
			ToUser string `json:"touser"`
		}
		_ = json.NewDecoder(bytes.NewReader(body)).Decode(&m)
		if m.ToUser == "" {
			g.nobody.Add(1)
		} else {
			g.somebody.Add(1)
			g.mu.Lock()
			g.doubted[m.ToUser] = true
			g.mu.Unlock()
		}
		(*answer)(w)
	}))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// A platform that accepts nothing, from the start of a broadcast or from its middle
// on, wears nobody out. With E2E_FULL=1 it lasts ten minutes, else moments.
func TestPlatformThatNeverAccepts(t *testing.T) {
	t.Parallel()
	long(t)
	for _, hold := range refusers {
		for _, from := range []int64{0, 900} {
			t.Run(fmt.Sprintf("%s from %d on", hold.name, from), func(t *testing.T) {
				t.Parallel()
				const followers = 3_000
				lasts := sized(8*time.Second, 10*time.Minute)
				p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms")
				g := newGateway(t, p.url)
				s := startServer(t, p, sqlite(t).url, settings{
					"WECHAT_API_BASE_URL": g.url, "SEND_RATE": "300", "SEND_CONCURRENCY": "64",
				})
				if from == 0 {
					g.hold.Store(&hold.answer)
				}
				p.say(admin, "broadcast all personal")
				if from > 0 {
					p.callsReach(from)
					g.hold.Store(&hold.answer)
				}
				begun := time.Now()
				noticed, named := s.watchHold(hold.reason, begun.Add(lasts))
				calls := g.somebody.Load() + g.nobody.Load()
				g.mu.Lock()
				doubted := len(g.doubted)
				g.mu.Unlock()
				inHold := counted(p.say(admin, "broadcast status #1"), `uncertain (\S+)`)
				g.hold.Store(nil)
				ended := time.Now()
				// After 45011 for everything it goes on slowly, and faster only in time.
				seldom(t, 5*time.Minute, "the broadcast gets on", func() bool { return p.stats().Reached > followers*9/10 })
				s.finishes()
				took := time.Since(ended)
				st := p.stats()
				status := p.say(admin, "broadcast status #1")
				uncertain := counted(status, `uncertain (\S+)`)
				t.Logf("recipients %d, uncertain %d in the hold and %d after it, twice %d, lost %d; in the hold %d calls (%d for nobody), for %d people; "+
					"reason named after %s, notice after %s; finished %s after the hold; notices: %d",
					st.Followers, inHold, uncertain, st.MoreThanOne, int64(st.Followers)-st.Reached-uncertain, calls, g.nobody.Load(), doubted,
					named, noticed, took.Round(time.Second), len(p.notices()))
				if from == 0 {
					// Only who was tried first is in doubt, and can't be asked about after the hold.
					p.reached(followers - uncertain)
					if inHold != 0 || uncertain > 1 {
						t.Errorf("%d are uncertain in the hold, %d after it", inHold, uncertain)
					}
				}
				if st.MoreThanOne != 0 || int64(st.Followers)-st.Reached > uncertain {
					t.Errorf("twice %d, reached %d, uncertain %d", st.MoreThanOne, st.Reached, uncertain)
				}
				// What is in doubt at the end of a hold for longer than it is safe to ask
				// again are those whose calls were under way at its start.
				if most := int64(70); uncertain > most {
					t.Errorf("%d are uncertain, %d calls can be under way", uncertain, most)
				}
				if !full() {
					return
				}
				if calls > 150 {
					t.Errorf("%d calls in the hold", calls)
				}
				if noticed == 0 || noticed > 5*time.Minute || named == 0 || named > 3*time.Minute+20*time.Second {
					t.Errorf("named after %s, noticed after %s", named, noticed)
				}
				seldom(t, patience, "the notices of the going on and of the end", func() bool { return len(p.notices()) == 3 })
				if text := p.notices()[1].Text; !strings.Contains(text, "goes on") {
					t.Errorf("the second notice: %s", text)
				}
			})
		}
	}
}

// watchHold watches a hold until it is to end, and returns when the admin was told
// and when the status named the reason, since it began; 0 if that did not happen.
func (s *server) watchHold(reason string, until time.Time) (noticed, named time.Duration) {
	s.t.Helper()
	begun := time.Now()
	for time.Now().Before(until) {
		pass(s.t, min(5*time.Second, time.Until(until)))
		if noticed == 0 && len(s.platform.notices()) > 0 {
			noticed = time.Since(begun).Round(time.Second)
			if text := s.platform.notices()[0].Text; !strings.Contains(text, reason) {
				s.t.Errorf("the notice does not name the reason: %s", text)
			}
			if _, metrics := s.get("/metrics"); !strings.Contains(metrics, "broadcast_stalled_seconds{") {
				s.t.Error("/metrics has no broadcast_stalled_seconds")
			}
		}
		if named == 0 && strings.Contains(s.platform.say(admin, "broadcast status #1"), reason) {
			named = time.Since(begun).Round(time.Second)
		}
	}
	return noticed, named
}
