package delivery

import (
	"cmp"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
)

const (
	// maxAttempts is how many calls a recipient is worth.
	maxAttempts = 5
	// restAtMost is how long a recipient rests between two calls, however long the
	// platform asks for: with the longest rests, too, its last call is made while
	// it is safe to ask again (four rests in Channel.RepeatFor). A longer one would
	// only keep its batch open, and whoever may have been sent to would become uncertain.
	restAtMost = 2 * time.Minute
	// codeInvalidOpenID is the platform's refusal that is sometimes wrong.
	codeInvalidOpenID = 40003
	// DeferFor is how long a recipient rests that was written to too often.
	DeferFor = 65 * time.Second
	// requeueAfter is when another run of the batch takes up who was left.
	requeueAfter = time.Second
)

// attempt is what the tries for a recipient came to so far.
type attempt struct {
	calls int // made so far, also by earlier runs of the batch
	spent int // of the calls that the recipient is worth
	// maybeSent: the platform may have taken a call although it did not say so.
	maybeSent bool
	deferred  bool // it rested once because it was written to too often
	// questioned: a refusal was not believed, and the next call decides.
	questioned bool
	// alone: it is the only recipient of its broadcast.
	alone bool
	// last is what the last call brought, code the last refusal of earlier runs.
	last wechat.Result
	code int
}

// event is what became of a try.
type event int

const (
	answered    event = iota // a call was made
	expired                  // too much time went by to ask the platform again
	unreachable              // the person said stop or left
	unfillable               // the message can't be made for the person
	ended                    // the broadcast, or the program, stops
)

// result is what a try brought.
type result struct {
	event
	// answer is the platform's, or says why the message can't be made.
	answer wechat.Result
	// shut: nothing passes any more, so that the recipient is not to blame.
	shut bool
	// cut: the call may have been ended by the stop of the program.
	cut bool
	// fatal is the code that failed the broadcast, 0 for none.
	fatal int
}

// action is what happens to a recipient next.
type action int

const (
	record   action = iota // its outcome is stored
	retry                  // it rests, and another call follows
	putOff                 // it is stored as put off, and another run of the batch has its turn
	requeue                // another run of the batch takes it up
	withdraw               // it gets nothing and has no delivery
)

// decision is what a try leads to.
type decision struct {
	action
	// state and answer are what record and putOff store.
	state  models.DeliveryState
	answer wechat.Result
	// after is how long retry rests.
	after time.Duration
	// due is when requeue and putOff are to go on.
	due time.Time
}

// decide says what a try leads to and what is known of the recipient then.
func decide(a attempt, r result, now time.Time) (attempt, decision) {
	switch r.event {
	case answered:
		return decideAnswer(a, r, now)
	case expired:
		if !a.maybeSent {
			return a, a.leave(r.fatal, now)
		}
		a.last.Detail = models.DetailNoAnswer + ": " + a.last.Detail
		return a, decision{action: record, state: models.Uncertain, answer: a.last}
	case unreachable:
		// With what the platform said of the calls that were made, or without a delivery
		// if it said nothing and has surely sent nothing, like those who left before their
		// claim.
		a.last.Code = cmp.Or(a.last.Code, a.code)
		if !a.maybeSent && (a.calls == 0 || a.last.Code == 0) {
			return a, decision{action: withdraw}
		}
		a.last.Detail = models.DetailWithdrawn
		return a, a.giveUp(a.last)
	case unfillable:
		return a, a.giveUp(r.answer)
	case ended:
	}
	return a, a.leave(r.fatal, now)
}

// leave leaves the recipient for another run of the batch, unless what was said last
// is what failed the broadcast.
func (a attempt) leave(fatal int, now time.Time) decision {
	if a.last.Code != 0 && !a.maybeSent && a.last.Code == fatal {
		return decision{action: record, state: models.FailedFor, answer: a.last}
	}
	return decision{action: requeue, due: now.Add(requeueAfter)}
}

// decideAnswer decides after a call.
func decideAnswer(a attempt, r result, now time.Time) (attempt, decision) {
	res := r.answer
	a.last = res
	a.maybeSent = a.maybeSent || res.MaybeSent
	if r.cut && res.Verdict != wechat.Accepted && res.Verdict != wechat.Refused && res.Verdict != wechat.Later {
		return a, a.leave(r.fatal, now)
	}
	switch res.Verdict {
	case wechat.Accepted:
		a.calls++
		return a, decision{action: record, state: models.Accepted, answer: res}
	case wechat.Refused:
		a.calls++
		if res.Code == codeInvalidOpenID && !a.questioned && !res.Gone {
			a.questioned = true
			return a.again(res)
		}
		if a.maybeSent {
			res.Detail = models.DetailEarlier + ": " + res.Detail
		}
		return a, a.giveUp(res)
	case wechat.Retry:
		a.calls++
		if res.Unusable() && r.shut {
			// It is no fault of the recipient's: it waits until something passes, and for as
			// long as it is safe it is the one that is asked about.
			return a, decision{action: retry, after: min(res.RetryAfter, restAtMost)}
		}
		return a.again(res)
	case wechat.Later:
		a.calls++
		if a.maybeSent || a.deferred {
			// After the rest the platform may no longer know the client_msg_id.
			return a, a.giveUp(res)
		}
		return a, decision{action: putOff, state: models.Deferred, answer: res, due: now.Add(DeferFor)}
	case wechat.Slow:
		rest := throttle.SlowRest
		if a.alone { // there is no other who could try meanwhile
			rest = max(res.RetryAfter, rest)
		}
		return a, decision{action: retry, after: rest}
	case wechat.Away:
		return a, decision{action: retry}
	case wechat.Halt:
		a.calls++
	case wechat.Hold:
	}
	return a, a.leave(r.fatal, now)
}

// again has another call follow after a back-off, or gives up when the recipient
// had its share.
func (a attempt) again(res wechat.Result) (attempt, decision) {
	a.spent++
	if a.spent >= maxAttempts {
		return a, a.giveUp(res)
	}
	return a, decision{action: retry, after: min(max(res.RetryAfter, 500*time.Millisecond<<(a.spent-1)), restAtMost)}
}

// giveUp is the outcome after a call that was not taken. A refusal says how things
// are now, not what became of an earlier call that brought no answer: whoever got
// the message may have left because of it. It may even be the platform's way to
// tell that it knows the client_msg_id: what it answers then, and what it looks at
// first, is not documented.
func (a attempt) giveUp(res wechat.Result) decision {
	d := decision{action: record, state: models.FailedFor, answer: res}
	if a.maybeSent {
		d.state = models.Uncertain
	}
	return d
}
