package throttle

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const (
	contentStreak = 10 // refusals of the content in a row that stop a broadcast …
	contentFor    = 2 * time.Second
	codeStreak    = 20 // … and of any one code
	busyStreak    = 5  // answers of "system busy" in a row that slow the account down
	// narrowEvery is how often one call is made while it is undecided whether a
	// streak stops the broadcast. 40037 comes in bursts for templates that are there
	// (forum oCJUsw8UM-wAaWS_UpUzTwZE2sM8), so it takes contentFor to tell.
	narrowEvery = 500 * time.Millisecond
)

// Stream is the sends of one broadcast: what the platform says of its content
// holds up its own sends only.
type Stream struct {
	t *Throttle
	// first is closed once it was looked whether the platform answers; asking says
	// that somebody does.
	first  chan struct{}
	asking atomic.Bool
	// narrow lets one call at a time through while a streak of refusals is undecided.
	narrow *breaker

	mu    sync.Mutex
	taken bool // something was accepted
	code  int  // the code of the streak
	count int
	busy  int // answers of "system busy" in a row
	since time.Time
}

// Stream returns a new Stream, whose first call goes alone.
func (t *Throttle) Stream() *Stream {
	s := &Stream{t: t, first: make(chan struct{}), narrow: newBreaker(narrowEvery, narrowEvery)}
	s.narrow.narrow(false)
	return s
}

// Permit is leave for one call. Done or Cancel must follow. The zero Permit is of
// nothing.
type Permit struct {
	s *Stream
	// probe says that the account's breaker waits for what comes of it, single that
	// the broadcast's does.
	probe, single bool
}

// Probe tells whether others wait for what comes of the call.
func (p Permit) Probe() bool { return p.probe }

// Stopped is why an Acquire ends that would go on for as long as the broadcast.
type Stopped struct{ Move models.Move }

func (s *Stopped) Error() string { return "the broadcast can't go on: " + s.Move.Reason }

// Admit waits until a send may go, whoever it is for: then recipients may be
// claimed, a single one if the Permit is a probe. That one's Acquire takes the
// Permit over; any other Permit need not be given back.
//
// While the platform gives no usable answer, a call that can reach nobody goes
// first. A send would do to find out, but its recipient may have been sent to if no
// usable answer comes, and the platform knows a client_msg_id for ten minutes from
// its first call only: nobody says that it knows it for longer if it is asked
// again, so a recipient who may have been sent to is safe for nine minutes and
// uncertain after that, however often it was asked about. A read of another API
// would do no better: that one answers says nothing of the sends. Once the call for
// nobody passes, one send follows, of a recipient who may have been sent to if
// there is one. If that brings no usable answer either, calls for nobody and single
// sends take turns, ever more seldom, and it is the same recipients again while
// that is safe.
//
// 45011 is another matter. It is a clear refusal, so a send can be the probe.
func (s *Stream) Admit(ctx context.Context, who Passenger) (Permit, error) {
	if s.asking.CompareAndSwap(false, true) {
		s.t.askFirst(ctx)
		close(s.first)
	}
	select {
	case <-s.first:
	case <-ctx.Done():
		return Permit{}, ctx.Err()
	}
	for {
		probe, err := s.t.breaker.pass(ctx, who)
		if err != nil || !probe || !s.t.breaker.isUnanswered() {
			return Permit{s: s, probe: probe}, err
		}
		passes, stops := s.t.probe(ctx)
		switch {
		case stops != nil:
			return Permit{}, &Stopped{Move: *StopFor(*stops)}
		case passes:
			return Permit{s: s, probe: true}, nil
		}
	}
}

// Acquire waits until the call for a recipient may be made, or ctx ends. ErrShut
// says that a claim is not worth keeping until then. held is what Admit gave for
// this recipient, or the zero Permit.
func (s *Stream) Acquire(ctx context.Context, who Passenger, held Permit) (Permit, error) {
	for p := held; ; p = (Permit{}) {
		p, err := s.both(ctx, who, p)
		if err != nil {
			return Permit{}, err
		}
		if err := s.t.limiter.wait(ctx); err != nil {
			p.Cancel()
			return Permit{}, err
		}
		if p.Valid() {
			return p, nil
		}
		p.Cancel() // tripped while it waited: the call might bring no answer
	}
}

