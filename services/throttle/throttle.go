// Package throttle decides when the next send may go: never faster than the
// ceiling, slower for as long as the platform says that the account sends too fast,
// and not at all while no send makes sense. Whoever sends takes a Permit for each
// call and tells it what came of the call.
package throttle

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"wechat-broadcast/services/wechat"
)

const (
	// unusableStreak is how many calls in a row without a usable answer trip the
	// breaker. Each of them leaves a recipient who may have been sent to.
	unusableStreak = 4
	// SlowRest is the least rest after a refusal for sending too fast.
	SlowRest = 2 * time.Second
	// slowProbe is when, once nothing passes for that reason, the first call is made.
	slowProbe = 3 * time.Second
	// ClockSlack is how far the platform's clock may be behind this one's.
	ClockSlack = 2 * time.Second
	// heardFor is how long it is taken for granted that the platform answers, after
	// it last did. A broadcast's first call comes after a rest as a rule.
	heardFor = 10 * time.Second
	// askPlatform is how long the platform may take to answer a read.
	askPlatform = 2 * time.Second
)

// Throttle is an account's. It is safe for concurrent use.
type Throttle struct {
	channel wechat.Channel
	now     func() time.Time
	limiter *limiter
	breaker *breaker
	// unusable counts the calls in a row that brought no usable answer.
	unusable atomic.Int64
	heard    heard
}

// heard is what the last calls brought, for those who ask why nothing goes on.
type heard struct {
	mu     sync.Mutex
	usable time.Time     // when the platform last gave an answer that says something
	last   wechat.Result // of the last call that was not accepted …
	at     time.Time     // … and when it was made
}

// New returns a Throttle with a ceiling in sends a second, 0 for none. Close must
// follow.
func New(channel wechat.Channel, perSecond int, now func() time.Time) *Throttle {
	return &Throttle{
		channel: channel, now: now,
		limiter: newLimiter(perSecond, now), breaker: newBreaker(500*time.Millisecond, 30*time.Second),
	}
}

// Close ends the timers.
func (t *Throttle) Close() { t.breaker.stop() }

// ProbeFirst has the next send go alone, unless sends wait already: a pause is
// over, and one send is enough to see whether its reason is.
func (t *Throttle) ProbeFirst() { t.breaker.narrow(false) }

// MaybeSent counts recipients who may have been sent to without the platform
// saying so, or of whom it is known meanwhile (n < 0). While no usable answer
// comes, they are sent to before others.
func (t *Throttle) MaybeSent(n int) { t.breaker.countMaybeSent(n) }

// Passes tells whether sends go out.
func (t *Throttle) Passes() bool { return t.breaker.passes() }

// Slowed tells whether sends wait because the platform asks to go slower.
func (t *Throttle) Slowed() bool { return t.breaker.isSlow() }

// Hear notes what a call brought that needed no permit.
func (t *Throttle) Hear(res wechat.Result) {
	h := &t.heard
	h.mu.Lock()
	defer h.mu.Unlock()
	if !res.Unusable() && res.Verdict != wechat.Away {
		h.usable = t.now()
	}
	if res.Verdict != wechat.Accepted {
		h.last, h.at = res, t.now()
	}
}

// Reasons why nothing goes out.
const (
	Limited  = "limited" // the platform asks to go slower, and nothing passes (45011)
	Busy     = "busy"    // the platform says that it is busy (-1)
	NoAnswer = "mute"    // the platform gives no usable answer
	Away     = "away"    // the platform can't be reached
	Unknown  = "unknown"
)

// Why says why nothing goes out, and what the platform said of it, by what calls
// brought since a moment.
func (t *Throttle) Why(since time.Time) (reason, detail string) {
	t.heard.mu.Lock()
	res, at := t.heard.last, t.heard.at
	t.heard.mu.Unlock()
	switch {
	case at.Before(since):
		return Unknown, ""
	case res.Verdict == wechat.Slow:
		return Limited, res.Words()
	case res.Verdict == wechat.Away:
		return Away, res.Words()
	case res.Unusable() && res.Busy():
		return Busy, res.Words()
	case res.Unusable():
		return NoAnswer, res.Words()
	}
	return Unknown, res.Words()
}

