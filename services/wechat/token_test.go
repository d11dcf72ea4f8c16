package wechat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/zone"
)

// 64 senders meet a dead token at the same moment.
func TestTokenStampede(t *testing.T) {
	t.Parallel()
	const senders = 64
	tests := map[string]struct {
		revoke         func(p *platform)
		normal, forced int
	}{
		// Another process has had it replaced: asking once tells the new one.
		"replaced": {func(p *platform) { p.token = "TOKEN-1" }, 2, 0},
		// The platform still gives the dead one: it must be forced, once.
		"dead": {nil, 2, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform()
			var arrived sync.WaitGroup
			arrived.Add(senders)
			p.HandleFunc("POST "+sendPath, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("access_token") != "TOKEN-0" {
					fmt.Fprint(w, `{"errcode":0,"errmsg":"ok","msgid":9}`)
					return
				}
				arrived.Done()
				arrived.Wait()
				fmt.Fprint(w, invalidToken)
			})
			var told atomic.Int64
			c := serve(t, p, func(c *Config) {
				c.MaxConns = senders
				c.OnTokenRefresh = func(string) { told.Add(1) }
			})
			if _, err := c.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			if tt.revoke != nil {
				p.mu.Lock()
				tt.revoke(p)
				p.mu.Unlock()
			}
			var wg sync.WaitGroup
			for range senders {
				wg.Go(func() {
					if r := c.Send(t.Context(), testMessage()); r.Verdict != Accepted {
						t.Errorf("got %+v", r)
					}
				})
			}
			wg.Wait()
			if normal, forced := p.calls(); normal != tt.normal || forced != tt.forced {
				t.Errorf("%d normal and %d forced token calls, want %d and %d", normal, forced, tt.normal, tt.forced)
			}
			if n := told.Load(); n != 2 {
				t.Errorf("%d refreshes told, want 2", n)
			}
		})
	}
}

// Whoever is late in finding that a token is refused does not throw away the next one.
func TestALateRefusalKeepsTheNextToken(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	arrived, goOn := make(chan struct{}), make(chan struct{})
	var sends atomic.Int64
	p.HandleFunc("POST "+sendPath, func(w http.ResponseWriter, r *http.Request) {
		answer := accepted
		if sends.Add(1) == 1 {
			close(arrived)
			<-goOn
			answer = invalidToken
		} else if !p.valid(r) {
			answer = invalidToken
		}
		fmt.Fprint(w, answer)
	})
	c := serve(t, p)
	late := make(chan Result)
	go func() { late <- c.Send(t.Context(), testMessage()) }()
	<-arrived
	p.revoke("TOKEN-1")
	if r := c.Send(t.Context(), testMessage()); r.Verdict != Accepted {
		t.Errorf("got %+v", r)
	}
	close(goOn)
	if r := <-late; r.Verdict != Accepted {
		t.Errorf("the late one: %+v", r)
	}
	if got, err := c.Token(t.Context()); got != "TOKEN-1" || err != nil {
		t.Errorf("after a late refusal: %q, %v", got, err)
	}
	if normal, forced := p.calls(); normal != 2 || forced != 0 {
		t.Errorf("%d normal and %d forced token calls, want 2 and 0", normal, forced)
	}
}

func TestTokenIsRefreshedAheadWhileTheOldOneServes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		c := newClient(t, "http://platform", func(c *Config) { c.Transport = inProcess(p) })
		token := func() string {
			t.Helper()
			got, err := c.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return got
		}
		token()
		time.Sleep(2*time.Hour - 5*time.Minute - time.Second)
		if token(); p.normal != 1 {
			t.Fatalf("%d token calls before the last five minutes", p.normal)
		}
		time.Sleep(time.Second)
		p.token = "TOKEN-1"
		if got := token(); got != "TOKEN-0" {
			t.Errorf("got %q while the next is fetched", got)
		}
		if got := token(); got != "TOKEN-1" || p.normal != 2 {
			t.Errorf("then got %q after %d calls", got, p.normal)
		}
	})
}

func TestTokenRefreshedAheadIsNotAskedForWithoutEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		p.life = 300 // the platform gives the same token with what is left of it
		c := newClient(t, "http://platform", func(c *Config) { c.Transport = inProcess(p) })
		for range 29 {
			if _, err := c.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			time.Sleep(time.Second)
		}
		if p.normal != 1 {
			t.Errorf("%d token calls in 29 seconds, want 1", p.normal)
		}
	})
}

func TestTokenIsFetchedAgainAtItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		c := newClient(t, "http://platform", func(c *Config) { c.Transport = inProcess(p) })
		if _, err := c.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		p.token = "TOKEN-1"
		if got, err := c.Token(t.Context()); got != "TOKEN-1" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// The platform gives a token and refuses it, whatever is done.
func TestForcedRefreshesKeepTheirLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// From noon on: half a day is left of the platform's day.
		time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, zone.Beijing)))
		p := newPlatform()
		var forced []time.Time
		p.onForce = func(p *platform) {
			forced = append(forced, time.Now())
			p.token = fmt.Sprintf("FORCED-%d", len(forced))
		}
		p.HandleFunc("POST "+sendPath, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, invalidToken) })
		c := newClient(t, "http://platform", func(c *Config) { c.Transport = inProcess(p) })

		var last Result
		for end := time.Now().Add(time.Hour); time.Now().Before(end); time.Sleep(5 * time.Second) {
			last = c.Send(t.Context(), testMessage())
			if last.Verdict != Retry || last.MaybeSent {
				t.Fatalf("got %+v", last)
			}
		}
		if len(forced) != forcedPerDay {
			t.Errorf("%d forced refreshes in an hour, want %d", len(forced), forcedPerDay)
		}
		for i := 1; i < len(forced); i++ {
			if gap := forced[i].Sub(forced[i-1]); gap < forcedPause {
				t.Errorf("forced refresh %d came after %v", i, gap)
			}
		}
		if last.RetryAfter != 11*time.Hour+5*time.Second {
			t.Errorf("with the day's forced refreshes used up, asked to wait %v", last.RetryAfter)
		}
		time.Sleep(last.RetryAfter)
		c.Send(t.Context(), testMessage())
		if len(forced) != forcedPerDay+1 {
			t.Errorf("on the next day there were %d forced refreshes, want %d", len(forced), forcedPerDay+1)
		}
	})
}

// A forced refresh that comes too soon changes nothing at the platform.
func TestForcedRefreshWithoutEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		p.onForce = func(*platform) {}
		sends := 0
		p.HandleFunc("POST "+sendPath, func(w http.ResponseWriter, _ *http.Request) {
			sends++
			fmt.Fprint(w, invalidToken)
		})
		c := newClient(t, "http://platform", func(c *Config) { c.Transport = inProcess(p) })
		r := c.Send(t.Context(), testMessage())
		if r.Verdict != Retry || r.MaybeSent || r.RetryAfter != forcedPause || p.forced != 1 {
			t.Errorf("got %+v after %d forced refreshes", r, p.forced)
		}
		if sends != 1 {
			t.Errorf("%d sends with the token that was refused, want 1", sends)
		}
	})
}

func TestForcedRefreshesUsedUpByAnotherProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		forced := 0
		mux := http.NewServeMux()
		mux.HandleFunc("POST "+stableTokenPath, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(readBody(t, r), `"force_refresh":true`) {
				forced++
				fmt.Fprint(w, `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`)
				return
			}
			fmt.Fprint(w, `{"access_token":"TOKEN-0","expires_in":7200}`)
		})
		mux.HandleFunc("POST "+sendPath, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, invalidToken) })
		c := newClient(t, "http://platform", func(c *Config) { c.Transport = inProcess(mux) })
		for range 3 {
			r := c.Send(t.Context(), testMessage())
			if r.Verdict != Retry || r.MaybeSent || r.RetryAfter < time.Minute {
				t.Errorf("got %+v", r)
			}
			time.Sleep(time.Minute)
		}
		if forced != 1 {
			t.Errorf("%d forced refreshes, want 1", forced)
		}
	})
}

// Senders that come one by one share a failure for a moment.
func TestFailedRefreshIsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := newClient(t, "http://platform", func(c *Config) {
			c.Transport = inProcess(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls++
				fmt.Fprint(w, `{"errcode":-1,"errmsg":"system error"}`)
			}))
		})
		for range 10 {
			if r := c.Send(t.Context(), testMessage()); r.Verdict != Retry || r.MaybeSent || r.Code != -1 {
				t.Errorf("got %+v", r)
			}
		}
		if calls != 1 {
			t.Errorf("%d token calls within a moment, want 1", calls)
		}
		time.Sleep(failureMemory)
		c.Send(t.Context(), testMessage())
		if calls != 2 {
			t.Errorf("%d token calls after it, want 2", calls)
		}
	})
}