// both takes a recipient through the account's breaker and then through the
// broadcast's, which only those hold who are past the first: so neither waits for
// the other.
func (s *Stream) both(ctx context.Context, who Passenger, p Permit) (Permit, error) {
	for {
		if !p.probe {
			var err error
			if p, err = s.Admit(ctx, who); err != nil {
				return Permit{}, err
			}
		}
		single, err := s.narrow.pass(ctx, Unclaimed)
		if err != nil {
			p.Cancel()
			return Permit{}, err
		}
		p.single = single
		if p.probe || s.t.breaker.passes() {
			return p, nil
		}
		p.Cancel() // the account's was tripped meanwhile
		p.single = false
	}
}

// Valid tells whether the call still makes sense. Others may have been told since
// that it does not.
func (p Permit) Valid() bool {
	return (p.probe || p.s.t.breaker.passes()) && (p.single || p.s.narrow.passes())
}

// Cancel gives a Permit back whose call was not made.
func (p Permit) Cancel() {
	if p.probe {
		p.s.t.breaker.cancel()
	}
	if p.single {
		p.s.narrow.cancel()
	}
}

// Done tells what came of the call. It returns what stops the broadcast because of
// it, nil if nothing does.
func (p Permit) Done(res wechat.Result) *models.Move {
	s := p.s
	s.t.answered(p.probe, p.single, res)
	stop := s.note(res)
	s.narrow.report(p.single, stop == nil && !s.undecided() && !(p.single && res.Unusable()), 0)
	return stop
}

// note takes an answer into the streaks.
func (s *Stream) note(res wechat.Result) *models.Move {
	switch res.Verdict {
	case wechat.Accepted:
		s.mu.Lock()
		s.count, s.busy, s.taken = 0, 0, true
		s.mu.Unlock()
	case wechat.Refused, wechat.Retry:
		return s.refused(res)
	case wechat.Hold, wechat.Halt:
		return StopFor(res)
	case wechat.Later, wechat.Slow, wechat.Away:
	}
	return nil
}

// undecided tells whether calls are refused in a row, and it is not clear yet
// whether that stops the broadcast: from the first call on for a content that was
// never accepted, else once as many were refused as stop one.
func (s *Stream) undecided() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count >= contentStreak || s.count > 0 && !s.taken && wechat.RefusesContent(s.code)
}

// refused counts a refusal and stops the broadcast when they do not end. People who
// left are no streak of a code: whoever sends counts them apart.
func (s *Stream) refused(res wechat.Result) *models.Move {
	switch {
	case res.Code == 0, res.Gone:
		return nil
	case res.Busy():
		s.mu.Lock()
		s.busy++
		busy := s.busy
		s.mu.Unlock()
		if busy >= busyStreak {
			s.t.limiter.refused()
		}
		return nil
	}
	now := s.t.now()
	s.mu.Lock()
	s.busy = 0
	if s.count == 0 || s.code != res.Code {
		s.code, s.count, s.since = res.Code, 0, now
	}
	s.count++
	count, lasted := s.count, now.Sub(s.since)
	s.mu.Unlock()
	switch {
	case res.Group == wechat.HaltContent && count >= contentStreak && lasted >= contentFor,
		res.Group == wechat.HaltAccount && count >= contentStreak:
		return StopFor(res)
	case res.Group == "" && count >= codeStreak && lasted >= contentFor:
		return &models.Move{Event: models.EventStop, Reason: models.ReasonStreak, Detail: res.Words()}
	}
	return nil
}

// StopFor is the move that an answer asks for after which nothing can work, or must
// not go on.
func StopFor(res wechat.Result) *models.Move {
	m := &models.Move{Event: models.EventStop, Reason: models.ReasonCredentials, Detail: res.Words()}
	switch {
	case res.Verdict == wechat.Hold:
		m.Reason = models.ReasonQuota
	case res.Group == wechat.HaltContent:
		m.Event, m.Reason = models.EventFail, models.ReasonContent
	case res.Group == wechat.HaltAccount:
		m.Reason = models.ReasonAccount
	}
	return m
}
