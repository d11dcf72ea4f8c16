package broadcast

import (
	"context"
	"sync"
	"time"

	"wechat-broadcast/services/wechat"
)

// heardFor is how long it is taken for granted that the platform answers, after it
// last did. A run's first call comes after a rest as a rule.
const heardFor = 10 * time.Second

// heard is what the last calls brought, for those who ask why nothing goes on.
type heard struct {
	mu     sync.Mutex
	usable time.Time     // when the platform last gave an answer that says something
	last   wechat.Result // of the last call that was not accepted …
	at     time.Time     // … and when it was made
}

// trouble returns what the last call brought that was not accepted, and when.
func (h *heard) trouble() (wechat.Result, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last, h.at
}

// unusable tells whether a call says nothing of its message: it may have been taken.
func unusable(res wechat.Result) bool {
	return res.Verdict == wechat.Retry && (res.Code == 0 || res.Code == codeBusy)
}

// hear notes what a call brought.
func (s *Sender) hear(res wechat.Result) {
	s.heard.mu.Lock()
	defer s.heard.mu.Unlock()
	if !unusable(res) && res.Verdict != wechat.Away {
		s.heard.usable = s.now()
	}
	if res.Verdict != wechat.Accepted {
		s.heard.last, s.heard.at = res, s.now()
	}
}

// silent tells whether the platform has not given a usable answer lately.
func (s *Sender) silent() bool {
	s.heard.mu.Lock()
	defer s.heard.mu.Unlock()
	age := s.now().Sub(s.heard.usable)
	return age > heardFor || age < 0
}

// askFirst closes the gate before the first send of a run if the platform does not
// even answer a read: nobody need be in doubt to find that out. It costs no call of
// the sends' quota. One that answers reads and no sends is found out by the first
// send, which goes alone.
func (s *Sender) askFirst(ctx context.Context) {
	if !s.silent() {
		return
	}
	reading, cancel := context.WithTimeout(ctx, askPlatform)
	defer cancel()
	_, err := s.platform.Quota(reading, SendPath)
	if ctx.Err() == nil && (wechat.Unanswered(err) || reading.Err() != nil) {
		s.gate.Distrust()
	}
}

// admit waits until a send may go; probe says that it is the one that tries whether
// the others may, and that the gate must hear of it.
//
// While the platform gives no usable answer, a call that can reach nobody goes first.
// A send would do to find out, but whoever's it is would be in doubt if no usable
// answer came, and the platform knows a client_msg_id for ten minutes from its first
// call only (askAgainFor): nobody says that it knows it for longer if it is asked
// again, so a recipient in doubt is safe for nine minutes and uncertain after that,
// however often it was asked about. A read of another API would do no better: that
// one answers says nothing of the sends. Once the call for nobody passes, one send
// follows, of a recipient in doubt if there is one. If that brings no usable answer
// either, calls for nobody and single sends take turns, ever more seldom, and it is
// the same recipients again while that is safe.
//
// 45011 is another matter. It is a clear refusal, so a send can be the probe.
func (s *Sender) admit(ctx context.Context, r *run, who passenger) (probe bool, err error) {
	if r.looking.CompareAndSwap(false, true) {
		s.askFirst(ctx)
		close(r.looked)
	}
	select {
	case <-r.looked:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	for {
		probe, err = s.gate.pass(ctx, who)
		if err != nil || !probe || !s.gate.Mute() {
			return probe, err
		}
		if s.answers(ctx, r) {
			return true, nil
		}
	}
}

// answers makes a call that can reach nobody, in the place of a gate's probe, and
// tells whether a send may follow. If not the gate has been told.
func (s *Sender) answers(ctx context.Context, r *run) bool {
	if s.pacer.Wait(ctx) != nil {
		s.gate.Abandon()
		return false
	}
	res := s.platform.Probe(ctx)
	if ctx.Err() != nil {
		s.gate.Abandon()
		return false
	}
	if res.Verdict != wechat.Refused && res.Verdict != wechat.Halt {
		s.hear(res)
	}
	switch {
	case unusable(res), res.Verdict == wechat.Away:
		s.gate.Missed()
		return false
	case res.Verdict == wechat.Slow:
		s.pacer.Slow()
		s.gate.Report(true, false, max(res.RetryAfter, slowRest))
		return false
	case res.Verdict == wechat.Hold:
		r.hold(res)
	case res.Verdict == wechat.Halt && res.Group != wechat.HaltContent:
		r.halt(res)
	default:
		return true
	}
	s.gate.Abandon()
	return false
}

// pass takes a job through the account's gate and then through its run's, which
// only those hold who are past the first: so neither waits for the other. single
// says that the run's wants to hear of the call; j.probe that the account's does.
func (s *Sender) pass(j *job) (single bool, err error) {
	who := claimed
	if j.doubt {
		who = doubtful
	}
	for {
		if !j.probe {
			if j.probe, err = s.admit(j.ctx, j.run, who); err != nil {
				return false, err
			}
		}
		single, err = j.run.narrow.Pass(j.ctx)
		switch {
		case err != nil && j.probe:
			s.gate.Abandon()
			return false, err
		case err != nil || j.probe || s.gate.Open():
			return single, err
		case single: // the account's was closed meanwhile
			j.run.narrow.Abandon()
		}
	}
}

// passes tells the pacer of an answer, and the gate whether further sends make
// sense: not while the platform is away or refuses every one. rest is how long
// it asks for before the next.
func (s *Sender) passes(probe bool, res wechat.Result, took time.Duration) (ok bool, rest time.Duration) {
	s.hear(res)
	if unusable(res) {
		// A few of these are nothing. All of them are a platform that is as good as
		// away, on which every recipient would waste its attempts.
		return s.mute.Add(1) < muteStreak && !probe, 0
	}
	s.mute.Store(0)
	switch res.Verdict {
	case wechat.Away, wechat.Hold:
		return false, 0
	case wechat.Slow:
		return s.slow(probe)
	case wechat.Accepted, wechat.Refused, wechat.Later:
		s.pacer.Answered(took)
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
func (s *Sender) slow(probe bool) (ok bool, rest time.Duration) {
	if !s.pacer.Slow() && !probe {
		return true, 0
	}
	if !probe {
		return false, slowProbe
	}
	s.pacer.Lasts()
	now := s.now()
	return false, now.Truncate(time.Minute).Add(time.Minute + clockSlack).Sub(now)
}
