package wechat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"wechat-broadcast/zone"
)

const (
	stableTokenPath = "/cgi-bin/stable_token"

	// refreshAhead is when the platform begins to give the next token, while
	// the old one still works (WeChat: getStableAccessToken docs).
	refreshAhead = 5 * time.Minute
	// refreshPause is the least time between two refreshes ahead of expiry.
	refreshPause = 30 * time.Second
	// failureMemory is how long a failed refresh is the answer to all callers.
	// Else each of many senders would ask the platform again.
	failureMemory = time.Second
	// shortLife is assumed for a token whose life the platform left out.
	shortLife = 5 * time.Minute
	longLife  = 24 * time.Hour

	// The platform's limits on force_refresh (WeChat: getStableAccessToken docs).
	forcedPerDay = 20
	forcedPause  = 30 * time.Second
)

// tokens holds the account's one access token for all callers.
//
// It asks stable_token, which gives every process the same token. At most one
// call is under way at any time. A caller whose token is refused drops that very
// token: if another has replaced it meanwhile, the new one stays.
type tokens struct {
	client *Client
	now    func() time.Time
	log    *slog.Logger
	hook   func(outcome string)
	shared SharedTokens // nil without other replicas

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex // also guards that no refresh starts once ctx has ended
	pending *pendingRefresh
	current string
	expires time.Time
	ahead   time.Time // when to fetch the next one
	refused string    // the token that the platform refused last

	failed   error
	failedAt time.Time

	forced     int // force_refresh calls on forcedDay
	forcedDay  string
	forcedLast time.Time
}

// pendingRefresh is one refresh that any number of callers wait for.
type pendingRefresh struct {
	done  chan struct{}
	token string
	err   error
}

// grant is a token as given.
type grant struct {
	token   string
	expires time.Time
}

func newTokens(c *Client, cfg Config) *tokens {
	t := &tokens{client: c, now: cfg.Now, log: cfg.Log, hook: cfg.OnTokenRefresh, shared: cfg.SharedTokens}
	if t.now == nil {
		t.now = time.Now
	}
	t.log = cmp.Or(t.log, slog.New(slog.DiscardHandler))
	if t.hook == nil {
		t.hook = func(string) {}
	}
	// A refresh is for all callers, so it runs on the client's context and not
	// on that of the first caller.
	t.ctx, t.stop = context.WithCancel(context.Background())
	return t
}

// close cancels the refresh under way and waits for its end.
func (t *tokens) close() {
	t.mu.Lock()
	t.stop()
	t.mu.Unlock()
	t.wg.Wait()
}

// get returns the current token, or waits for one until ctx ends. A token
// near its end is given while the next is fetched.
func (t *tokens) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	now := t.now()
	if t.current != "" && now.Before(t.expires) {
		token := t.current
		if !now.Before(t.ahead) && t.pending == nil && !t.failedJustNow(now) {
			t.start()
		}
		t.mu.Unlock()
		return token, nil
	}
	if t.pending == nil {
		if t.failedJustNow(now) {
			err := t.failed
			t.mu.Unlock()
			return "", err
		}
		t.start()
	}
	f := t.pending
	t.mu.Unlock()

	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return "", fmt.Errorf("wait for access token: %w", ctx.Err())
	}
}

// drop forgets the token that the platform has just refused, unless another
// one has taken its place already.
func (t *tokens) drop(used string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != used || used == "" {
		return
	}
	t.current, t.refused = "", used
}

// failedJustNow needs mu. A clock that was set back does not prolong it.
func (t *tokens) failedJustNow(now time.Time) bool {
	age := now.Sub(t.failedAt)
	return t.failed != nil && age >= 0 && age < failureMemory
}

// start begins a refresh; it needs mu.
func (t *tokens) start() {
	f := &pendingRefresh{done: make(chan struct{})}
	t.pending = f
	if t.ctx.Err() != nil {
		f.err = errClosed
		t.pending = nil
		close(f.done)
		return
	}
	t.wg.Go(func() { t.run(f) })
}

var errClosed = errors.New("get access token: the client is closed")

