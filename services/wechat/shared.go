package wechat

import (
	"context"
	"fmt"
	"time"

	"wechat-broadcast/services/wechat/tokenstore"
)

const (
	// refreshPoll is how often a replica looks whether another's refresh is done.
	refreshPoll = 100 * time.Millisecond
	// newerBy is how much longer a token must be good to count as the next one.
	newerBy = time.Minute
)

// obtainShared takes the token that another replica has refreshed, or refreshes
// it for all of them. Without Redis it does so alone: the platform's stable
// token is the same for everyone.
func (t *tokens) obtainShared(ctx context.Context) (g grant, how string, err error) {
	for waited := time.Duration(0); waited < tokenstore.LockExpiry; waited += refreshPoll {
		g, ok, err := t.found(ctx)
		if ok {
			return g, "shared", nil
		}
		if err != nil {
			break
		}
		unlock, err := t.shared.Lock(ctx)
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
		if err := t.shared.Save(ctx, tokenstore.Token{Value: g.token, Expires: g.expires}, t.now()); err != nil {
			t.log.WarnContext(ctx, "access token not shared", "error", err)
		}
	}
	return g, how, err
}

// found returns the stored token, and whether it is of use: not refused, and newer
// than the one that this replica has.
func (t *tokens) found(ctx context.Context) (grant, bool, error) {
	stored, ok, err := t.shared.Load(ctx)
	if err != nil || !ok {
		return grant{}, false, err
	}
	g := grant{token: stored.Value, expires: stored.Expires}
	t.mu.Lock()
	defer t.mu.Unlock()
	good := g.token != t.refused && t.now().Before(g.expires) &&
		(t.current == "" || g.token != t.current && g.expires.After(t.expires.Add(newerBy)))
	return g, good, nil
}
