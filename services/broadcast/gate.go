package broadcast

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// keepClaims is how long a recipient who is claimed and surely not sent to waits
	// at a closed gate before the claim is given back: a used-up minute quota is over
	// by then. Claims that wait for longer would grow too old to be asked again.
	keepClaims = 75 * time.Second
	// probeMost is the longest interval between probes that can reach nobody.
	probeMost = 10 * time.Second
)

// errShut says that a claim is not worth keeping: the gate stays closed.
var errShut = errors.New("nothing passes now")

// passenger is who wants to pass a gate.
type passenger int

const (
	// unclaimed stands for recipients who are not claimed yet: they wait.
	unclaimed passenger = iota
	// claimed is a recipient who has a row and was surely not sent to.
	claimed
	// doubtful is a recipient who may have got the message.
	doubtful
)

// Gate is a circuit breaker: it keeps sends back while the platform cannot be
// reached or refuses every one. Closed, it lets a single probe through at a time,
// at growing intervals; the first that succeeds opens it.
type Gate struct {
	first, most time.Duration // the shortest and the longest interval

	mu      sync.Mutex
	open    bool
	probing bool
	slow    bool // it is closed because the platform asks to go slower
	// mute: it is closed because no usable answer comes, so that whoever is sent to
	// now would be in doubt.
	mute    bool
	doubts  int       // recipients in doubt
	shut    time.Time // when it was closed
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
func (g *Gate) Pass(ctx context.Context) (probe bool, err error) { return g.pass(ctx, unclaimed) }

// pass is Pass for a passenger. While no usable answer comes, a recipient in doubt
// is the probe if there is one, so that no other gets into doubt, and who is claimed
// is turned away with errShut.
func (g *Gate) pass(ctx context.Context, who passenger) (probe bool, err error) {
	for {
		g.mu.Lock()
		if g.open {
			g.mu.Unlock()
			return false, ctx.Err()
		}
		if ctx.Err() == nil && g.ready && !g.probing && (who == doubtful || !g.mute || g.doubts == 0) {
			g.probing = true
			g.mu.Unlock()
			return true, nil
		}
		changed, patience := g.changed, keepClaims-time.Since(g.shut)
		if g.mute {
			patience = 0
		}
		g.mu.Unlock()
		if who != claimed {
			patience = time.Hour // then it looks again, in vain
		} else if patience <= 0 {
			return false, errShut
		}
		timer := time.NewTimer(patience)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false, ctx.Err()
		}
		timer.Stop()
	}
}

// Doubt counts recipients who get into doubt, or out of it.
func (g *Gate) Doubt(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.doubts += n; g.doubts == 0 {
		g.wake()
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

// Mute tells whether sends wait because no usable answer comes.
func (g *Gate) Mute() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.open && g.mute
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
		g.close(rest, g.most)
	}
}

// Missed tells the gate that a probe for nobody brought no usable answer.
func (g *Gate) Missed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.probing = false
	g.close(0, probeMost)
}

// close closes the gate for rest, or for its own interval if that is 0. The
// caller holds mu.
func (g *Gate) close(rest, most time.Duration) {
	if g.open {
		g.shut = time.Now()
	}
	g.open, g.ready, g.slow, g.mute = false, false, rest > 0, rest == 0
	if rest == 0 {
		g.backoff = min(max(g.backoff*2, g.first), most)
		rest = g.backoff
	}
	if g.timer != nil {
		g.timer.Stop()
	}
	g.timer = time.AfterFunc(rest, g.letProbe)
	g.wake()
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
func (g *Gate) Probe() { g.narrow(false) }

// Trust tells a closed gate that the platform answers, so that a send may be the
// probe.
func (g *Gate) Trust() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mute = false
}

// Distrust is Probe when it is not known whether the platform answers.
func (g *Gate) Distrust() { g.narrow(true) }

func (g *Gate) narrow(mute bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open {
		g.open, g.ready, g.slow, g.mute, g.shut = false, true, false, mute, time.Now()
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
