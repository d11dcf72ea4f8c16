package broadcast

import (
	"context"
	"errors"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const (
	// tellFor is how long an admin may be told of a broadcast: a customer-service
	// message can follow within 48 hours of the admin's own.
	tellFor = 48 * time.Hour
	// tellPause is how long a notice that could not be handed over rests at first,
	// twice as long each time, and tellRest at most.
	tellPause = 2 * time.Second
	tellRest  = 5 * time.Minute
)

// notify tells the asking admins of what ended, paused or stopped by itself. A
// notice that the platform refuses is not tried again: the chat's status has
// the same.
func (e *Engine) notify(ctx context.Context) error {
	list, err := e.store.Unnotified(ctx, e.now().Add(-tellFor))
	if err != nil {
		return err
	}
	for _, b := range list {
		busy, err := e.busy(ctx, b.ID)
		if err != nil {
			return err
		}
		if busy {
			continue // its last calls are not counted yet
		}
		st, err := e.status(ctx, b)
		if err != nil {
			return err
		}
		if !e.tell(ctx, *st) {
			continue
		}
		if err := e.store.MarkNotified(ctx, b.ID, b.NoticeMark()); err != nil {
			return err
		}
	}
	return nil
}

// tell sends one notice and tells whether the matter is done.
func (e *Engine) tell(ctx context.Context, st Status) bool {
	b := st.Broadcast
	key := noticeKey{b.ID, b.NoticeMark()}
	rest := e.untold[key]
	if e.now().Before(rest.until) {
		return false
	}
	err := e.platform.Notify(ctx, b.AskedBy, e.notice(noticeKind(b.State), st))
	var refused *wechat.APIError
	switch {
	case err == nil:
		delete(e.untold, key)
		return true
	case ctx.Err() != nil:
		return false
	case errors.As(err, &refused):
	default: // the platform is away
		pause := min(max(2*rest.pause, tellPause), tellRest)
		e.untold[key] = noticeRest{pause, e.now().Add(pause)}
		return false
	}
	delete(e.untold, key)
	e.log.WarnContext(ctx, "the admin could not be told; `broadcast status` has the same",
		"broadcast", b.ID, "admin", models.MaskOpenID(b.AskedBy), "err", err)
	return true
}

// noticeKey names a notice.
type noticeKey struct {
	id   int64
	mark string
}

// noticeRest is how long a notice waits for its next try.
type noticeRest struct {
	pause time.Duration
	until time.Time
}

func noticeKind(s models.BroadcastState) string {
	switch s {
	case models.Paused:
		return NoticePaused
	case models.Failed:
		return NoticeFailed
	case models.Finished, models.Cancelled, models.Scheduled, models.Running:
	}
	return NoticeFinished
}
