package broadcast

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/check"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/zone"
)

// waitingAtMost is how many broadcasts Waiting returns.
const waitingAtMost = 100

// notBefore is the moment before which a broadcast must not start, if it is asked for or
// planned anew now: the end of the undo window, or its planned start.
func (e *Engine) notBefore(b *models.Broadcast) time.Time {
	at := e.now()
	if audience.Of(b).Undo {
		at = at.Add(e.undoWindow)
	}
	if b.PlannedStart.After(at) {
		at = b.PlannedStart.Time
	}
	return at
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
	moved, err := e.store.RescheduleBroadcast(ctx, b.ID, at, e.notBefore(b))
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

// checkPlanned asks the platform again what it was asked when the broadcast was asked
// for, since days may have passed: whether the template still fits, and whether anything
// is left of the day's quota. It returns how the broadcast stops if it must. Of one that
// is not planned or has recipients already it asks nothing.
func (r *run) checkPlanned(ctx context.Context) *models.Move {
	if r.b.PlannedStart.IsZero() || r.b.MaxRecipientID != 0 {
		return nil
	}
	var def message.Definition
	if err := json.Unmarshal([]byte(r.b.Message), &def); err != nil {
		return nil // Unfillable says so
	}
	quota, err := r.checks.Platform(ctx, &def, 0)
	r.quota.Store(quota)
	var refused *models.Error
	switch {
	case errors.As(err, &refused):
		r.log.WarnContext(ctx, "the template of a planned broadcast does not fit any more", "broadcast", r.b.ID, "err", err)
		return &models.Move{Event: models.EventFail, Reason: models.ReasonTemplate, Detail: misfits(refused)}
	case quota != nil && quota.Remain <= 0 && (r.b.StartedAt.IsZero() || r.todays(r.b.StartedAt.Time)): // or it waited for a reset already
		return &models.Move{Event: models.EventStop, Reason: models.ReasonQuota}
	}
	return nil
}

// misfits names the fields in which a message and its template do not fit.
func misfits(refused *models.Error) string {
	var fields []string
	for _, name := range []string{"Missing", "Unknown"} {
		if list := fmt.Sprint(refused.Args[name]); refused.Args[name] != nil && list != "" {
			fields = append(fields, list)
		}
	}
	return strings.Join(fields, ", ")
}

// plannedWarnings are what the admin is told of a planned broadcast at its start.
func (e *Engine) plannedWarnings(b *models.Broadcast) []check.Warning {
	r := e.runs.find(b.ID)
	if r == nil {
		return nil
	}
	return e.quotaWarnings(b, r.quota.Load())
}

// todays tells whether a moment has the same daily quota as this one.
func (e *Engine) todays(at time.Time) bool {
	return zone.Day(at.Add(-e.resetAt)) == zone.Day(e.now().Add(-e.resetAt))
}

// quotaWarnings warn of a quota that is too small for a broadcast; nil is one that is not
// known.
func (e *Engine) quotaWarnings(b *models.Broadcast, quota *wechat.Quota) []check.Warning {
	if quota == nil || b.Recipients <= quota.Remain {
		return nil
	}
	return []check.Warning{{Code: check.WarnQuota, Args: map[string]any{
		"Remain": quota.Remain, "Recipients": b.Recipients, "ResumeAt": throttle.QuotaReset(e.now(), e.resetAt),
	}}}
}
