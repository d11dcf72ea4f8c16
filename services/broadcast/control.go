package broadcast

import (
	"cmp"
	"context"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/worker"
)

// Pause stops a broadcast until Resume, one too that is paused and would go on by
// itself; id 0 means the latest of those. One that waits for an admin's word
// already stays as it is.
func (e *Engine) Pause(ctx context.Context, id int64, by string) (*models.Broadcast, error) {
	return e.move(ctx, id, models.EventPause, by)
}

// Resume goes on with a paused broadcast; id 0 means the latest that is paused.
func (e *Engine) Resume(ctx context.Context, id int64, by string) (*models.Broadcast, error) {
	return e.move(ctx, id, models.EventResume, by)
}

// Cancelled is a broadcast that was cancelled, and what can't be undone.
type Cancelled struct {
	Broadcast models.Broadcast
	// Counted says that Taken and Left are known: how many the platform took so far, and
	// how many were never tried.
	Counted     bool
	Taken, Left int64
	// OnTheWay is how many calls, at most, wait for their answer.
	OnTheWay int64
}

// Cancel ends a broadcast for good; id 0 means the latest that has not ended.
// What was sent stays sent, and so does what is on its way.
func (e *Engine) Cancel(ctx context.Context, id int64, by string) (*Cancelled, error) {
	b, err := e.move(ctx, id, models.EventCancel, by)
	if err != nil {
		return nil, err
	}
	c := &Cancelled{Broadcast: *b, OnTheWay: e.callsOf(b.ID)}
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	counts, err := e.countStopped(ctx, b.ID)
	if err != nil {
		e.log.DebugContext(ctx, "count what a cancelled broadcast sent", "broadcast", b.ID, "err", err)
		return c, nil
	}
	c.Counted, c.Taken, c.Left = true, counts.Taken(), max(0, b.Recipients-counts.Known())
	c.OnTheWay = counts.Sending - counts.Deferred // with the calls of other replicas
	return c, nil
}

const (
	// countWithin is how long the answer to a cancel may wait for its counts.
	countWithin = time.Second
	// settleWithin is how long of it the counts may take to settle.
	settleWithin = 600 * time.Millisecond
	settleLook   = 50 * time.Millisecond
)

// countStopped counts what a broadcast sent that was just stopped. For a moment there are
// recipients who were claimed and are given back unsent, and outcomes that are not stored
// yet; it waits for them.
func (e *Engine) countStopped(ctx context.Context, id int64) (models.Counts, error) {
	for begun := time.Now(); ; {
		counts, err := e.store.CountDeliveries(ctx, id)
		if err != nil || counts.Sending == counts.Deferred || time.Since(begun) > settleWithin {
			return counts, err
		}
		if err := loop.Sleep(ctx, settleLook); err != nil {
			return counts, nil //nolint:nilerr // these counts are good, and all there is time for
		}
	}
}

// callsOf counts the calls of a broadcast that wait for their answer here.
func (e *Engine) callsOf(id int64) int64 {
	if a := e.worker.Find(id); a != nil {
		return a.Calls()
	}
	return 0
}

// move makes the move that an admin asked for.
func (e *Engine) move(ctx context.Context, id int64, on models.Event, by string) (*models.Broadcast, error) {
	if id == 0 {
		var err error
		if id, err = e.latest(ctx, on); err != nil {
			return nil, err
		}
	}
	m := models.Move{Event: on}
	if on != models.EventResume {
		m.Reason = models.ReasonAdmin
	}
	moved, err := e.store.MoveBroadcast(ctx, id, m, e.now())
	if err != nil {
		return nil, err
	}
	b, err := e.store.FindBroadcast(ctx, id)
	if err == nil && moved && on == models.EventResume {
		b, err = e.waitForQuietEnd(ctx, b)
	}
	if err != nil {
		return nil, err
	}
	if !moved && !(on == models.EventPause && b.State == models.Paused) {
		return nil, e.unmoved(b, on)
	}
	e.log.InfoContext(ctx, "broadcast moved by an admin", "broadcast", b.ID, "action", on, "admin", models.MaskOpenID(by))
	if on != models.EventResume {
		e.halt(b.ID)
	}
	e.wake()
	return b, nil
}

// unmoved says why an event that an admin asked for does not move a broadcast.
func (e *Engine) unmoved(b *models.Broadcast, on models.Event) error {
	if on == models.EventResume && b.ApprovalLate(e.now()) {
		return models.NewError(models.Conflict, models.ErrApprovalLate, "ID", b.ID)
	}
	return models.NewError(models.Conflict, models.ErrWrongState, "ID", b.ID, "State", string(b.State), "Action", string(on))
}

// halt ends the sending of a broadcast that does not run any more, here and at once.
func (e *Engine) halt(id int64) {
	e.worker.End(id)
	if r := e.runs.find(id); r != nil {
		r.cancel(worker.ErrNotRunning)
	}
}

// latest finds the latest broadcast that an event can move: one that rests and would
// go on by itself only if there is no other.
func (e *Engine) latest(ctx context.Context, on models.Event) (int64, error) {
	list, err := e.store.Broadcasts(ctx, 1000, models.Pending, models.Scheduled, models.Running, models.Paused)
	if err != nil {
		return 0, err
	}
	var resting int64
	for _, b := range list {
		switch {
		case !b.Moves(on):
		case on == models.EventPause && b.State == models.Paused:
			resting = cmp.Or(resting, b.ID)
		default:
			return b.ID, nil
		}
	}
	if resting == 0 {
		return 0, models.NewError(models.NotFound, models.ErrNothingTo, "Action", string(on))
	}
	return resting, nil
}
