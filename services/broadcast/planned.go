package broadcast

import (
	"context"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
)

// waitingAtMost is how many broadcasts Waiting returns.
const waitingAtMost = 100

// notBefore is the moment before which a broadcast must not start, if it is asked for or
// planned anew now: the end of the undo window, its planned start, or the end of the quiet
// hours that either is in. why is models.ReasonQuiet for the last of these, else empty.
func (e *Engine) notBefore(b *models.Broadcast) (at time.Time, why string) {
	at = e.now()
	if audience.Of(b).Undo {
		at = at.Add(e.undoWindow)
	}
	if b.PlannedStart.After(at) {
		at = b.PlannedStart.Time
	}
	if until := audience.QuietUntil(b, e.quiet, at); !until.IsZero() {
		return until, models.ReasonQuiet
	}
	return at, ""
}

// missed tells whether a broadcast's planned start passed too long ago for it to start
// by itself: no process ran, or none could. A resume makes its moment the start.
func (e *Engine) missed(b *models.Broadcast) bool {
	return !b.PlannedStart.IsZero() && b.StartedAt.IsZero() && e.now().Sub(b.NotBefore.Time) > models.StartsWithin
}

// Waiting returns the broadcasts that have not begun, those that start soonest first.
func (e *Engine) Waiting(ctx context.Context) ([]models.Broadcast, error) {
	return e.store.Waiting(ctx, waitingAtMost)
}

// Reschedule plans the start of a broadcast for another moment, as long as it has not
// begun. One that missed its start waits for the new one; one that is paused for another
// reason stays so.
func (e *Engine) Reschedule(ctx context.Context, id int64, at time.Time, by string) (*models.Broadcast, error) {
	b, err := e.store.FindBroadcast(ctx, id)
	if err != nil {
		return nil, err
	}
	b.PlannedStart = models.At(at)
	notBefore, why := e.notBefore(b)
	moved, err := e.store.RescheduleBroadcast(ctx, b.ID, at, notBefore, why, e.now())
	if err != nil {
		return nil, err
	}
	planned := b.PlannedStart
	if b, err = e.store.FindBroadcast(ctx, b.ID); err != nil {
		return nil, err
	}
	switch {
	case b.State.Final():
		return nil, models.NewError(models.Conflict, models.ErrWrongState, "ID", b.ID, "State", string(b.State), "Action", "reschedule")
	case !moved && (!b.StartedAt.IsZero() || !b.PlannedStart.Equal(planned.Time)):
		return nil, models.NewError(models.Conflict, models.ErrBegun, "ID", b.ID, "State", string(b.State))
	}
	e.log.InfoContext(ctx, "broadcast rescheduled by an admin", "broadcast", b.ID, "planned", b.PlannedStart, "admin", models.MaskOpenID(by))
	e.wake()
	return b, nil
}

// checkPlanned asks the platform again before a planned broadcast is planned out, and
// returns how it stops if it must.
func (r *run) checkPlanned(ctx context.Context) *models.Move {
	if r.b.PlannedStart.IsZero() || !r.b.PlannedAt.IsZero() || r.b.CanarySegment != 0 {
		return nil
	}
	quota, m := r.checks.Start(ctx, &r.b)
	r.quota.Store(quota)
	return m
}
