package cluster

import (
	"context"
	"math"
	"time"

	"github.com/go-redis/redis_rate/v10"

	"wechat-broadcast/services/loop"
)

const (
	// grabsASecond is how often all replicas together ask for leave to send, at a
	// high rate; at a low one they ask for each send.
	grabsASecond = 100
	grabsAhead   = 3 // grabs that may come at the same instant
	grabGood     = 250 * time.Millisecond
	grabWithin   = time.Second
)

// bucket gives leave to send, out of what all replicas together may: a GCRA
// on Redis, asked for several sends at a time. No second has more than the rate,
// grabsAhead grabs and what each replica has in hand, a grab at most: 3% more
// and 1% for each replica.
type bucket struct {
	sync    *Sync
	limiter *redis_rate.Limiter
	key     string
	left    int
	good    time.Time // what is left may be used until then
}

func newBucket(s *Sync) *bucket {
	return &bucket{sync: s, limiter: redis_rate.NewLimiter(s.redis), key: s.key("sends")}
}

// Take implements throttle.Bucket. While Redis does not answer it waits.
func (b *bucket) Take(ctx context.Context, perSecond float64) error {
	if err := b.sync.alive(ctx); err != nil || perSecond == 0 {
		return err
	}
	for b.left == 0 || time.Now().After(b.good) {
		if err := b.grab(ctx, perSecond); err != nil {
			return err
		}
	}
	b.left--
	return nil
}

// grab waits for leave for the next few sends.
func (b *bucket) grab(ctx context.Context, perSecond float64) error {
	const period = 100 * time.Second // so that a rate need not be whole
	n := max(1, int(perSecond/grabsASecond))
	limit := redis_rate.Limit{Rate: int(math.Ceil(perSecond * period.Seconds())), Period: period, Burst: grabsAhead * n}
	for {
		if err := b.sync.alive(ctx); err != nil {
			return err
		}
		askCtx, cancel := context.WithTimeout(ctx, grabWithin)
		res, err := b.limiter.AllowN(askCtx, b.key, limit, n)
		cancel()
		var wait time.Duration
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			b.sync.set(err)
			b.sync.soon()
		case res.Allowed > 0:
			b.left, b.good = n, time.Now().Add(grabGood)
			return nil
		default:
			wait = res.RetryAfter
		}
		if err := loop.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}
