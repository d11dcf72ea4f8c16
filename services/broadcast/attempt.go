package broadcast

import (
	"cmp"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const (
	// askAgainFor is how long after a send was begun the platform may be asked
	// again with the same client_msg_id. It honours one for ten minutes
	// (template/send docs); a minute is left for clocks and slow answers.
	askAgainFor = 9 * time.Minute
	// maxAttempts is how many calls a recipient is worth.
	maxAttempts = 5
	// restAtMost is how long a recipient rests between two calls, however long the
	// platform asks for: with the longest rests, too, its last call is made while
	// it is safe to ask again (four rests in askAgainFor). A longer one would only
	// keep its batch open, and whoever is in doubt would become uncertain.
	restAtMost = 2 * time.Minute
	// muteStreak is how many calls in a row without a usable answer close the gate.
	// Each of them leaves a recipient in doubt.
	muteStreak = 4
	// codeInvalidOpenID is the platform's refusal that is sometimes wrong.
	codeInvalidOpenID = 40003
	// slowRest is how long a recipient rests that was refused for sending too fast.
	slowRest = 2 * time.Second
	// slowProbe is when, once nothing passes for that reason, the first call is made.
	slowProbe = 3 * time.Second
	// clockSlack is how far the platform's clock may be behind this one's.
	clockSlack = 2 * time.Second
	// wishFor is how long it is taken for granted that a person who was willing to
	// be written to still is. Sends that go at once need not ask.
	wishFor = 2 * time.Second
	// readFor is the same for those of a batch that was read, whose claim can ask
	// them all at once: at a speed at which a batch takes less, it need not.
	readFor = 250 * time.Millisecond
	// laterAfter is how long a recipient rests that was written to too often.
	laterAfter = 65 * time.Second
)

// hand gives a job to the next free worker.
func (s *Sender) hand(j *job) {
	select {
	case s.jobs <- j:
	case <-j.ctx.Done():
		s.leave(j)
	}
}

// leave ends a job without an outcome: the recipient stays for another run.
func (s *Sender) leave(j *job) {
	if j.last.Code != 0 && !j.doubt && j.run.failedBy(j.last.Code) {
		s.finish(j, models.FailedFor, j.last)
		return
	}
	j.batch.leave(s.now().Add(time.Second))
	s.drop(j)
}

// drop ends a job, and takes its row back unless the message may have been sent.
func (s *Sender) drop(j *job) {
	if !j.doubt {
		j.batch.mu.Lock()
		j.batch.unsent = append(j.batch.unsent, j.task.RecipientID)
		j.batch.mu.Unlock()
		select {
		case j.batch.shed <- struct{}{}:
		default:
		}
	}
	s.ended(j)
}

// ended gives back what a job holds.
func (s *Sender) ended(j *job) {
	if !j.free {
		s.budget.Release(1)
	}
	if j.doubt {
		s.gate.Doubt(-1)
	}
	j.batch.pending.Done()
}

// try makes one call for a job, when the gates and the pacer let it.
func (s *Sender) try(j *job) {
	single, err := s.pass(j)
	if err != nil {
		s.leave(j)
		return
	}
	probe := j.probe
	j.probe = false
	abandon := func() {
		if probe {
			s.gate.Abandon()
		}
		if single {
			j.run.narrow.Abandon()
		}
	}
	msg, instead := s.prepare(j)
	if instead == nil && (!probe && !s.gate.Open() || !single && !j.run.narrow.Open()) {
		// Closed while it waited for the pacer. Its call would leave it in doubt.
		instead = func() { s.try(j) }
	}
	if instead != nil {
		abandon()
		instead()
		return
	}
	// Counted before the last look at ctx: who ends the run knows every call that is
	// still made.
	j.run.calls.Add(1)
	if j.ctx.Err() != nil {
		j.run.calls.Add(-1)
		abandon()
		s.leave(j)
		return
	}
	s.metrics.inFlight.Inc()
	j.asked = s.now()
	res := s.platform.Send(s.hard, msg)
	s.metrics.inFlight.Dec()
	j.run.calls.Add(-1)
	ok, rest := s.passes(probe || single, res, s.now().Sub(j.asked))
	s.gate.Report(probe, ok, rest)
	if res.Verdict == wechat.Hold {
		s.gate.Trust()
	}
	s.settle(j, res)
	j.run.narrow.Report(single, !j.run.undecided() && !(single && unusable(res)), 0)
}

// prepare waits for the pacer and returns the message to send, or what to do
// with the job instead of a call.
func (s *Sender) prepare(j *job) (msg wechat.Message, instead func()) {
	if err := s.pacer.Wait(j.ctx); err != nil {
		return msg, func() { s.leave(j) }
	}
	if s.tooOld(j.claimed) {
		return msg, func() { s.expire(j) }
	}
	willing, err := s.stillWilling(j)
	switch {
	case err != nil:
		return msg, func() { s.leave(j) }
	case !willing:
		return msg, func() { s.spare(j) }
	}
	msg, err = j.run.content.For(recipientOf(j.task))
	if err != nil {
		return msg, func() { s.finish(j, j.untaken(), wechat.Result{Detail: err.Error()}) }
	}
	return msg, nil
}

// stillWilling tells whether a person who was willing to be written to still is.
// Since then the job may have waited for its turn, for a rest or for the platform.
func (s *Sender) stillWilling(j *job) (bool, error) {
	now := s.now()
	if age := now.Sub(j.willing); age >= 0 && age < wishFor || j.run.b.Audience == models.AudienceMe {
		return true, nil
	}
	j.willing = now
	ok, err := s.store.Willing(j.ctx, j.task.RecipientID)
	if err != nil && j.ctx.Err() == nil {
		s.log.WarnContext(j.ctx, "a recipient is left for later", "openid", models.MaskOpenID(j.task.OpenID), "err", err)
	}
	return ok, err
}

// spare ends a job of someone who said stop or left: with what the platform said
// of the calls that were made, or without a delivery if it said nothing and has
// surely sent nothing, like those who did so before their claim.
func (s *Sender) spare(j *job) {
	j.last.Code = cmp.Or(j.last.Code, j.task.ErrCode)
	if !j.doubt && (j.calls == 0 || j.last.Code == 0) {
		s.drop(j)
		return
	}
	j.last.Detail = "said stop or left before the next call"
	s.finish(j, j.untaken(), j.last)
}

// expire ends a job whose claim is too old for its client_msg_id to protect it:
// what may have been sent is uncertain, the rest is claimed anew.
func (s *Sender) expire(j *job) {
	if j.doubt {
		j.last.Detail = "no answer came while it was safe to ask again: " + j.last.Detail
		s.finish(j, models.Uncertain, j.last)
		return
	}
	s.leave(j)
}

// settle does what the verdict on a call asks for.
func (s *Sender) settle(j *job, res wechat.Result) {
	j.last = res
	if res.MaybeSent && !j.doubt {
		j.doubt = true
		s.gate.Doubt(1)
	}
	told := res.Verdict == wechat.Accepted || res.Verdict == wechat.Refused || res.Verdict == wechat.Later
	if s.hard.Err() != nil && !told {
		s.leave(j)
		return
	}
	switch res.Verdict {
	case wechat.Accepted:
		j.calls++
		j.run.accepted()
		s.finish(j, models.Accepted, res)
	case wechat.Refused:
		j.calls++
		j.run.refused(res)
		if res.Code == codeInvalidOpenID && !j.questioned && !s.confirm(j, &res) {
			j.questioned = true
			s.retry(j, res)
			return
		}
		if res.Gone {
			j.run.left(j.task.RecipientID, res)
		}
		if j.doubt {
			res.Detail = "an earlier call may have been taken: " + res.Detail
		}
		s.finish(j, j.untaken(), res)
	case wechat.Retry:
		j.calls++
		j.run.refused(res)
		if unusable(res) && !s.gate.Open() {
			// It is no fault of the recipient's: it waits at the gate, and for as long as
			// it is safe it is the one that is asked about.
			s.again(j, min(res.RetryAfter, restAtMost))
			return
		}
		s.retry(j, res)
	case wechat.Later:
		j.calls++
		s.putOff(j, res)
	case wechat.Slow:
		if j.batch.alone {
			s.again(j, max(res.RetryAfter, slowRest)) // there is no other who could try meanwhile
			return
		}
		s.again(j, slowRest)
	case wechat.Away:
		s.again(j, 0)
	case wechat.Hold:
		j.run.hold(res)
		s.leave(j)
	case wechat.Halt:
		j.calls++
		j.run.halt(res)
		s.leave(j)
	}
}

// confirm asks the platform about a person whose OpenID it just called invalid:
// it says so of real followers now and then, for whom one more call is worth it.
// It tells whether the refusal stands: the person does not follow.
func (s *Sender) confirm(j *job, res *wechat.Result) bool {
	follows, err := s.platform.Follows(s.hard, j.task.OpenID)
	if err != nil {
		s.log.Debug("confirm an invalid OpenID", "openid", models.MaskOpenID(j.task.OpenID), "err", err)
		return false
	}
	res.Gone = !follows
	return !follows
}

// retry tries a job again after a back-off, or ends it when it had its share.
func (s *Sender) retry(j *job, res wechat.Result) {
	j.spent++
	if j.spent >= maxAttempts {
		s.finish(j, j.untaken(), res)
		return
	}
	s.again(j, min(max(res.RetryAfter, 500*time.Millisecond<<(j.spent-1)), restAtMost))
}

// untaken is the outcome of a job that is given up after a call that was not
// taken. A refusal says how things are now, not what became of an earlier call
// that brought no answer: whoever got the message may have left because of it.
// It may even be the platform's way to tell that it knows the client_msg_id:
// what it answers then, and what it looks at first, is not documented.
func (j *job) untaken() models.DeliveryState {
	if j.doubt {
		return models.Uncertain
	}
	return models.FailedFor
}

// putOff rests a recipient that the platform will not have written to so soon,
// once: its delivery is recorded as such and tried in another run of the batch.
// One in doubt has no rest: after it the platform may no longer know the
// client_msg_id.
func (s *Sender) putOff(j *job, res wechat.Result) {
	if j.doubt || j.putOff {
		s.finish(j, j.untaken(), res)
		return
	}
	j.batch.leave(s.now().Add(laterAfter))
	s.record(j, models.Later, res)
}

// again hands the job to a worker after a while. Meanwhile it keeps neither a
// worker nor a part of the budget, or a spell of retries would stall the rest. To
// give up it needs neither.
func (s *Sender) again(j *job, after time.Duration) {
	s.budget.Release(1)
	j.free = true
	go func() {
		if sleep(j.ctx, after) != nil || s.budget.Acquire(j.ctx, 1) != nil {
			s.leave(j)
			return
		}
		j.free = false
		s.hand(j)
	}()
}

// finish has the outcome of a job recorded.
func (s *Sender) finish(j *job, state models.DeliveryState, res wechat.Result) {
	s.metrics.sent(state)
	j.run.meter.add(s.now())
	s.record(j, state, res)
}

func (s *Sender) record(j *job, state models.DeliveryState, res wechat.Result) {
	var gone []models.Departure
	if state == models.Accepted {
		gone = j.run.gone.accepted(j.asked)
	}
	s.recorder.in <- record{
		gone: gone,
		outcome: models.Outcome{
			BroadcastID: j.run.b.ID, RecipientID: j.task.RecipientID, State: state,
			MsgID: res.MsgID, ErrCode: res.Code, Detail: res.Detail, Attempts: j.calls,
			SentAt: j.claimed,
		},
		done: func(recorded bool) {
			if !recorded {
				j.batch.leave(s.now())
			}
			s.ended(j)
		},
	}
}
