package throttle

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bucket gives leave for one send after the other: a token bucket of this process,
// or one that replicas share.
type Bucket interface {
	// Take blocks until a send may go at a rate in sends a second, 0 for any, or ctx
	// ends. It is called by one at a time.
	Take(ctx context.Context, perSecond float64) error
}

// limiter is the adaptive rate limiter: never faster than the ceiling, and slower
// for as long as the platform says that the account sends too fast.
// After a cut it climbs back quickly to just below the rate at which it was
// refused, and feels its way from there.
type limiter struct {
	now     func() time.Time
	ceiling rate.Limit
	bucket  Bucket
	// shared says that other replicas send as well; changed has them hear of a cut,
	// and calls counts for them.
	shared  bool
	changed func()
	calls   Meter
	// turn is held by the one who waits for the bucket. A queue inside of it would
	// keep its moments when the rate changes, and when those ahead give up.
	turn chan struct{}

	mu        sync.Mutex
	limit     rate.Limit // what is allowed now, at most the ceiling
	edge      float64    // the rate at which the last cut was made
	lastCut   time.Time
	lastStep  time.Time
	window    time.Time // start of the second that is counted
	sent      int       // sends in it
	measured  float64   // sends in the second before it
	all       float64   // … of all replicas
	refusals  int       // in a row
	refusedAt time.Time // the last of them, or the answer that ended a row
	lasting   bool      // they go on, and what was taken before them is counted in
	taken     [60]second
}

// second is what the platform took in one.
type second struct{ at, n int64 }

const (
	cutFactor   = 0.7         // what is left of the rate after a refusal
	cutEvery    = time.Second // refusals that come together count as one
	calmBefore  = 3 * time.Second
	climbFactor = 1.15  // growth a second up to …
	nearEdge    = 0.9   // … this part of the edge, and
	feelGrowth  = 0.001 // growth beyond it, a second for each second since the cut
	slowestRate = 1     // sends a second at least
	earlyRate   = 20.0  // what a refusal among the very first sends counts as, a second
	slowStreak  = 8     // refusals in a row after which nothing passes
)

// newLimiter returns a limiter with a ceiling in sends a second, 0 for none.
func newLimiter(perSecond int, now func() time.Time) *limiter {
	ceiling := rate.Limit(perSecond)
	if perSecond == 0 {
		ceiling = rate.Inf
	}
	return &limiter{
		now: now, ceiling: ceiling, limit: ceiling, bucket: localBucket{rate.NewLimiter(ceiling, burst(ceiling))},
		turn: make(chan struct{}, 1), changed: func() {},
	}
}

// localBucket is a token bucket of this process.
type localBucket struct{ *rate.Limiter }

// Take implements Bucket.
func (b localBucket) Take(ctx context.Context, perSecond float64) error {
	limit := rate.Limit(perSecond)
	if perSecond == 0 {
		limit = rate.Inf
	}
	if b.Limit() != limit {
		b.SetLimit(limit)
		b.SetBurst(burst(limit))
	}
	return b.Wait(ctx)
}

// burst is how many sends may go at the same instant: 1/50 of a second's, so
// that no second has many more than its rate.
func burst(l rate.Limit) int {
	if l == rate.Inf {
		return 1
	}
	return max(1, int(l/50))
}

// wait blocks until a send may go, or ctx ends.
func (l *limiter) wait(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := l.bucket.Take(ctx, l.current())
	<-l.turn
	if err != nil {
		return err
	}
	l.count()
	return nil
}

// count measures the rate and, after a calm, lets it grow back.
func (l *limiter) count() {
	now := l.now()
	l.calls.Add(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	if age := now.Sub(l.window); age >= time.Second {
		l.measured = float64(l.sent) / age.Seconds()
		if age >= 2*time.Second {
			l.measured = 0 // a rest, which says nothing of the speed
		}
		l.window, l.sent = now, 0
	}
	l.sent++
	calm := min(now.Sub(l.lastCut), now.Sub(l.refusedAt))
	if l.limit >= l.ceiling || l.refusals >= slowStreak || calm < calmBefore || now.Sub(l.lastStep) < time.Second {
		return
	}
	l.lastStep = now
	// The longer nothing was refused, the less the old edge means.
	next := l.limit * rate.Limit(1+feelGrowth*calm.Seconds())
	if float64(l.limit) < nearEdge*l.edge {
		next = min(l.limit*climbFactor, rate.Limit(nearEdge*l.edge))
	}
	l.set(max(next, l.limit+0.5))
}

// refused cuts the rate: the platform refused a send for coming too fast. A whole
// row of refusals counts once, whatever its length: it says that nothing passes
// now, not that the rate must come down further. all tells whether it is such a
// row.
func (l *limiter) refused() (all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusals++
	l.refusedAt = l.now()
	if l.refusals <= slowStreak {
		l.cut()
	}
	return l.refusals >= slowStreak
}

// minuteUsedUp says that a row of refusals goes on for longer than a moment: the minute's
// quota is used up. What the platform took until then is what it takes a minute,
// so that is the edge, whatever the speed at which it was used up.
func (l *limiter) minuteUsedUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lasting || l.shared { // of replicas, none knows what all were granted
		return
	}
	l.lasting = true
	var sum int64
	for _, s := range l.taken {
		if l.now().Unix()-s.at < int64(len(l.taken)) {
			sum += s.n
		}
	}
	l.edge = min(l.edge, float64(sum)/float64(len(l.taken)))
	l.set(min(l.limit, rate.Limit(max(l.edge*nearEdge, slowestRate))))
}

// answered takes note of a call that the platform did not refuse for its speed.
func (l *limiter) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.refusals > 0 {
		l.refusals, l.lasting, l.refusedAt = 0, false, now
	}
	at := now.Unix()
	t := &l.taken[at%int64(len(l.taken))]
	if t.at != at {
		*t = second{at: at}
	}
	t.n++
}

func (l *limiter) cut() {
	now := l.now()
	if now.Sub(l.lastCut) < cutEvery {
		return
	}
	l.lastCut = now
	l.edge = max(l.rateNow(now), l.all)
	if l.limit != rate.Inf {
		l.edge = min(l.edge, float64(l.limit))
	}
	l.set(rate.Limit(max(l.edge*cutFactor, slowestRate)))
	l.changed()
}

// rateNow is how many sends a second are being made. In the first second after a
// start or a rest there is no measure yet: it is what the few sends would make.
func (l *limiter) rateNow(now time.Time) float64 {
	age := now.Sub(l.window)
	if age < 2*time.Second && l.measured > float64(l.sent) {
		return l.measured
	}
	if l.limit == rate.Inf {
		// Nothing spaced them: they are as many as may be in flight, which is no speed.
		return max(float64(l.sent), earlyRate)
	}
	return float64(l.sent) / min(max(age.Seconds(), 1/earlyRate), 1)
}

// current returns the sends a second that are allowed now, 0 for no limit.
func (l *limiter) current() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit == rate.Inf {
		return 0
	}
	return float64(l.limit)
}

func (l *limiter) set(limit rate.Limit) { l.limit = min(limit, l.ceiling) }