// askFirst trips the breaker before the first send of a broadcast if the platform
// does not even answer a read: to find that out nobody need be sent to. It costs
// no call of the sends' quota. A platform that answers reads and no sends is found
// out by the first send, which goes alone.
func (t *Throttle) askFirst(ctx context.Context) {
	t.heard.mu.Lock()
	age := t.now().Sub(t.heard.usable)
	t.heard.mu.Unlock()
	if age >= 0 && age <= heardFor {
		return
	}
	reading, cancel := context.WithTimeout(ctx, askPlatform)
	defer cancel()
	if !t.channel.Reads(reading) && ctx.Err() == nil {
		t.breaker.narrow(true)
	}
}

// probe makes a call that can reach nobody, in the place of the breaker's probe,
// and tells whether a send may follow. If not, the breaker has been told. A Result
// other than nil stops the broadcast.
func (t *Throttle) probe(ctx context.Context) (passes bool, stops *wechat.Result) {
	if t.limiter.wait(ctx) != nil {
		t.breaker.cancel()
		return false, nil
	}
	res := t.channel.Probe(ctx)
	if ctx.Err() != nil {
		t.breaker.cancel()
		return false, nil
	}
	if res.Verdict != wechat.Refused && res.Verdict != wechat.Halt {
		t.Hear(res)
	}
	switch {
	case res.Unusable(), res.Verdict == wechat.Away:
		t.breaker.missed()
		return false, nil
	case res.Verdict == wechat.Slow:
		t.limiter.refused()
		t.breaker.report(true, false, max(res.RetryAfter, SlowRest))
		return false, nil
	case res.Verdict == wechat.Hold, res.Verdict == wechat.Halt && res.Group != wechat.HaltContent:
		t.breaker.cancel()
		return false, &res
	}
	return true, nil
}

// answered tells the limiter and the breaker what came of a call. probe says that
// it was to try whether others make sense.
func (t *Throttle) answered(probe, single bool, res wechat.Result) {
	ok, rest := t.passes(probe || single, res)
	t.breaker.report(probe, ok, rest)
	if res.Verdict == wechat.Hold {
		t.breaker.trust()
	}
}

// passes tells whether further sends make sense: not while the platform is away or
// refuses every one. rest is how long it asks for before the next.
func (t *Throttle) passes(probe bool, res wechat.Result) (ok bool, rest time.Duration) {
	t.Hear(res)
	if res.Unusable() {
		// A few of these are nothing. All of them are a platform that is as good as
		// away, on which every recipient would waste its attempts.
		return t.unusable.Add(1) < unusableStreak && !probe, 0
	}
	t.unusable.Store(0)
	switch res.Verdict {
	case wechat.Away, wechat.Hold:
		return false, 0
	case wechat.Slow:
		return t.slow(probe)
	case wechat.Accepted, wechat.Refused, wechat.Later:
		t.limiter.answered()
	case wechat.Retry, wechat.Halt:
	}
	return true, 0
}

// slow is passes for a send that was refused for coming too fast. When nothing
// passes any more, a single call soon tells a moment's crowd from a quota that is
// used up for the minute. Of that the platform says "retry next minute", and nobody
// who fears for their account wants to knock meanwhile: so there is one call just
// after each full minute, when it counts anew, and none between. To wait for a
// minute from the refusal instead would leave a part of each next one unused.
func (t *Throttle) slow(probe bool) (ok bool, rest time.Duration) {
	if !t.limiter.refused() && !probe {
		return true, 0
	}
	if !probe {
		return false, slowProbe
	}
	t.limiter.minuteUsedUp()
	now := t.now()
	return false, now.Truncate(time.Minute).Add(time.Minute + ClockSlack).Sub(now)
}
