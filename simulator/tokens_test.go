package simulator

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func plainToken(tb testing.TB, s *Simulator) answer {
	tb.Helper()
	var a answer
	mustCall(tb, s, http.MethodGet, pathToken+"?grant_type=client_credential&appid="+s.opts.AppID+"&secret="+s.opts.AppSecret, "", &a)
	return a
}

func stableToken(tb testing.TB, s *Simulator, force bool) answer {
	tb.Helper()
	var a answer
	mustCall(tb, s, http.MethodPost, pathStableToken, stableBody(s, force), &a)
	return a
}

// tokenCode is what a call with a token is answered.
func tokenCode(tb testing.TB, s *Simulator, token string) int {
	tb.Helper()
	var a answer
	mustCall(tb, s, http.MethodGet, pathCallbackIP+"?access_token="+token, "", &a)
	return a.Code
}

func TestPlainToken(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := mustStart(t, Options{Now: c.Now})
	first := plainToken(t, s)
	if first.ExpiresIn != 7200 || len(first.Token) < 100 || len(first.Token) > 512 {
		t.Fatalf("first token: %+v", first)
	}
	second := plainToken(t, s)
	if second.Token == first.Token {
		t.Error("a second call gives the same token")
	}
	c.advance(4*time.Minute + 59*time.Second)
	if got := tokenCode(t, s, first.Token); got != 0 {
		t.Errorf("within five minutes the replaced token answers %d", got)
	}
	c.advance(time.Second)
	if got := tokenCode(t, s, first.Token); got != 40001 {
		t.Errorf("after five minutes the replaced token answers %d, want 40001", got)
	}
	c.advance(7200*time.Second - 5*time.Minute)
	if got := tokenCode(t, s, second.Token); got != 42001 {
		t.Errorf("at its end the token answers %d, want 42001", got)
	}
}

func TestStableToken(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := mustStart(t, Options{Now: c.Now})
	first := stableToken(t, s, false)
	other := plainToken(t, s)
	c.advance(time.Hour)
	again := stableToken(t, s, false)
	if again.Token != first.Token || again.ExpiresIn != 3600 {
		t.Errorf("after an hour: same %v, expires in %d; want the same, 3600", again.Token == first.Token, again.ExpiresIn)
	}
	c.advance(55 * time.Minute)
	next := stableToken(t, s, false)
	if next.Token == first.Token || next.ExpiresIn != 7200 {
		t.Error("in its last five minutes the token is not replaced")
	}
	for name, token := range map[string]string{"old": first.Token, "new": next.Token, "plain": other.Token} {
		if got := tokenCode(t, s, token); got != 0 {
			t.Errorf("the %s token answers %d", name, got)
		}
	}
	c.advance(5 * time.Minute)
	if got := tokenCode(t, s, first.Token); got == 0 {
		t.Error("the old token outlives the overlap")
	}
}

func TestForcedRefresh(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := mustStart(t, Options{Now: c.Now})
	token := stableToken(t, s, false).Token
	for i := range forcedDaily {
		forced := stableToken(t, s, true)
		if forced.Token == token {
			t.Fatalf("refresh %d gives the same token", i)
		}
		if got := tokenCode(t, s, token); got != 40001 {
			t.Fatalf("refresh %d: the token before answers %d, want 40001", i, got)
		}
		token = forced.Token
		c.advance(29 * time.Second)
		if stableToken(t, s, true).Token != token {
			t.Fatalf("refresh %d: another within 30 s is not ignored", i)
		}
		c.advance(time.Second)
	}
	if got := stableToken(t, s, true); got.Code != 45009 {
		t.Errorf("refresh 21 of the day answers %+v, want 45009", got)
	}
	if got := stableToken(t, s, false); got.Token != token {
		t.Error("without force the token is not the same")
	}
	c.advance(24 * time.Hour)
	stableToken(t, s, false)
	if got := stableToken(t, s, true); got.Code != 0 {
		t.Errorf("the next day answers %d", got.Code)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{})
	good := url.Values{"grant_type": {"client_credential"}, "appid": {s.opts.AppID}, "secret": {s.opts.AppSecret}}
	for _, tt := range []struct {
		name, key, value string
		want             int
	}{
		{"no grant type", "grant_type", "", 40002},
		{"no app id", "appid", "", 41002},
		{"another app id", "appid", "wx0000", 40013},
		{"no secret", "secret", "", 41004},
		{"a secret of another length", "secret", "short", 40125},
		{"another secret", "secret", strings.Repeat("f", 32), 40001},
	} {
		query := url.Values{}
		for key, values := range good {
			query[key] = values
		}
		query.Set(tt.key, tt.value)
		var a answer
		mustCall(t, s, http.MethodGet, pathToken+"?"+query.Encode(), "", &a)
		if a.Code != tt.want || a.Token != "" || !strings.Contains(a.Text, " rid: ") {
			t.Errorf("%s: %+v, want %d", tt.name, a, tt.want)
		}
	}
	var a answer
	mustCall(t, s, http.MethodGet, pathStableToken, "", &a)
	if a.Code != 43002 {
		t.Errorf("GET stable_token answers %d, want 43002", a.Code)
	}
	if err := s.SetFaults(Faults{RefuseIP: true}); err != nil {
		t.Fatal(err)
	}
	mustCall(t, s, http.MethodPost, pathStableToken, stableBody(s, false), &a)
	if a.Code != 40164 || !strings.HasPrefix(a.Text, "invalid ip 192.0.2.1 ") {
		t.Errorf("off the whitelist: %+v, want 40164", a)
	}
}

func TestRevokedTokens(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{})
	for _, tt := range []struct {
		name string
		do   func()
		want int
	}{{"revoked", s.RevokeTokens, 40001}, {"expired", s.ExpireTokens, 42001}} {
		token := mustToken(t, s)
		tt.do()
		if got := tokenCode(t, s, token); got != tt.want {
			t.Errorf("%s: answers %d, want %d", tt.name, got, tt.want)
		}
		if fresh := mustToken(t, s); fresh == token || tokenCode(t, s, fresh) != 0 {
			t.Errorf("%s: no good token without force afterwards", tt.name)
		}
	}
	for token, want := range map[string]int{"": 41001, "nonsense": 40014, strings.Repeat("x", 150): 40001} {
		if got := tokenCode(t, s, token); got != want {
			t.Errorf("a token of %d characters answers %d, want %d", len(token), got, want)
		}
	}
}

func TestTokenLimit(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Limits: Limits{TokenDaily: 2}})
	plainToken(t, s)
	plainToken(t, s)
	if got := plainToken(t, s); got.Code != 45009 {
		t.Errorf("the third of two answers %d, want 45009", got.Code)
	}
}
