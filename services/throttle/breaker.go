package throttle

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// keepClaims is how long a recipient who is claimed and surely not sent to waits
	// at a tripped breaker before the claim is given back: a used-up minute quota is
	// over by then. Claims that wait for longer would grow too old to be asked again.
	keepClaims = 75 * time.Second
	// probeMost is the longest interval between probes that can reach nobody.
	probeMost = 10 * time.Second
)

// ErrShut says that a claim is not worth keeping: nothing passes for a while.
var ErrShut = errors.New("nothing passes now")

// Passenger is for whom a call is to be made.
type Passenger int

// The passengers.
const (
	// Unclaimed stands for recipients who are not claimed yet: they wait.
	Unclaimed Passenger = iota
	// Claimed is a recipient who has a row and was surely not sent to.
	Claimed
	// MaybeSent is a recipient who may have got the message.
	MaybeSent
)

// breaker is a circuit breaker: it keeps sends back while the platform cannot be
// reached or refuses every one. Tripped, it lets a single probe through at a time, at
// growing intervals; the first that succeeds resets it.
type breaker struct {
	first, most time.Duration // the shortest and the longest interval

	mu      sync.Mutex
	passing bool
	probing bool
	slow    bool // it is tripped because the platform asks to go slower
	// unanswered: it is tripped because no usable answer comes, so that whoever is sent
	// to now may have got the message or not.
	unanswered bool
	maybeSent  int // recipients who may have been sent to
	trippedAt  time.Time
	backoff    time.Duration
	timer      *time.Timer
	changed    chan struct{} // closed and replaced whenever a waiter should look again
	ready      bool          // tripped, and a probe may go
}

// newBreaker returns one that lets sends pass.
func newBreaker(first, most time.Duration) *breaker {
	return &breaker{first: first, most: most, passing: true, changed: make(chan struct{})}
}

// pass blocks until a send may go or ctx ends. probe says that the send is the one
// that tries whether others may: its report must follow. While no usable answer
// comes, a recipient who may have been sent to is the probe if there is one, so that
// there will be no more of them, and who is claimed is turned away with ErrShut.
func (b *breaker) pass(ctx context.Context, who Passenger) (probe bool, err error) {
	for {
		b.mu.Lock()
		if b.passing {
			b.mu.Unlock()
			return false, ctx.Err()
		}
		if ctx.Err() == nil && b.ready && !b.probing && (who == MaybeSent || !b.unanswered || b.maybeSent == 0) {
			b.probing = true
			b.mu.Unlock()
			return true, nil
		}
		changed, patience := b.changed, keepClaims-time.Since(b.trippedAt)
		if b.unanswered {
			patience = 0
		}
		b.mu.Unlock()
		if who != Claimed {
			patience = time.Hour // then it looks again, in vain
		} else if patience <= 0 {
			return false, ErrShut
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

// countMaybeSent counts the recipients who may have been sent to: n more, or fewer.
func (b *breaker) countMaybeSent(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.maybeSent += n; b.maybeSent == 0 {
		b.wake()
	}
}

func (b *breaker) passes() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.passing
}

// isSlow tells whether sends wait because the platform asks to go slower.
func (b *breaker) isSlow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.passing && b.slow
}

// isUnanswered tells whether sends wait because no usable answer comes.
func (b *breaker) isUnanswered() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.passing && b.unanswered
}

// report tells what came of a send that passed: ok resets the breaker. A failure
// trips it, or keeps it tripped for longer if it was the probe's: for rest, which the
// platform asks for, or for the breaker's own interval if that is 0.
func (b *breaker) report(probe, ok bool, rest time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	switch {
	case ok && !b.passing:
		b.passing, b.backoff = true, 0
		b.wake()
	case !ok && (b.passing || probe):
		b.trip(rest, b.most)
	}
}

// missed says that a probe for nobody brought no usable answer.
func (b *breaker) missed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	b.trip(0, probeMost)
}

// trip trips the breaker for rest, or for its own interval if that is 0. The caller
// holds mu.
func (b *breaker) trip(rest, most time.Duration) {
	if b.passing {
		b.trippedAt = time.Now()
	}
	b.passing, b.ready, b.slow, b.unanswered = false, false, rest > 0, rest == 0
	if rest == 0 {
		b.backoff = min(max(b.backoff*2, b.first), most)
		rest = b.backoff
	}
	if b.timer != nil {
		b.timer.Stop()
	}
	b.timer = time.AfterFunc(rest, b.letProbe)
	b.wake()
}

// cancel gives up a probe that was not made.
func (b *breaker) cancel() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	b.wake()
}

// trust says of a platform that it answers, so that a send may be the probe.
func (b *breaker) trust() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unanswered = false
}

// narrow lets only one send pass, which may go at once. unanswered says that
// it is not known whether the platform answers.
func (b *breaker) narrow(unanswered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.passing {
		b.passing, b.ready, b.slow, b.unanswered, b.trippedAt = false, true, false, unanswered, time.Now()
	}
}

// stop ends the timer.
func (b *breaker) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
	}
}

func (b *breaker) letProbe() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = true
	b.wake()
}

func (b *breaker) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}