// run refreshes, stores what came of it and lets the waiting callers go.
func (t *tokens) run(f *pendingRefresh) {
	obtain := t.obtain
	if t.shared != nil {
		obtain = t.obtainShared
	}
	g, how, err := obtain(t.ctx)
	t.hook(how) // first, so that whoever is given the token finds it told

	t.mu.Lock()
	f.token, f.err = g.token, err
	t.pending = nil
	t.failed, t.failedAt = err, t.now()
	t.ahead = t.failedAt.Add(refreshPause)
	if err == nil {
		t.current, t.expires = g.token, g.expires
		if usual := g.expires.Add(-refreshAhead); usual.After(t.ahead) {
			t.ahead = usual
		}
	}
	t.mu.Unlock()
	close(f.done)

	if err != nil {
		if t.ctx.Err() == nil {
			t.log.WarnContext(t.ctx, "access token not refreshed", "outcome", how, "error", err)
		}
		return
	}
	t.log.InfoContext(t.ctx, "access token refreshed", "outcome", how, "expires", g.expires)
}

// obtain asks for the account's token, and only if that is the very one that
// was refused makes the platform replace it: forcing kills the token of every
// other process too.
func (t *tokens) obtain(ctx context.Context) (g grant, how string, err error) {
	g, err = t.fetch(ctx, false)
	if err != nil {
		return grant{}, refreshOutcome(err), err
	}
	if !t.wasRefused(g.token) {
		return g, "ok", nil
	}
	if wait := t.reserveForced(ctx); wait > 0 {
		return grant{}, "refused", staleError(wait)
	}
	g, err = t.fetch(ctx, true)
	var te *tokenError
	switch {
	case errors.As(err, &te) && te.api.Code == 45009:
		// Another process has used up the day's forced refreshes.
		return grant{}, "refused", staleError(t.exhaustForced(ctx))
	case err != nil:
		return grant{}, refreshOutcome(err), err
	case t.wasRefused(g.token):
		return grant{}, "refused", staleError(forcedPause)
	}
	return g, "forced", nil
}

func refreshOutcome(err error) string {
	var te *tokenError
	if errors.As(err, &te) {
		return "refused"
	}
	return "error"
}

// staleError is the state in which the platform refuses the token that it
// gives, and must not be asked to replace it yet.
func staleError(wait time.Duration) error {
	return &tokenError{
		api:     &APIError{Code: 40001, Msg: "the platform refuses the access token that it gives"},
		verdict: Retry,
		after:   wait,
	}
}

func (t *tokens) wasRefused(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return token == t.refused
}

// reserveForced takes one of the day's forced refreshes, or says how long to
// wait for the next.
func (t *tokens) reserveForced(ctx context.Context) time.Duration {
	if t.shared != nil {
		if wait, err := t.shared.ReserveForced(ctx, t.now(), forcedPerDay, forcedPause); err == nil {
			return wait
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if day := zone.Day(now); day != t.forcedDay {
		t.forcedDay, t.forced = day, 0
	}
	if t.forced >= forcedPerDay {
		return untilMidnight(now)
	}
	if age := now.Sub(t.forcedLast); age >= 0 && age < forcedPause {
		return forcedPause - age
	}
	t.forced++
	t.forcedLast = now
	return 0
}

// exhaustForced ends forced refreshes for the day and says how long that is.
func (t *tokens) exhaustForced(ctx context.Context) time.Duration {
	if t.shared != nil {
		t.shared.ExhaustForced(ctx, t.now(), forcedPerDay)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forced = forcedPerDay
	return untilMidnight(t.now())
}

func untilMidnight(now time.Time) time.Duration { return zone.Midnight(now, 1).Sub(now) }

// fetch makes one call of stable_token. The credentials travel in the body,
// so no URL holds them (WeChat: getStableAccessToken docs).
func (t *tokens) fetch(ctx context.Context, force bool) (grant, error) {
	c := t.client
	body := encode(map[string]any{
		"grant_type":    "client_credential",
		"appid":         c.appID,
		"secret":        c.secret,
		"force_refresh": force,
	})
	asked := t.now()
	req := call{path: stableTokenPath, body: body}
	raw, f := c.do(ctx, req)
	if f != nil {
		return grant{}, fmt.Errorf("get access token: %w", f)
	}
	var answer struct {
		reply
		Token string  `json:"access_token"`
		Life  lenient `json:"expires_in"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return grant{}, fmt.Errorf("get access token: %w", strangeAnswer())
	}
	if answer.Code.value != 0 {
		return grant{}, tokenErrorOf(&APIError{Code: answer.Code.code(), Msg: c.clean(req, string(answer.Msg))})
	}
	if answer.Token == "" {
		return grant{}, fmt.Errorf("get access token: %w", strangeAnswer())
	}
	life := time.Duration(min(answer.Life.value, int64(longLife/time.Second))) * time.Second
	if life <= 0 {
		life = shortLife
	}
	return grant{token: answer.Token, expires: asked.Add(life)}, nil
}
