package broadcast

import (
	"context"
	"sync"
	"time"
)

// Gate keeps sends back while the platform cannot be reached or refuses every
// one. Closed, it lets a single probe through at a time, at growing intervals;
// the first that succeeds opens it.
type Gate struct {
	first, most time.Duration // the shortest and the longest interval

	mu      sync.Mutex
	open    bool
	probing bool
	slow    bool // it is closed because the platform asks to go slower
	backoff time.Duration
	timer   *time.Timer
	changed chan struct{} // closed and replaced whenever a waiter should look again
	ready   bool          // closed, and a probe may go
}

// NewGate returns an open Gate.
func NewGate(first, most time.Duration) *Gate {
	return &Gate{first: first, most: most, open: true, changed: make(chan struct{})}
}

// Pass blocks until the gate lets a send through or ctx ends. probe says that
// the send is the one that tries whether the gate may open again: its Report
// must follow.
func (g *Gate) Pass(ctx context.Context) (probe bool, err error) {
	for {
		g.mu.Lock()
		if g.open {
			g.mu.Unlock()
			return false, ctx.Err()
		}
		if g.ready && !g.probing {
			g.probing = true
			g.mu.Unlock()
			return true, nil
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// Open tells whether sends pass.
func (g *Gate) Open() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// Slow tells whether sends wait because the platform asks to go slower.
func (g *Gate) Slow() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.open && g.slow
}

// Report tells the gate what came of a send that it let through: ok opens it. A
// failure closes it, or keeps it closed for longer if it was the probe's: for
// rest, which the platform asks for, or for the gate's own interval if that is 0.
func (g *Gate) Report(probe, ok bool, rest time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
	switch {
	case ok && !g.open:
		g.open, g.backoff = true, 0
		g.wake()
	case !ok && (g.open || probe):
		g.open, g.ready, g.slow = false, false, rest > 0
		if rest == 0 {
			g.backoff = min(max(g.backoff*2, g.first), g.most)
			rest = g.backoff
		}
		if g.timer != nil {
			g.timer.Stop()
		}
		g.timer = time.AfterFunc(rest, g.letProbe)
	}
}

// Abandon gives up a probe that was not made.
func (g *Gate) Abandon() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.probing = false
	g.wake()
}

// Probe closes the gate for all but one send, which may go at once: a pause is
// over, and one send is enough to see whether its reason is.
func (g *Gate) Probe() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open {
		g.open, g.ready, g.slow = false, true, false
	}
}

// Stop ends the gate's timer.
func (g *Gate) Stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.timer != nil {
		g.timer.Stop()
	}
}

func (g *Gate) letProbe() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ready = true
	g.wake()
}

func (g *Gate) wake() {
	close(g.changed)
	g.changed = make(chan struct{})
}
