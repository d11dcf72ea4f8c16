package simulator

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	forcedDaily   = 20
	forcedSpacing = 30 * time.Second
	tokenLength   = 112 // random bytes; about 150 characters
)

// grant is an access token and what becomes of it.
type grant struct {
	value string
	until time.Time
	after int // the error code from until on: 42001 for one that ran out, 40001 for one that was replaced
}

// tokens are the access tokens of the account. The two ways to get one are separate and do not invalidate each other
// (WeChat: getAccessToken and getStableAccessToken docs).
type tokens struct {
	ttl, overlap time.Duration

	mu     sync.RWMutex
	grants map[string]*grant
	plain  *grant // the latest of /cgi-bin/token
	stable *grant // the latest of /cgi-bin/stable_token
	forced time.Time
	forces counter // forced refreshes, by day
}

func newTokens(ttl, overlap time.Duration) *tokens {
	return &tokens{ttl: ttl, overlap: overlap, grants: make(map[string]*grant)}
}

// check gives 0 for a token that is good now, or the error code.
func (t *tokens) check(value string, now time.Time) int {
	if value == "" {
		return 41001
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	g := t.grants[value]
	switch {
	case g == nil && len(value) < 40:
		return 40014
	case g == nil:
		return 40001
	case !now.Before(g.until):
		return g.after
	default:
		return 0
	}
}

// issue makes a token and lets the one that it replaces, if any, live until end. The caller holds mu.
func (t *tokens) issue(now time.Time, old *grant, end time.Time) *grant {
	if old != nil && end.Before(old.until) {
		t.grants[old.value] = &grant{value: old.value, until: end, after: 40001}
	}
	maps.DeleteFunc(t.grants, func(_ string, g *grant) bool { return now.Sub(g.until) > t.ttl })
	g := &grant{value: newToken(), until: now.Add(t.ttl), after: 42001}
	t.grants[g.value] = g
	return g
}

func newToken() string {
	raw := make([]byte, tokenLength)
	for i := range raw {
		raw[i] = byte(rand.Uint32()) //nolint:gosec // a rehearsal's token guards nothing
	}
	return "86_" + base64.RawURLEncoding.EncodeToString(raw)
}

// next is a new token of /cgi-bin/token; the one before works on for the overlap.
func (t *tokens) next(now time.Time) *grant {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.plain = t.issue(now, t.plain, now.Add(t.overlap))
	return t.plain
}

// steady is the token of /cgi-bin/stable_token: the same until shortly before it ends. With force the one before dies
// at once, at most 20 times a day; within 30 s of the last time force is ignored.
func (t *tokens) steady(now time.Time, force bool) (g *grant, code int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if force && t.stable != nil && now.Sub(t.forced) >= forcedSpacing {
		forces := t.forces.in(beijingDay(now))
		if *forces >= forcedDaily {
			return nil, 45009
		}
		*forces++
		t.forced = now
		t.stable = t.issue(now, t.stable, now)
		return t.stable, 0
	}
	if t.stable == nil || t.stable.until.Sub(now) <= t.overlap {
		t.stable = t.issue(now, t.stable, now.Add(t.overlap))
	}
	return t.stable, 0
}

// revoke lets every token answer code from now on, as if somebody else had fetched new ones.
func (t *tokens) revoke(now time.Time, code int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for value, g := range t.grants {
		if now.Before(g.until) {
			t.grants[value] = &grant{value: value, until: now, after: code}
		}
	}
	t.plain, t.stable = nil, nil
}

// RevokeTokens makes every access token invalid at once; calls answer 40001 until a new one is fetched.
func (s *Simulator) RevokeTokens() { s.tokens.revoke(s.opts.Now(), 40001) }

// ExpireTokens lets every access token run out at once; calls answer 42001 until a new one is fetched.
func (s *Simulator) ExpireTokens() { s.tokens.revoke(s.opts.Now(), 42001) }

// token serves GET /cgi-bin/token (WeChat: getAccessToken docs).
func (s *Simulator) token(w http.ResponseWriter, r *http.Request) (code int, detail string) {
	if r.Method != http.MethodGet {
		return 43001, ""
	}
	query := r.URL.Query()
	ask := tokenRequest{query.Get("grant_type"), query.Get("appid"), query.Get("secret"), false}
	return s.grant(w, r, ask, func(now time.Time) (*grant, int) {
		s.tally.add(&s.tally.tokens.Plain)
		return s.tokens.next(now), 0
	})
}

// tokenRequest is what a caller says who wants a token.
type tokenRequest struct {
	GrantType    string `json:"grant_type"`
	AppID        string `json:"appid"`
	Secret       string `json:"secret"`
	ForceRefresh bool   `json:"force_refresh"`
}

// stableToken serves POST /cgi-bin/stable_token (WeChat: getStableAccessToken docs).
func (s *Simulator) stableToken(w http.ResponseWriter, r *http.Request) (code int, detail string) {
	if r.Method != http.MethodPost {
		return 43002, ""
	}
	var ask tokenRequest
	body := s.body(r)
	defer body.free()
	if len(body.bytes) == 0 {
		return 44002, ""
	}
	if !readJSON(body.bytes, &ask) {
		return 47001, ""
	}
	return s.grant(w, r, ask, func(now time.Time) (*grant, int) {
		g, code := s.tokens.steady(now, ask.ForceRefresh)
		if code == 0 {
			s.tally.add(&s.tally.tokens.Stable)
		}
		if code == 0 && ask.ForceRefresh {
			s.tally.add(&s.tally.tokens.Forced)
		}
		return g, code
	})
}

// grant answers with a token, or gives the code of the refusal: for whoever asks, or for the quota.
func (s *Simulator) grant(w http.ResponseWriter, r *http.Request, ask tokenRequest, issue func(now time.Time) (*grant, int)) (code int, detail string) {
	if code, detail := s.credentials(r, ask); code != 0 {
		return code, detail
	}
	now := s.opts.Now()
	if code := s.quotas[r.URL.Path].take(now, s.limit(r.URL.Path)); code != 0 {
		return code, ""
	}
	g, code := issue(now)
	if code == 0 {
		writeJSON(w, fmt.Appendf(nil, `{"access_token":"%s","expires_in":%d}`, g.value, int(g.until.Sub(now)/time.Second)))
	}
	return code, ""
}

// credentials checks who asks for a token and from where, and gives the code of what is wrong, or 0.
func (s *Simulator) credentials(r *http.Request, ask tokenRequest) (code int, detail string) {
	switch {
	case ask.GrantType != "client_credential":
		return 40002, ""
	case ask.AppID == "":
		return 41002, ""
	case ask.AppID != s.opts.AppID:
		return 40013, ""
	case ask.Secret == "":
		return 41004, ""
	case len(ask.Secret) != len(s.opts.AppSecret):
		return 40125, ""
	case ask.Secret != s.opts.AppSecret:
		return 40001, "invalid credential, access_token is invalid or not latest"
	case s.faults.Load().RefuseIP:
		ip, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			ip = r.RemoteAddr
		}
		return 40164, fmt.Sprintf("invalid ip %[1]s ipv6 ::ffff:%[1]s, not in whitelist", ip)
	}
	return 0, ""
}
