package delivery

import (
	"context"
	"errors"
	"slices"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/throttle"
)

// claimFunc stores that recipients are about to be sent to and returns those who are
// not to be, and how many of these it skipped.
type claimFunc func(ctx context.Context, b *models.Broadcast, recipients []int64, now time.Time) (unsent []int64, skipped int64, err error)

// claimAgain is the claimFunc for those who were put off. Each is asked about
// before the call.
func (s *Sender) claimAgain(ctx context.Context, b *models.Broadcast, recipients []int64, now time.Time) ([]int64, int64, error) {
	if s.caps(b) {
		return s.store.ClaimUnderCap(ctx, b, models.ClaimAgain, recipients, s.limit, now)
	}
	return nil, 0, s.store.ReclaimDeliveries(ctx, b.ID, recipients, now)
}

// claimFresh is the claimFunc for those who have no row yet. Whether they can be written
// to is asked again when their batch has been waiting.
func (s *Sender) claimFresh(w *batchRun) claimFunc {
	return func(ctx context.Context, b *models.Broadcast, recipients []int64, now time.Time) (unsent []int64, skipped int64, err error) {
		kind := models.ClaimUnasked
		if w.reachableAt(now).Before(now) || audience.Of(b).Unconditional {
			kind = models.ClaimKnown
		}
		if s.caps(b) { // the claims of other broadcasts look for their rows
			return s.store.ClaimUnderCap(ctx, b, kind, recipients, s.limit, now)
		}
		if kind == models.ClaimUnasked {
			if unsent, err = s.store.Unreachable(ctx, b, recipients); err != nil {
				return nil, 0, err
			}
		}
		return unsent, 0, w.claims.add(ctx, models.Claims{{At: models.At(now), Recipients: recipients}}.Without(unsent))
	}
}

// caps tells whether the cap on messages per person holds for a broadcast.
func (s *Sender) caps(b *models.Broadcast) bool { return !s.limit.None() && audience.Of(b).Guarded }

// feed hands the tasks to the workers, a group at a time, each group claimed
// before the first of it is sent; a nil claim is for those that have their row.
func (s *Sender) feed(ctx context.Context, a *Active, w *batchRun, tasks []models.Task, claim claimFunc) error {
	for len(tasks) > 0 {
		permit, n, err := s.admit(ctx, a, len(tasks), claim != nil)
		if err != nil {
			a.stopFor(err)
			return err
		}
		if s.endsForQuiet(a) {
			permit.Cancel()
			s.budget.Release(int64(n))
			return context.Cause(a.ctx)
		}
		group := tasks[:n]
		tasks = tasks[n:]
		now := s.now()
		if claim != nil {
			if group, err = s.claim(a, group, claim, now); len(group) == 0 {
				permit.Cancel()
			}
			if err != nil {
				return err
			}
		}
		for _, t := range group {
			j := s.newJob(ctx, a, w, t, now)
			w.pending.Add(1)
			if permit.Probe() {
				j.permit = permit
				s.try(j) // not by a worker: they may all wait for what comes of it
				continue
			}
			s.dispatch(j)
		}
	}
	return nil
}

// admit takes the budget's part of a group of at most wanted recipients and returns how
// many it may have. Nobody is claimed who can't be sent to now, and for a probe only
// one is.
func (s *Sender) admit(ctx context.Context, a *Active, wanted int, claims bool) (permit throttle.Permit, n int, err error) {
	for claims {
		if permit, err = a.stream.Admit(ctx, throttle.Unclaimed); err != nil {
			return permit, 0, err
		}
		if !permit.Probe() {
			break
		}
		if s.budget.TryAcquire(1) {
			return permit, 1, nil
		}
		// Those who hold the budget may wait for the probe: one of them makes it.
		permit.Cancel()
		if err := s.budget.Acquire(ctx, 1); err != nil {
			return permit, 0, err
		}
		s.budget.Weighted.Release(1)
	}
	n, err = s.budget.take(ctx, wanted)
	return permit, n, err
}

// newJob is for a recipient whose row was written now, or before if the task says so.
func (s *Sender) newJob(ctx context.Context, a *Active, w *batchRun, t models.Task, now time.Time) *job {
	j := &job{
		ctx: ctx, active: a, batch: w, task: t, claim: now,
		attempt: attempt{calls: t.Attempts, spent: t.Attempts, code: t.ErrCode, alone: w.alone},
	}
	switch t.State {
	case "":
		j.reachable = w.reachableAt(now)
	case models.Deferred:
		j.deferred = true
	default:
		j.maybeSent, j.claim = true, t.SentAt.Time
		s.throttle.MaybeSent(1)
	}
	return j
}

// claim claims a group and returns those of it who are to be sent to.
func (s *Sender) claim(a *Active, group []models.Task, claim claimFunc, now time.Time) ([]models.Task, error) {
	ids := make([]int64, len(group))
	for i, t := range group {
		ids[i] = t.RecipientID
	}
	// Not with the batch's ctx: a claim that is cut short may be there all the same,
	// and those whom nobody sent to would count as perhaps sent to.
	unsent, skipped, err := claim(s.storing, &a.Broadcast, ids, now)
	if !errors.Is(err, ErrLeaseLost) {
		_ = s.writing.Note(err)
	}
	if err != nil {
		s.budget.Release(int64(len(group)))
		return nil, err
	}
	for range skipped {
		s.metrics.sent(models.Skipped)
		a.meter.Add(now)
	}
	if len(unsent) == 0 {
		return group, nil
	}
	s.budget.Release(int64(len(unsent)))
	return slices.DeleteFunc(group, func(t models.Task) bool { return slices.Contains(unsent, t.RecipientID) }), nil
}

// endsForQuiet tells whether the quiet hours have begun for a broadcast, whose sending it
// stops then.
func (s *Sender) endsForQuiet(a *Active) bool {
	until := audience.QuietUntil(&a.Broadcast, s.quiet, s.now())
	if until.IsZero() {
		return false
	}
	a.Stop(models.Move{Event: models.EventQuiet, Reason: models.ReasonQuiet, ResumeAt: until})
	return true
}
