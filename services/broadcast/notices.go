package broadcast

import (
	"context"
	"errors"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const (
	// receiptsWithin is how long the notice of a finished broadcast waits for the
	// receipts. They mostly come within seconds of their sends.
	receiptsWithin = time.Minute
	// tellPause is how long a notice that could not be handed over rests at first,
	// twice as long each time, and tellRest at most.
	tellPause = 2 * time.Second
	tellRest  = 5 * time.Minute
	// keptAtOnce is how many kept notices one reply takes up at most.
	keptAtOnce = 20
)

// notify tells the asking admins of what ended, paused or stopped by itself.
func (e *Engine) notify(ctx context.Context) error {
	list, err := e.store.Unnotified(ctx)
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
		awaits, err := e.awaitsReceipts(ctx, b)
		if err != nil {
			return err
		}
		if awaits {
			continue
		}
		st, err := e.status(ctx, b)
		if err != nil {
			return err
		}
		done, err := e.tell(ctx, noticeKind(b.State), *st)
		if err != nil {
			return err
		}
		if !done {
			continue
		}
		if err := e.store.MarkNotified(ctx, b.ID, b.NoticeMark()); err != nil {
			return err
		}
	}
	return nil
}

// awaitsReceipts tells whether the receipts of a finished broadcast may still
// come before the admin is told. It goes by what is stored, so that the time
// does not begin anew with another process.
func (e *Engine) awaitsReceipts(ctx context.Context, b models.Broadcast) (bool, error) {
	if b.State != models.Finished || e.now().Sub(b.FinishedAt.Time) >= receiptsWithin {
		return false, nil
	}
	// Counting a large broadcast every two seconds would keep a core busy.
	st, err := e.Glance(ctx, b.ID)
	if err != nil {
		return false, err
	}
	return st.Broadcast.State != models.Finished || st.Counts.Accepted > 0, nil
}

// tell sends a notice to the admin who asked for the broadcast. One that the
// platform refuses is kept for the admin's next word. done is false if the
// platform is away: the notice rests, and the next call tries again.
func (e *Engine) tell(ctx context.Context, kind string, st Status) (done bool, err error) {
	b := st.Broadcast
	key := noticeKey{b.ID, kind}
	rest := e.untold[key]
	if e.now().Before(rest.until) {
		return false, nil
	}
	err = e.platform.Notify(ctx, b.AskedBy, e.notice(kind, st))
	var refused *wechat.APIError
	switch {
	case err == nil:
		delete(e.untold, key)
		return true, nil
	case ctx.Err() != nil:
		return false, nil
	case !errors.As(err, &refused), busyCode(refused.Code):
		e.untold[key] = rest.longer(e.now(), tellRest)
		return false, nil
	}
	delete(e.untold, key)
	e.log.WarnContext(ctx, "the platform does not take the notice; the admin is told in the reply to their next word",
		"broadcast", b.ID, "notice", kind, "admin", models.MaskOpenID(b.AskedBy), "err", err)
	return true, e.store.KeepNotice(ctx, b.ID)
}

// busyCode tells whether a refusal says that the platform is busy, and nothing of
// the notice or its reader (WeChat: commErrCode docs). All others are for good,
// above all 45015, when the admin did not write for 48 hours, and 45047, when
// five notices followed their last word (WeChat: customer service message docs).
func busyCode(code int) bool { return code == -1 || code == 45011 }

// KeptNotices returns the broadcasts of which an admin could not be told, the
// newest first, for the reply to a message of that key. What was said in an
// earlier copy of that reply is returned again.
func (e *Engine) KeptNotices(ctx context.Context, openID, key string) ([]models.Broadcast, error) {
	return e.store.KeptNotices(ctx, openID, key, keptAtOnce)
}

// SayNotices records that the reply to a message has the kept notices of these
// broadcasts, and returns those that no other reply has.
func (e *Engine) SayNotices(ctx context.Context, ids []int64, key string) ([]int64, error) {
	return e.store.SayNotices(ctx, ids, key)
}

// noticeKey names a notice.
type noticeKey struct {
	id   int64
	kind string
}

// noticeRest is how long a notice waits for its next try.
type noticeRest struct {
	pause time.Duration
	until time.Time
}

// longer is the rest after another try that failed.
func (r noticeRest) longer(now time.Time, most time.Duration) noticeRest {
	pause := min(max(2*r.pause, tellPause), most)
	return noticeRest{pause, now.Add(pause)}
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
