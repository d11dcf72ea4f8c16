package delivery

import (
	"context"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
)

// reachableFor is how long it is taken for granted that a person who could be
// written to still can. Sends that go at once need not ask.
const reachableFor = 2 * time.Second

// job is a recipient on the way to its outcome.
type job struct {
	ctx    context.Context
	active *Active
	batch  *batchRun
	task   models.Task
	attempt
	// permit is held by the recipient that tries whether others may be sent to.
	permit throttle.Permit
	free   bool      // it holds no part of the budget
	claim  time.Time // when the row was written: the client_msg_id is good from then on
	// reachable is when the person was last known to follow and to want broadcasts.
	reachable time.Time
	called    time.Time // when the last call was made
}

// dispatch gives a job to the next free worker.
func (s *Sender) dispatch(j *job) {
	select {
	case s.jobs <- j:
	case <-j.ctx.Done():
		s.conclude(j, result{event: ended})
	}
}

// try makes one call for a job, when the throttle lets it, and does what follows.
func (s *Sender) try(j *job) {
	for {
		permit, err := j.active.stream.Acquire(j.ctx, j.passenger(), j.permit)
		j.permit = throttle.Permit{}
		if err != nil {
			j.active.stopFor(err)
			s.conclude(j, result{event: ended})
			return
		}
		msg, instead := s.prepare(j)
		switch {
		case instead != nil:
			permit.Cancel()
			s.conclude(j, *instead)
			return
		case !permit.Valid():
			permit.Cancel()
			continue
		}
		res, made := s.call(j, msg)
		if !made {
			permit.Cancel()
			s.conclude(j, result{event: ended})
			return
		}
		if stop := permit.Done(res); stop != nil {
			j.active.stop(*stop, res.Code)
		}
		s.conclude(j, s.judge(j, res))
		return
	}
}

// passenger says for whom the next call is.
func (j *job) passenger() throttle.Passenger {
	if j.maybeSent {
		return throttle.MaybeSent
	}
	return throttle.Claimed
}

// prepare returns the message to send, or what the try brings instead of a call.
func (s *Sender) prepare(j *job) (msg wechat.Message, instead *result) {
	if s.tooOld(j.claim) {
		return msg, &result{event: expired}
	}
	reachable, err := s.stillReachable(j)
	switch {
	case err != nil:
		return msg, &result{event: ended}
	case !reachable:
		return msg, &result{event: unreachable}
	}
	msg, err = j.active.content.For(recipientOf(j.task))
	if err != nil {
		return msg, &result{event: unfillable, answer: wechat.Result{Detail: err.Error()}}
	}
	return msg, nil
}

// stillReachable tells whether a person who could be written to still can. Since
// then the job may have waited for its turn, for a rest or for the platform.
func (s *Sender) stillReachable(j *job) (bool, error) {
	now := s.now()
	if age := now.Sub(j.reachable); age >= 0 && age < reachableFor || audience.Of(&j.active.Broadcast).Unconditional {
		return true, nil
	}
	j.reachable = now
	ok, err := s.store.Reachable(j.ctx, &j.active.Broadcast, j.task.RecipientID)
	if err != nil && j.ctx.Err() == nil {
		s.log.WarnContext(j.ctx, "a recipient is left for later", "openid", models.MaskOpenID(j.task.OpenID), "err", err)
	}
	return ok, err
}

// call makes the call, unless the broadcast has ended or the quiet hours have begun. Whoever ends it knows every
// call that is still made: it is counted before the last look.
func (s *Sender) call(j *job, msg wechat.Message) (res wechat.Result, made bool) {
	j.active.calls.Add(1)
	defer j.active.calls.Add(-1)
	if j.ctx.Err() != nil || s.endsForQuiet(j.active) {
		return res, false
	}
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	j.called = s.now()
	return s.channel.Send(s.calls, msg), true
}

// judge makes a result of the platform's answer. Of an OpenID that it calls invalid
// the platform is asked once more: it says so of real followers now and then, for
// whom another call is worth it.
func (s *Sender) judge(j *job, res wechat.Result) result {
	if res.Verdict == wechat.Refused && res.Code == codeInvalidOpenID && !j.questioned {
		follows, err := s.platform.Follows(s.calls, j.task.OpenID)
		if err != nil {
			s.log.Debug("confirm an invalid OpenID", "openid", models.MaskOpenID(j.task.OpenID), "err", err)
		}
		res.Gone = err == nil && !follows
	}
	return result{event: answered, answer: res, shut: !s.throttle.Passes(), cut: s.calls.Err() != nil}
}

// conclude decides what a try leads to and has it done.
func (s *Sender) conclude(j *job, r result) {
	r.fatal = j.active.fatalCode()
	before := j.maybeSent
	var d decision
	j.attempt, d = decide(j.attempt, r, s.now())
	if j.maybeSent && !before {
		s.throttle.MaybeSent(1)
	}
	if r.answer.Gone {
		j.active.left(j.task.RecipientID, s.now(), r.answer)
	}
	switch d.action {
	case record:
		s.metrics.sent(d.state)
		j.active.meter.Add(s.now())
		s.record(j, d)
	case putOff:
		j.batch.leave(d.due)
		s.record(j, d)
	case retry:
		s.rest(j, d.after)
	case requeue:
		j.batch.leave(d.due)
		s.release(j)
	case withdraw:
		s.release(j)
	}
}

// rest hands the job to a worker after a while. Meanwhile it keeps neither a worker
// nor a part of the budget, or a spell of retries would stall the rest. To give up
// it needs neither.
func (s *Sender) rest(j *job, after time.Duration) {
	s.budget.Release(1)
	j.free = true
	go func() {
		if loop.Sleep(j.ctx, after) != nil || s.budget.Acquire(j.ctx, 1) != nil {
			s.conclude(j, result{event: ended})
			return
		}
		j.free = false
		s.dispatch(j)
	}()
}

// release ends a job, and takes its row back unless the message may have been sent.
func (s *Sender) release(j *job) {
	if !j.maybeSent {
		j.batch.unsend(j.task.RecipientID)
	}
	s.end(j)
}

// end gives back what a job holds.
func (s *Sender) end(j *job) {
	if !j.free {
		s.budget.Release(1)
	}
	if j.maybeSent {
		s.throttle.MaybeSent(-1)
	}
	j.batch.pending.Done()
}

// record has what became of a job stored.
func (s *Sender) record(j *job, d decision) {
	var gone []models.Departure
	if d.state == models.Accepted {
		gone = j.active.departures.accepted(j.called)
	}
	s.recorder.in <- entry{
		gone: gone,
		outcome: models.Outcome{
			BroadcastID: j.active.Broadcast.ID, RecipientID: j.task.RecipientID, State: d.state,
			MsgID: d.answer.MsgID, ErrCode: d.answer.Code, Detail: d.answer.Detail, Attempts: j.calls,
			SentAt: j.claim,
		},
		done: func(recorded bool) {
			if !recorded {
				j.batch.leave(s.now())
			}
			s.end(j)
		},
	}
}
