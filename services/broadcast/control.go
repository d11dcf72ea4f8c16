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
	st.Stall = e.stalled(ctx, b.ID)
	st.Slowed = e.gate.Slow() && st.Stall == nil
	if st.Stall == nil && !e.hindered() {
		st.Rate = e.rate(ctx, b.ID)
	}
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
	if r := e.runOf(id); r != nil {
		return r.meter.rate(e.now())
	}
	return 0
}

// SentToday counts the recipients that were tried since midnight in Beijing.
func (e *Engine) SentToday(ctx context.Context) (int64, error) {
	now := e.now().In(beijing)
	return e.store.CountSince(ctx, time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, beijing))
}

// Pause stops a broadcast until Resume, one too that is paused and would go on by
// itself; id 0 means the latest of those. One that waits for an admin's word
// already stays as it is.
func (e *Engine) Pause(ctx context.Context, id int64, by string) (*models.Broadcast, error) {
	if id == 0 {
		var err error
		if id, err = e.latestToPause(ctx); err != nil {
			return nil, err
		}
	}
	paused, err := e.store.PauseBroadcast(ctx, id)
	if err != nil {
		return nil, err
	}
	b, err := e.store.FindBroadcast(ctx, id)
	if err != nil {
		return nil, err
	}
	if !paused && b.State != models.Paused {
		return nil, models.NewError(models.Conflict, models.ErrWrongState, "ID", id, "State", string(b.State), "Action", "pause")
	}
	e.moved(ctx, b, "pause", by)
	return b, nil
}

// latestToPause finds the latest broadcast that runs or is about to, or else the
// latest that will go on by itself.
func (e *Engine) latestToPause(ctx context.Context) (int64, error) {
	list, err := e.store.Broadcasts(ctx, 1000, models.Scheduled, models.Running, models.Paused)
	if err != nil {
		return 0, err
	}
	var later int64
	for _, b := range list {
		switch {
		case b.State != models.Paused:
			return b.ID, nil
		case later == 0 && !b.ResumeAt.IsZero():
			later = b.ID
		}
	}
	if later == 0 {
		return 0, models.NewError(models.NotFound, models.ErrNothingTo, "Action", "pause")
	}
	return later, nil
}

// Resume goes on with a paused broadcast; id 0 means the latest that is paused.
func (e *Engine) Resume(ctx context.Context, id int64, by string) (*models.Broadcast, error) {
	// Through scheduled, so that one that was paused in its undo window keeps it.
	return e.move(ctx, id, "resume", by, models.Scheduled, models.Paused)
}

// Cancelled is a broadcast that was cancelled, and what can't be undone.
type Cancelled struct {
	Broadcast models.Broadcast
	// Counted says that Taken is known: how many the platform took so far.
	Counted bool
	Taken   int64
	// OnTheWay is how many calls, at most, wait for their answer.
	OnTheWay int64
}

// Cancel ends a broadcast for good; id 0 means the latest that has not ended.
// What was sent stays sent, and so does what is on its way.
func (e *Engine) Cancel(ctx context.Context, id int64, by string) (*Cancelled, error) {
	b, err := e.move(ctx, id, "cancel", by, models.Cancelled, models.Scheduled, models.Running, models.Paused)
	if err != nil {
		return nil, err
	}
	c := &Cancelled{Broadcast: *b, OnTheWay: e.callsOf(b.ID)}
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	counts, err := e.store.CountDeliveries(ctx, b.ID)
	if err != nil {
		e.log.DebugContext(ctx, "count what a cancelled broadcast sent", "broadcast", b.ID, "err", err)
		return c, nil
	}
	c.Counted, c.Taken = true, counts.Taken()
	if e.crew != nil {
		c.OnTheWay = counts.Sending - counts.PutOff // the calls of the other replicas too
	}
	return c, nil
}

// countWithin is how long the answer to a cancel may wait for its counts.
const countWithin = time.Second

// callsOf counts the calls of a broadcast that wait for their answer here.
func (e *Engine) callsOf(id int64) int64 {
	if r := e.runOf(id); r != nil {
		return r.calls.Load()
	}
	return 0
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
	if to == models.Cancelled {
		change.Reason, change.FinishedAt = models.ReasonAdmin, e.now()
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
	e.moved(ctx, b, action, by)
	return b, nil
}

// moved acts on what an admin's word made of a broadcast.
func (e *Engine) moved(ctx context.Context, b *models.Broadcast, action, by string) {
	e.log.InfoContext(ctx, "broadcast moved by an admin", "broadcast", b.ID, "action", action, "admin", models.MaskOpenID(by))
	if action != "resume" {
		if r := e.runOf(b.ID); r != nil {
			r.cancel(errStopped)
		}
		if e.crew != nil {
			e.crew.cancel(b.ID)
		}
	}
	e.wake()
}