func TestRefusedCredentials(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code    int
		errmsg  string
		verdict Verdict
		detail  string // a part of it
	}{
		{40001, "invalid credential", Halt, "AppSecret is wrong"},
		{40125, "invalid appsecret", Halt, "AppSecret is wrong"},
		{40013, "invalid appid", Halt, "AppID is wrong"},
		{41002, "appid missing", Halt, "AppID is missing"},
		{41004, "appsecret missing", Halt, "AppSecret is missing"},
		{40164, "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist", Halt, "the address 1.2.3.4 is not on the account's IP whitelist"},
		{40164, "invalid ip, not in whitelist", Halt, "this server's address is not on"},
		{40243, "", Halt, "frozen"},
		{89503, "", Halt, "administrator"},
		{89506, "", Halt, "24 hours"},
		{89507, "", Halt, "an hour"},
		{50004, "", Halt, "forbids"},
		{50007, "", Halt, "frozen"},
		{48001, "api unauthorized", Halt, "refuses"},
		{45009, "reach max api daily quota limit", Hold, "quota"},
		{45011, "api minute-quota reach limit", Slow, "minute-quota"},
		{-1, "system error", Retry, "system error"},
		{99999, "new", Retry, "new"},
	}
	for _, tt := range tests {
		mux := http.NewServeMux()
		mux.HandleFunc("POST "+stableTokenPath, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"errcode":%d,"errmsg":%q}`, tt.code, tt.errmsg)
		})
		c := newClient(t, "http://platform", func(c *Config) { c.Transport = inProcess(mux) })
		r := c.Send(t.Context(), testMessage())
		if r.Verdict != tt.verdict || r.Code != tt.code || r.MaybeSent || !strings.Contains(r.Detail, tt.detail) {
			t.Errorf("code %d: got %+v", tt.code, r)
		}
		if (r.Verdict == Halt) != (r.Group == HaltCredentials) {
			t.Errorf("code %d: group %q with %s", tt.code, r.Group, r.Verdict)
		}
		_, err := c.Token(t.Context())
		var api *APIError
		if !errors.As(err, &api) || api.Code != tt.code {
			t.Errorf("code %d: Token gave %v", tt.code, err)
		}
	}
}

// Whoever was first in a refresh may leave; the others still get their token.
func TestRefreshOutlivesItsFirstCaller(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	asked, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(asked) })
		<-answer
		p.ServeHTTP(w, r)
	}))
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := c.Token(ctx)
		first <- err
	}()
	<-asked
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first caller got %v", err)
	}
	close(answer)
	if got, err := c.Token(t.Context()); got != "TOKEN-0" || err != nil {
		t.Errorf("the next got %q, %v", got, err)
	}
	if normal, _ := p.calls(); normal != 1 {
		t.Errorf("%d token calls, want 1", normal)
	}
}

func TestCloseEndsARefresh(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	c := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = readBody(t, r)
		close(asked)
		<-r.Context().Done()
	}))
	done := make(chan error)
	go func() {
		_, err := c.Token(context.Background())
		done <- err
	}()
	<-asked
	c.Close()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; the refresh was waited for and not ended", err)
	}
	if _, err := c.Token(t.Context()); err == nil {
		t.Error("a closed client gave a token")
	}
}

func TestTokenOutcomesAreTold(t *testing.T) {
	t.Parallel()
	var told []string
	var mu sync.Mutex
	hook := func(c *Config) {
		c.OnTokenRefresh = func(o string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, o)
		}
	}
	p := newPlatform()
	p.answer("POST "+sendPath, accepted)
	p.refuse("TOKEN-0")
	ok := serve(t, p, hook)
	if r := ok.Send(t.Context(), testMessage()); r.Verdict != Accepted {
		t.Fatalf("got %+v", r)
	}
	ok.Close()
	refused := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"errcode":40125,"errmsg":"invalid appsecret"}`)
	}), hook)
	if _, err := refused.Token(t.Context()); err == nil {
		t.Error("no error")
	}
	refused.Close()
	away := newClient(t, deadAddress(t), hook)
	if _, err := away.Token(t.Context()); err == nil {
		t.Error("no error")
	}
	away.Close()
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]string{"ok", "forced", "refused", "error"}, slices.Clone(told)); diff != "" {
		t.Error(diff)
	}
}
