package broadcast

import (
	"context"
	"slices"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
)

// waitForQuietEnd has a broadcast that was resumed within the quiet hours wait for their
// end, and returns it as it is then.
func (e *Engine) waitForQuietEnd(ctx context.Context, b *models.Broadcast) (*models.Broadcast, error) {
	until := audience.QuietUntil(b, e.quiet, b.NotBefore.Time) // a resume makes it now at least
	if until.IsZero() {
		// It may have waited for their end when it was paused.
		until = audience.QuietUntil(b, e.quiet, e.now())
		if until.IsZero() || !b.NotBefore.Equal(until) || b.PlannedStart.Equal(until) {
			return b, nil
		}
	}
	if err := e.store.PostponeBroadcast(ctx, b.ID, until, models.ReasonQuiet); err != nil {
		return nil, err
	}
	return e.store.FindBroadcast(ctx, b.ID)
}

// ResumeNow goes on with a broadcast that is paused, or waits for the end of the quiet
// hours, and has these not hold for it any more; id 0 means the latest.
func (e *Engine) ResumeNow(ctx context.Context, id int64, by string) (*models.Broadcast, error) {
	if id == 0 {
		list, err := e.store.Broadcasts(ctx, 1000, models.Scheduled, models.Paused)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(list, func(b models.Broadcast) bool { return b.State == models.Paused || b.WaitsForQuietEnd() })
		if i < 0 {
			return nil, models.NewError(models.NotFound, models.ErrNothingTo, "Action", string(models.EventResume))
		}
		id = list[i].ID
	}
	b, err := e.store.FindBroadcast(ctx, id)
	if err != nil {
		return nil, err
	}
	done, err := e.store.Overrule(ctx, id, e.earliest(b), e.now())
	if err != nil {
		return nil, err
	}
	if b, err = e.store.FindBroadcast(ctx, id); err != nil {
		return nil, err
	}
	if !done {
		return nil, e.unmoved(b, models.EventResume)
	}
	e.log.InfoContext(ctx, "quiet hours overruled by an admin", "broadcast", id, "admin", models.MaskOpenID(by))
	e.wake()
	return b, nil
}

// earliest is when a broadcast could start or go on if there were no quiet hours.
func (e *Engine) earliest(b *models.Broadcast) time.Time {
	at := e.now()
	if !b.StartedAt.IsZero() {
		return at
	}
	if undone := b.AskedAt.Add(e.undoWindow); audience.Of(b).Undo && undone.After(at) {
		at = undone
	}
	if b.PlannedStart.After(at) {
		at = b.PlannedStart.Time
	}
	return at
}
