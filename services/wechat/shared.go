package wechat

import (
	"context"
	"fmt"
	"time"
)

// SharedTokens is where the replicas of an account keep its access token, so that one of
// them refreshes it for all: a *tokenstore.Store, whose methods say more.
type SharedTokens interface {
	Load(ctx context.Context) (token string, expires time.Time, err error)
	Save(ctx context.Context, token string, expires, now time.Time) error
	Lock(ctx context.Context, expiry time.Duration) (unlock func(), err error)
	ReserveForced(ctx context.Context, now time.Time, perDay int, pause time.Duration) (wait time.Duration, err error)
	ExhaustForced(ctx context.Context, now time.Time, perDay int)
}

const (
	// refreshPoll is how often a replica looks whether another's refresh is done.
	refreshPoll = 100 * time.Millisecond
	// newerBy is how much longer a token must be good to count as the next one.
	newerBy = time.Minute
	// lockExpiry is how long a replica that died while it refreshed keeps the others
	// waiting.
	lockExpiry = 15 * time.Second
)

// obtainShared takes the token that another replica has refreshed, or refreshes
// it for all of them. Without Redis it does so alone: the platform's stable
// token is the same for everyone.
func (t *tokens) obtainShared(ctx context.Context) (g grant, how string, err error) {
	for waited := time.Duration(0); waited < lockExpiry; waited += refreshPoll {
		g, ok, err := t.found(ctx)
		if ok {
			return g, "shared", nil
		}
		if err != nil {
			break
		}
		unlock, err := t.shared.Lock(ctx, lockExpiry)
		if err != nil {
			break
		}
		if unlock != nil {
			defer unlock()
			if g, ok, _ := t.found(ctx); ok { // the other's refresh was at its end
				return g, "shared", nil
			}
			break
		}
		select {
		case <-time.After(refreshPoll):
		case <-ctx.Done():
			return grant{}, "error", fmt.Errorf("wait for access token: %w", ctx.Err())
		}
	}
	g, how, err = t.obtain(ctx)
	if err == nil {
		if err := t.shared.Save(ctx, g.token, g.expires, t.now()); err != nil {
			t.log.WarnContext(ctx, "access token not shared", "error", err)
		}
	}
	return g, how, err
}

// found returns the stored token, and whether it is of use: not refused, and newer
// than the one that this replica has.
func (t *tokens) found(ctx context.Context) (grant, bool, error) {
	var g grant
	var err error
	if g.token, g.expires, err = t.shared.Load(ctx); err != nil || g.token == "" {
		return grant{}, false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	good := g.token != t.refused && t.now().Before(g.expires) &&
		(t.current == "" || g.token != t.current && g.expires.After(t.expires.Add(newerBy)))
	return g, good, nil
}
