package broadcast

import (
	"context"
	"time"

	"wechat-broadcast/zone"
)

var beijing = zone.Beijing

// tidy settles what ended early and tells admins what they do not know yet.
func (e *Engine) tidy(ctx context.Context) {
	if err := e.settle(ctx); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "settle what ended early, trying again", "err", err)
	}
	if err := e.notify(ctx); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "tell admins, trying again", "err", err)
	}
}

// forget drops what is kept for a while only.
func (e *Engine) forget(ctx context.Context) {
	if err := e.store.DropReceipts(ctx, e.now().Add(-keepReceipts)); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "drop old receipts", "err", err)
	}
	if _, err := e.store.PurgeInbound(ctx, e.now().Add(-keepReplies)); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "drop old replies", "err", err)
	}
}

// show renews the figures of the running broadcasts.
func (e *Engine) show(ctx context.Context) {
	var list []Status
	for _, r := range e.ledRuns() {
		st, err := e.Glance(ctx, r.b.ID)
		if err != nil {
			e.log.DebugContext(ctx, "renew metrics", "err", err)
			return
		}
		list = append(list, *st)
	}
	e.metrics.show(list)
}

// quotaReset returns when the platform's daily quota should be there again: at
// the next reset. Shortly after one, when the quota is still gone, it is asked
// for again soon, since the platform's hour is known from the field only.
func (e *Engine) quotaReset() time.Time {
	now := e.now().In(beijing)
	at := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, beijing).Add(e.resetAt)
	if !at.After(now) {
		if now.Sub(at) < resetWithin {
			return now.Add(resetRetry)
		}
		at = at.AddDate(0, 0, 1)
	}
	return at
}

// every runs f at intervals until ctx ends.
func every(ctx context.Context, d time.Duration, f func()) {
	for {
		f()
		if sleep(ctx, d) != nil {
			return
		}
	}
}
