package broadcast

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Pacer decides when the next send may go: never faster than the ceiling, and
// slower for as long as the platform says, or shows, that the account sends too
// fast. After a cut it climbs back quickly to just below the rate at which it
// was refused, and feels its way from there.
type Pacer struct {
	now     func() time.Time
	ceiling rate.Limit
	limiter *rate.Limiter
	// With other replicas the sends are paced together, on shared; changed has
	// them hear of a cut, and calls counts for them.
	shared  *allowance
	changed func()
	calls   *meter
	// turn is held by the one who waits for the limiter. A queue inside of it would
	// keep its moments when the rate changes, and when those ahead give up.
	turn chan struct{}

	mu       sync.Mutex
	limit    rate.Limit // what is allowed now, at most the ceiling
	edge     float64    // the rate at which the last cut was made
	lastCut  time.Time
	lastStep time.Time
	window   time.Time // start of the second that is counted
	sent     int       // sends in it
	measured float64   // sends in the second before it
	all      float64   // … of all replicas
	refusals int       // in a row
	refused  time.Time // the last of them, or the answer that ended a row
	lasting  bool      // they go on, and what was taken before them is counted in
	taken    [60]second

	latencies []time.Duration // of the last calls
	usual     time.Duration   // their median when all was well
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

	latencySample = 64 // calls
	latencyRise   = 3  // times the usual that count as a sign of load …
	latencyFloor  = 300 * time.Millisecond
)

// NewPacer returns a Pacer with a ceiling in sends a second, 0 for none.
func NewPacer(perSecond int, now func() time.Time) *Pacer {
	ceiling := rate.Limit(perSecond)
	if perSecond == 0 {
		ceiling = rate.Inf
	}
	return &Pacer{
		now: now, ceiling: ceiling, limit: ceiling, limiter: rate.NewLimiter(ceiling, burst(ceiling)), turn: make(chan struct{}, 1),
		changed: func() {}, calls: &meter{},
	}
}

// burst is how many sends may go at the same instant: 1/50 of a second's, so
// that no second has many more than its rate.
func burst(l rate.Limit) int {
	if l == rate.Inf {
		return 1
	}
	return max(1, int(l/50))
}

// Wait blocks until a send may go, or ctx ends.
func (p *Pacer) Wait(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	var err error
	if p.shared != nil {
		err = p.shared.take(ctx, p.Limit())
	} else {
		err = p.limiter.Wait(ctx)
	}
	<-p.turn
	if err != nil {
		return err
	}
	p.count()
	return nil
}

// count measures the rate and, after a calm, lets it grow back.
func (p *Pacer) count() {
	now := p.now()
	p.calls.add(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.window); age >= time.Second {
		p.measured = float64(p.sent) / age.Seconds()
		if age >= 2*time.Second {
			p.measured = 0 // a rest, which says nothing of the speed
		}
		p.window, p.sent = now, 0
	}
	p.sent++
	calm := min(now.Sub(p.lastCut), now.Sub(p.refused))
	if p.limit >= p.ceiling || p.refusals >= slowStreak || calm < calmBefore || now.Sub(p.lastStep) < time.Second {
		return
	}
	p.lastStep = now
	// The longer nothing was refused, the less the old edge means.
	next := p.limit * rate.Limit(1+feelGrowth*calm.Seconds())
	if float64(p.limit) < nearEdge*p.edge {
		next = min(p.limit*climbFactor, rate.Limit(nearEdge*p.edge))
	}
	p.set(max(next, p.limit+0.5))
}

// Slow cuts the rate: the platform refused a send for coming too fast. A whole
// row of refusals counts once, whatever its length: it says that nothing passes
// now, not that the rate must come down further. all tells whether it is such a
// row.
func (p *Pacer) Slow() (all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusals++
	p.refused = p.now()
	if p.refusals <= slowStreak {
		p.cut()
	}
	return p.refusals >= slowStreak
}

