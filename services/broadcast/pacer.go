package broadcast

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Pacer decides when the next send may go: never faster than the ceiling, and
// slower for as long as the platform says that the account sends too fast.
type Pacer struct {
	now     func() time.Time
	ceiling rate.Limit
	limiter *rate.Limiter

	mu       sync.Mutex
	limit    rate.Limit // what is allowed now, at most the ceiling
	lastCut  time.Time
	lastStep time.Time
	window   time.Time // start of the second that is counted
	sent     int       // sends in it
	measured float64   // sends in the second before it
}

const (
	cutFactor   = 0.7         // what is left of the rate after a refusal
	cutEvery    = time.Second // refusals that come together count as one
	calmBefore  = 5 * time.Second
	stepFactor  = 1.05 // growth a second after the calm
	slowestRate = 1    // sends a second at least
)

// NewPacer returns a Pacer with a ceiling in sends a second, 0 for none.
func NewPacer(perSecond int, now func() time.Time) *Pacer {
	ceiling := rate.Limit(perSecond)
	if perSecond == 0 {
		ceiling = rate.Inf
	}
	return &Pacer{now: now, ceiling: ceiling, limit: ceiling, limiter: rate.NewLimiter(ceiling, burst(ceiling))}
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
	if err := p.limiter.Wait(ctx); err != nil {
		return err
	}
	p.count()
	return nil
}

// count measures the rate and, after a calm, lets it grow back.
func (p *Pacer) count() {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.window); age >= time.Second {
		p.measured = float64(p.sent) / age.Seconds()
		p.window, p.sent = now, 0
	}
	p.sent++
	if p.limit >= p.ceiling || now.Sub(p.lastCut) < calmBefore || now.Sub(p.lastStep) < time.Second {
		return
	}
	p.lastStep = now
	p.set(max(p.limit*stepFactor, p.limit+1))
}

// Slow cuts the rate: the platform refused a send for coming too fast.
func (p *Pacer) Slow() {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.lastCut) < cutEvery {
		return
	}
	p.lastCut = now
	base := max(p.measured, float64(p.sent))
	if p.limit != rate.Inf {
		base = min(base, float64(p.limit))
	}
	p.set(rate.Limit(max(base*cutFactor, slowestRate)))
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
