package console

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"wechat-broadcast/cache"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/diagnosis"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/topics"
	"wechat-broadcast/services/wechat"
)

const (
	// openAtMost is how many broadcasts that have not ended the home page shows.
	openAtMost = 30
	// overviewLasts is how long an overview is used again at least, and overviewShare how
	// many times as long as it took to read: counting a million people takes a while.
	overviewLasts  = 2 * time.Second
	overviewShare  = 20
	overviewWithin = 10 * time.Second

	quotaLasts = 5 * time.Minute
	quotaRetry = time.Minute     // after the platform did not answer
	quotaAsk   = 5 * time.Second // of the question to the platform
	// quotaWait is how long the first page waits for the platform's word; later ones
	// show the last one.
	quotaWait = time.Second

	// checkLasts is how old an examination may be; an older one is made again in the
	// background. checkLeast is how old it must be before somebody can ask for another.
	checkLasts  = 5 * time.Minute
	checkLeast  = 15 * time.Second
	checkWithin = time.Minute
)

// overview is what all who look at the home page share.
type overview struct {
	at time.Time
	// open are the broadcasts that have not ended, the newest first.
	open   []broadcast.Status
	sent   int64 // since midnight in Beijing
	people followers.Stats
	topics []topics.Counted
}

// overviewEngine is what an overview asks of a *broadcast.Engine.
type overviewEngine interface {
	Open(ctx context.Context, n int) ([]broadcast.Status, error)
	SentToday(ctx context.Context) (int64, error)
}

// peopleCounts is what an overview asks of a *followers.Service.
type peopleCounts interface {
	Stats(ctx context.Context) (followers.Stats, error)
}

// topicCounts is what an overview asks of a *topics.Service.
type topicCounts interface {
	All(ctx context.Context) ([]topics.Counted, error)
}

// newOverviews keeps the overview for a moment, so that all who look share one.
func newOverviews(e overviewEngine, p peopleCounts, t topicCounts, now func() time.Time) *cache.Cache[struct{}, *overview] {
	ttl := func(_ *overview, took time.Duration) time.Duration { return max(overviewLasts, overviewShare*took) }
	return cache.New(1, ttl, func(ctx context.Context, _ struct{}) (*overview, error) {
		ctx, cancel := context.WithTimeout(ctx, overviewWithin)
		defer cancel()
		o := &overview{at: now()}
		var err error
		if o.open, err = e.Open(ctx, openAtMost); err != nil {
			return nil, err
		}
		if o.sent, err = e.SentToday(ctx); err != nil {
			return nil, err
		}
		if o.people, err = p.Stats(ctx); err != nil {
			return nil, err
		}
		o.topics, err = t.All(ctx)
		return o, err
	})
}

// quotas keeps the platform's word on the day's sends. No page waits for it but the
// first, and that one not for long.
type quotas struct {
	kept *cache.Cache[struct{}, *wechat.Quota]
	last atomic.Pointer[wechat.Quota] // nil while the platform does not answer
	read atomic.Bool                  // it was asked
}

// quotaOf is what quotas ask of a *wechat.Client.
type quotaOf interface {
	Quota(ctx context.Context, path string) (wechat.Quota, error)
}

func newQuotas(platform quotaOf, log *slog.Logger) *quotas {
	q := &quotas{}
	ttl := func(known *wechat.Quota, _ time.Duration) time.Duration {
		if known == nil {
			return quotaRetry
		}
		return quotaLasts
	}
	q.kept = cache.New(1, ttl, func(ctx context.Context, _ struct{}) (*wechat.Quota, error) {
		ctx, cancel := context.WithTimeout(ctx, quotaAsk)
		defer cancel()
		defer q.read.Store(true)
		known, err := platform.Quota(ctx, wechat.TemplateMessages{}.QuotaPath())
		if err != nil {
			log.DebugContext(ctx, "read the quota for a page", "err", err)
			q.last.Store(nil)
			return nil, nil
		}
		q.last.Store(&known)
		return &known, nil
	})
	return q
}

// now returns the last word on the quota, nil if there is none.
func (q *quotas) now(ctx context.Context) *wechat.Quota {
	var patience time.Duration
	if !q.read.Load() {
		patience = quotaWait
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, _ = q.kept.Get(ctx, struct{}{}) // starts a read if one is due
	return q.last.Load()
}

// examination is what an examination of the account found.
type examination struct {
	at     time.Time
	points []diagnosis.Point
	err    error
}

// examinations keep the last examination. It asks the platform and the public URL, so no
// page waits for one but that of whoever asks for it.
type examinations struct {
	kept *cache.Cache[struct{}, *examination]
	last atomic.Pointer[examination]
}

// newExaminations returns examinations by examine.
func newExaminations(examine func(ctx context.Context) ([]diagnosis.Point, error), now func() time.Time, log *slog.Logger) *examinations {
	e := &examinations{}
	e.kept = cache.New(1, cache.For[*examination](checkLasts), func(ctx context.Context, _ struct{}) (*examination, error) {
		ctx, cancel := context.WithTimeout(ctx, checkWithin)
		defer cancel()
		x := &examination{at: now()}
		if x.points, x.err = examine(ctx); x.err != nil {
			log.WarnContext(ctx, "examine the account for a page", "err", x.err)
		}
		e.last.Store(x)
		return x, nil
	})
	return e
}

// latest returns the last examination, nil before the first has ended, and has another one
// made in the background if it is old.
func (e *examinations) latest(ctx context.Context) *examination {
	ctx, cancel := context.WithTimeout(ctx, 0)
	defer cancel()
	_, _ = e.kept.Get(ctx, struct{}{})
	return e.last.Load()
}

// again examines the account now, unless it was examined a moment ago.
func (e *examinations) again(ctx context.Context) {
	_, _, _ = e.kept.GetWithin(ctx, struct{}{}, checkLeast) // ctx ended: the result comes later
}
