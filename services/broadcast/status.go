package broadcast

import (
	"context"
	"time"

	"wechat-broadcast/cache"
	"wechat-broadcast/models"
	"wechat-broadcast/services/delivery"
	"wechat-broadcast/zone"
)

// Status returns where a broadcast stands, the latest one for id 0.
func (e *Engine) Status(ctx context.Context, id int64) (*Status, error) {
	b, err := e.store.FindBroadcast(ctx, id)
	if err != nil {
		return nil, err
	}
	st, err := e.status(ctx, *b)
	if err != nil {
		return nil, err
	}
	if b.State == models.Cancelled || b.State == models.Failed {
		if st.TakenOver, err = e.store.CountTakenOver(ctx, b); err != nil {
			return nil, err
		}
	}
	if b.AwaitsWord() {
		if st.Failures, err = e.store.CountFailures(ctx, b.ID); err != nil {
			return nil, err
		}
	}
	if b.Approvals > 0 {
		if err := e.addApproval(ctx, st); err != nil {
			return nil, err
		}
	}
	st.Price, err = e.store.CountPrice(ctx, b, e.now())
	return st, err
}

// Recent returns a Status that may be a little old: for those who look again and
// again. Counting takes the longer the larger the broadcast is, so the older it
// may be, and all who look meanwhile share one count. It waits for that count, so that
// none outlasts those who asked for it.
func (e *Engine) Recent(id int64) (*Status, error) { return e.recent.Get(e.inBackground, id) }

const (
	recentAtMost = 64 // broadcasts
	recentLeast  = 500 * time.Millisecond
	recentShare  = 20 // times what counting took: it costs at most this part of one core
	countAtMost  = time.Minute
)

// newRecent keeps the last Status of each broadcast that somebody looked at.
func newRecent(e *Engine) *cache.Cache[int64, *Status] {
	ttl := func(_ *Status, took time.Duration) time.Duration { return max(recentLeast, recentShare*took) }
	return cache.New(recentAtMost, ttl, func(_ context.Context, id int64) (*Status, error) {
		ctx, cancel := context.WithTimeout(e.inBackground, countAtMost)
		defer cancel()
		return e.Status(ctx, id)
	})
}

// List returns the latest n broadcasts, the newest first.
func (e *Engine) List(ctx context.Context, n int) ([]Status, error) {
	list, err := e.store.Broadcasts(ctx, n)
	if err != nil {
		return nil, err
	}
	return e.statuses(ctx, list)
}

// Before returns the n broadcasts that were asked for before that of an id, the newest
// first; for id 0 the latest.
func (e *Engine) Before(ctx context.Context, id int64, n int) ([]Status, error) {
	list, err := e.store.BroadcastsBefore(ctx, id, n)
	if err != nil {
		return nil, err
	}
	return e.statuses(ctx, list)
}

// Open returns the latest n broadcasts that have not ended, the newest first.
func (e *Engine) Open(ctx context.Context, n int) ([]Status, error) {
	list, err := e.store.Broadcasts(ctx, n, models.Pending, models.Scheduled, models.Running, models.Paused)
	if err != nil {
		return nil, err
	}
	return e.statuses(ctx, list)
}

func (e *Engine) statuses(ctx context.Context, list []models.Broadcast) ([]Status, error) {
	all := make([]Status, 0, len(list))
	for _, b := range list {
		st, err := e.status(ctx, b)
		if err != nil {
			return nil, err
		}
		all = append(all, *st)
	}
	return all, nil
}

func (e *Engine) status(ctx context.Context, b models.Broadcast) (*Status, error) {
	counts, err := e.store.CountDeliveries(ctx, b.ID)
	if err != nil {
		return nil, err
	}
	st := &Status{Broadcast: b, Counts: counts}
	if b.State != models.Running {
		return st, nil
	}
	if r := e.runs.find(b.ID); r != nil {
		st.Warnings = e.checks.Quota(&b, r.quota.Load())
	}
	if counts.Deferred > 0 {
		st.Again = counts.DeferredSince.Add(delivery.DeferFor)
	}
	st.Stall = e.stalled(ctx, b.ID)
	st.Slowed = e.throttle.Slowed() && st.Stall == nil
	if st.Stall == nil && !e.hindered() {
		st.Rate = e.rate(ctx, b.ID)
	}
	rest := st.Remaining() - counts.Deferred
	if b.TriesFirst() {
		rest = b.Canary - counts.Known() + counts.Sending - counts.Deferred
	}
	if st.Rate > 0 && rest > 0 && !st.Slowed {
		st.Left = max(time.Duration(float64(rest)/st.Rate*float64(time.Second)), time.Second)
	}
	return st, nil
}

// rate returns the sends a second of a broadcast; 0 if that is not known.
func (e *Engine) rate(ctx context.Context, id int64) float64 {
	if e.cluster != nil {
		perSecond, err := e.cluster.Rate(ctx, id)
		if err != nil {
			e.log.DebugContext(ctx, "speed not known", "broadcast", id, "err", err)
		}
		return perSecond
	}
	if a := e.worker.Find(id); a != nil {
		return a.Meter().Rate(e.now())
	}
	return 0
}

// SentToday counts the recipients that were tried since midnight in Beijing.
func (e *Engine) SentToday(ctx context.Context) (int64, error) {
	return e.store.CountSince(ctx, zone.Midnight(e.now(), 0))
}
