package broadcast

import (
	"context"
	"sync"
	"time"

	"wechat-broadcast/models"
)

// Receipt counts the platform's report on a message. It returns once that is
// committed, so that the platform may be answered.
func (e *Engine) Receipt(ctx context.Context, msgID int64, status string) error {
	return e.receipts.add(ctx, msgID, status)
}

// Status returns where a broadcast stands, the latest one for id 0.
func (e *Engine) Status(ctx context.Context, id int64) (*Status, error) {
	b, err := e.store.FindBroadcast(ctx, id)
	if err != nil {
		return nil, err
	}
	return e.status(ctx, *b)
}

// Glance returns a Status that may be a little old: for those who look again and
// again. Counting takes the longer the larger the broadcast is, so the older it
// may be, and all who look meanwhile share one count.
func (e *Engine) Glance(ctx context.Context, id int64) (*Status, error) {
	e.glances.mu.Lock()
	g := e.glances.last[id]
	if g == nil {
		g = &glance{}
		e.glances.last[id] = g
	}
	e.glances.mu.Unlock()

	g.mu.Lock()
	defer g.mu.Unlock()
	began := e.now()
	if g.status != nil && began.Before(g.until) {
		return g.status, nil
	}
	st, err := e.Status(ctx, id)
	if err != nil {
		return nil, err
	}
	now := e.now()
	g.status, g.until = st, now.Add(max(glanceLeast, glanceShare*now.Sub(began)))
	return st, nil
}

const (
	glanceLeast = 500 * time.Millisecond
	glanceShare = 20 // times what counting took: it costs at most this part of one core
)

// glances are the last Status of each broadcast that somebody looked at.
type glances struct {
	mu   sync.Mutex
	last map[int64]*glance
}

type glance struct {
	mu     sync.Mutex
	status *Status
	until  time.Time
}

// List returns the latest n broadcasts, the newest first.
func (e *Engine) List(ctx context.Context, n int) ([]Status, error) {
	list, err := e.store.Broadcasts(ctx, n)
	if err != nil {
		return nil, err
	}
	all := make([]Status, 0, len(list))
	for _, b := range list {
		st, err := e.status(ctx, b)
		if err != nil {
			return nil, err
		}
		all = append(all, *st)
	}
	return all, nil
}

func (e *Engine) status(ctx context.Context, b models.Broadcast) (*Status, error) {
	counts, err := e.store.CountDeliveries(ctx, b.ID)
	if err != nil {
		return nil, err
	}
	st := &Status{Broadcast: b, Counts: counts}
	if b.State != models.Running {
		return st, nil
	}
	if counts.PutOff > 0 {
		st.Again = counts.PutOffSince.Add(laterAfter)
	}
	st.Rate, st.Slowed = e.rate(ctx, b.ID), e.gate.Slow()
	if rest := st.Remaining() - counts.PutOff; st.Rate > 0 && rest > 0 && !st.Slowed {
		st.Left = max(time.Duration(float64(rest)/st.Rate*float64(time.Second)), time.Second)
	}
	return st, nil
}

// rate returns the sends a second of a broadcast; 0 if that is not known.
func (e *Engine) rate(ctx context.Context, id int64) float64 {
	if e.crew != nil {
		perSecond, err := e.crew.pulse.rate(ctx, id)
		if err != nil {
			e.log.DebugContext(ctx, "speed not known", "broadcast", id, "err", err)
		}
		return perSecond
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.runs[id]; r != nil {
		return r.meter.rate(e.now())
	}
	return 0
}

// SentToday counts the recipients that were tried since midnight in Beijing.
func (e *Engine) SentToday(ctx context.Context) (int64, error) {
	now := e.now().In(beijing)
	return e.store.CountSince(ctx, time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, beijing))
}

// Pause stops a broadcast until Resume; id 0 means the latest that runs or is
// about to.
func (e *Engine) Pause(ctx context.Context, id int64, by string) (*models.Broadcast, error) {
	return e.move(ctx, id, "pause", by, models.Paused, models.Scheduled, models.Running)
}

// Resume goes on with a paused broadcast; id 0 means the latest that is paused.
func (e *Engine) Resume(ctx context.Context, id int64, by string) (*models.Broadcast, error) {
	// Through scheduled, so that one that was paused in its undo window keeps it.
	return e.move(ctx, id, "resume", by, models.Scheduled, models.Paused)
}

// Cancel ends a broadcast for good; id 0 means the latest that has not ended.
// What was sent stays sent.
func (e *Engine) Cancel(ctx context.Context, id int64, by string) (*models.Broadcast, error) {
	return e.move(ctx, id, "cancel", by, models.Cancelled, models.Scheduled, models.Running, models.Paused)
}

// move makes the move that an admin asked for.
func (e *Engine) move(ctx context.Context, id int64, action, by string, to models.BroadcastState, from ...models.BroadcastState) (*models.Broadcast, error) {
	if id == 0 {
		list, err := e.store.Broadcasts(ctx, 1, from...)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, models.NewError(models.NotFound, models.ErrNothingTo, "Action", action)
		}
		id = list[0].ID
	}
	change := models.Change{}
	switch to {
	case models.Paused:
		change.Reason = models.ReasonAdmin
	case models.Cancelled:
		change.Reason, change.FinishedAt = models.ReasonAdmin, e.now()
	case models.Scheduled, models.Running, models.Finished, models.Failed:
	}
	moved, err := e.store.MoveBroadcast(ctx, id, from, to, change)
	if err != nil {
		return nil, err
	}
	b, err := e.store.FindBroadcast(ctx, id)
	if err != nil {
		return nil, err
	}
	if !moved {
		return nil, models.NewError(models.Conflict, models.ErrWrongState, "ID", id, "State", string(b.State), "Action", action)
	}
	e.log.InfoContext(ctx, "broadcast moved by an admin", "broadcast", id, "action", action, "admin", models.MaskOpenID(by))
	if to != models.Scheduled {
		e.mu.Lock()
		if r := e.runs[id]; r != nil {
			r.cancel(errStopped)
		}
		e.mu.Unlock()
		if e.crew != nil {
			e.crew.cancel(id)
		}
	}
	e.wake()
	return b, nil
}