// Lasts says that a row of refusals goes on for longer than a moment: the minute's
// quota is used up. What the platform took until then is what it takes a minute,
// so that is the edge, whatever the speed at which it was used up.
func (p *Pacer) Lasts() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lasting || p.shared != nil { // of replicas, none knows what all were granted
		return
	}
	p.lasting = true
	var sum int64
	for _, s := range p.taken {
		if p.now().Unix()-s.at < int64(len(p.taken)) {
			sum += s.n
		}
	}
	p.edge = min(p.edge, float64(sum)/float64(len(p.taken)))
	p.set(min(p.limit, rate.Limit(max(p.edge*nearEdge, slowestRate))))
}

// Answered takes note of a call that the platform did not refuse for its speed,
// and of how long it took: calls that take much longer than they used to are a
// sign of load as well.
func (p *Pacer) Answered(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.refusals > 0 {
		p.refusals, p.lasting, p.refused = 0, false, now
	}
	at := now.Unix()
	t := &p.taken[at%int64(len(p.taken))]
	if t.at != at {
		*t = second{at: at}
	}
	t.n++
	p.latencies = append(p.latencies, took)
	if len(p.latencies) < latencySample {
		return
	}
	slices.Sort(p.latencies)
	median := p.latencies[len(p.latencies)/2]
	p.latencies = p.latencies[:0]
	switch {
	case p.usual == 0 || median < p.usual:
		p.usual = median
	case median > latencyFloor && median > latencyRise*p.usual:
		p.usual = median // should it stay so, it is the new usual
		p.cut()
	}
}

func (p *Pacer) cut() {
	now := p.now()
	if now.Sub(p.lastCut) < cutEvery {
		return
	}
	p.lastCut = now
	p.edge = max(p.rateNow(now), p.all)
	if p.limit != rate.Inf {
		p.edge = min(p.edge, float64(p.limit))
	}
	p.set(rate.Limit(max(p.edge*cutFactor, slowestRate)))
	p.changed()
}

// rateNow is how many sends a second are being made. In the first second after a
// start or a rest there is no measure yet: it is what the few sends would make.
func (p *Pacer) rateNow(now time.Time) float64 {
	age := now.Sub(p.window)
	if age < 2*time.Second && p.measured > float64(p.sent) {
		return p.measured
	}
	if p.limit == rate.Inf {
		// Nothing spaced them: they are as many as may be in flight, which is no speed.
		return max(float64(p.sent), earlyRate)
	}
	return float64(p.sent) / min(max(age.Seconds(), 1/earlyRate), 1)
}

// pace is what a pacer has learnt, for the others to know. Times are in
// milliseconds since the Unix epoch.
type pace struct {
	Limit float64 `json:"limit"` // sends a second
	Edge  float64 `json:"edge"`
	Cut   int64   `json:"cut"` // when the last cut was; 0 if there was none
	Step  int64   `json:"step"`
}

// learn takes over what others have learnt if it is newer, and returns what is
// known then: the last cut counts, and after it the last step.
func (p *Pacer) learn(other pace) pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lastCut.IsZero() && other.Cut == 0 {
		return other
	}
	var mine pace
	if !p.lastCut.IsZero() {
		mine = pace{Limit: float64(p.limit), Edge: p.edge, Cut: p.lastCut.UnixMilli()}
	}
	if !p.lastStep.IsZero() {
		mine.Step = p.lastStep.UnixMilli()
	}
	if mine.Cut > other.Cut || mine.Cut == other.Cut && mine.Step >= other.Step {
		return mine
	}
	p.edge, p.lastCut, p.lastStep = other.Edge, time.UnixMilli(other.Cut), time.UnixMilli(other.Step)
	p.set(rate.Limit(max(other.Limit, slowestRate)))
	return other
}

// measuredAll notes how many sends all replicas together made in a second.
func (p *Pacer) measuredAll(perSecond float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = perSecond
}

// Limit returns the sends a second that are allowed now, 0 for no limit.
func (p *Pacer) Limit() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit == rate.Inf {
		return 0
	}
	return float64(p.limit)
}

func (p *Pacer) set(l rate.Limit) {
	if l > p.ceiling {
		l = p.ceiling
	}
	p.limit = l
	p.limiter.SetLimit(l)
	p.limiter.SetBurst(burst(l))
}
