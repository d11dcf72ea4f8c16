package broadcast

import (
	"context"
	"math"
	"time"

	"github.com/go-redis/redis_rate/v10"
)

const (
	// grabsASecond is how often all replicas together ask for leave to send, at a
	// high rate; at a low one they ask for each send.
	grabsASecond = 100
	grabsAhead   = 3 // grabs that may come at the same instant
	grabGood     = 250 * time.Millisecond
	grabWithin   = time.Second
)

// allowance gives leave to send, out of what all replicas together may: a GCRA
// on Redis, asked for several sends at a time. No second has more than the rate,
// grabsAhead grabs and what each replica has in hand, a grab at most: 3% more
// and 1% for each replica.
type allowance struct {
	pulse   *pulse
	limiter *redis_rate.Limiter
	key     string
	left    int
	good    time.Time // what is left may be used until then
}

func newAllowance(p *pulse) *allowance {
	return &allowance{pulse: p, limiter: redis_rate.NewLimiter(p.c.Redis), key: p.c.key("sends")}
}

// take blocks until a send may go at a rate, 0 for any, or ctx ends. It is
// called by one at a time.
func (a *allowance) take(ctx context.Context, perSecond float64) error {
	if err := a.pulse.alive(ctx); err != nil || perSecond == 0 {
		return err
	}
	for a.left == 0 || time.Now().After(a.good) {
		if err := a.grab(ctx, perSecond); err != nil {
			return err
		}
	}
	a.left--
	return nil
}

// grab waits for leave for the next few sends.
func (a *allowance) grab(ctx context.Context, perSecond float64) error {
	const period = 100 * time.Second // so that a rate need not be whole
	n := max(1, int(perSecond/grabsASecond))
	limit := redis_rate.Limit{Rate: int(math.Ceil(perSecond * period.Seconds())), Period: period, Burst: grabsAhead * n}
	for {
		if err := a.pulse.alive(ctx); err != nil {
			return err
		}
		askCtx, cancel := context.WithTimeout(ctx, grabWithin)
		res, err := a.limiter.AllowN(askCtx, a.key, limit, n)
		cancel()
		var wait time.Duration
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			a.pulse.set(err)
			a.pulse.soon()
		case res.Allowed > 0:
			a.left, a.good = n, time.Now().Add(grabGood)
			return nil
		default:
			wait = res.RetryAfter
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}
