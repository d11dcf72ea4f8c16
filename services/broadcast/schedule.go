package broadcast

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/worker"
)

// runs are the broadcasts that this process leads.
type runs struct {
	mu   sync.Mutex
	list map[int64]*run
}

// all returns every run.
func (r *runs) all() []*run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.list))
}

// find returns the run of a broadcast, or nil.
func (r *runs) find(id int64) *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list[id]
}

// schedule starts what is due until ctx ends and every run has ended.
func (e *Engine) schedule(ctx context.Context) {
	tick := time.NewTicker(worker.LookEvery)
	defer tick.Stop()
	for {
		if err := e.startDue(ctx); err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "look for broadcasts, trying again", "err", err)
		}
		select {
		case <-tick.C:
		case <-e.woken:
		case <-ctx.Done():
			all := e.runs.all()
			for _, r := range all {
				r.cancel(worker.ErrStopping)
			}
			for _, r := range all {
				<-r.done
			}
			return
		}
	}
}

// wake has the scheduler look at the broadcasts at once.
func (e *Engine) wake() {
	select {
	case e.woken <- struct{}{}:
	default:
	}
}

// startDue starts what is due, resumes what waited for its time and ends the runs of
// broadcasts that are no longer running.
func (e *Engine) startDue(ctx context.Context) error {
	list, err := e.store.Unfinished(ctx, 1000)
	if e.reading.Note(err) != nil {
		return err
	}
	running := map[int64]bool{}
	for i := range list {
		b := &list[i]
		if running[b.ID], err = e.moveDue(ctx, b); err != nil {
			return err
		}
		if running[b.ID] {
			if err := e.startRun(ctx, b.ID); err != nil {
				return err
			}
		}
	}
	for _, r := range e.runs.all() {
		if !running[r.b.ID] {
			r.cancel(worker.ErrNotRunning)
		}
	}
	return nil
}

// moveDue has a broadcast make the move whose time has come, and tells whether it runs
// then. Of b only what Store.Unfinished reads is known.
func (e *Engine) moveDue(ctx context.Context, b *models.Broadcast) (runs bool, err error) {
	m := models.Move{Event: e.due(b)}
	quiet := audience.QuietUntil(b, e.quiet, e.now())
	switch {
	case quiet.IsZero():
	case m.Event == models.EventDue:
		return false, e.store.PostponeBroadcast(ctx, b.ID, quiet, models.ReasonQuiet)
	case m.Event == models.EventGoOn || b.State == models.Running:
		m.Event = models.EventQuiet
	}
	switch m.Event {
	case "":
		return b.State == models.Running, nil
	case models.EventDue:
		if settled, err := e.settled(ctx, b); err != nil || !settled { // soon
			return false, err
		}
	case models.EventGoOn:
		e.throttle.ProbeFirst()
	case models.EventExpire:
		m.Reason = models.ReasonExpired
		e.log.InfoContext(ctx, "broadcast cancelled, as it was not approved in time", "broadcast", b.ID)
	case models.EventQuiet:
		m.Reason, m.ResumeAt = models.ReasonQuiet, quiet
		e.worker.End(b.ID)
	case models.EventMiss:
		m.Reason = models.ReasonMissed
		e.log.WarnContext(ctx, "nothing ran at the planned start, so an admin must say whether it starts", "broadcast", b.ID, "planned", b.PlannedStart)
	default:
	}
	moved, err := e.store.MoveBroadcast(ctx, b.ID, m, e.now())
	return err == nil && moved && m.To() == models.Running, err
}

// settled tells whether the outcomes that decide who belongs to the audience of a
// broadcast are those that stay: the last calls of the earlier ones are over.
func (e *Engine) settled(ctx context.Context, b *models.Broadcast) (bool, error) {
	if b.OfID == 0 {
		return true, nil
	}
	list, err := e.store.Completing(ctx, b)
	if err != nil {
		return false, err
	}
	for _, of := range list {
		if of.State == models.Running { // an admin resumed it
			continue
		}
		if done, err := e.Counted(ctx, of); err != nil || !done {
			return false, err
		}
	}
	return true, nil
}

// due is the event that has come for a broadcast, empty if none has.
func (e *Engine) due(b *models.Broadcast) models.Event {
	now := e.now()
	switch {
	case b.Expired(now):
		return models.EventExpire
	case b.Moves(models.EventMiss) && e.missed(b):
		return models.EventMiss
	case b.Moves(models.EventDue) && !now.Before(b.NotBefore.Time) && !e.unconfirmed(b.RequestKey):
		return models.EventDue
	case b.Moves(models.EventGoOn) && !now.Before(b.ResumeAt.Time):
		return models.EventGoOn
	}
	return ""
}

// startRun leads a running broadcast, unless it is led already or somebody stopped it just
// now.
func (e *Engine) startRun(ctx context.Context, id int64) error {
	if e.runs.find(id) != nil {
		return nil
	}
	// A move to running sets when it started, which its message may say.
	stored, err := e.store.FindBroadcast(ctx, id)
	if err != nil || stored.State != models.Running {
		return err
	}
	b := *stored
	e.runs.mu.Lock()
	defer e.runs.mu.Unlock()
	if e.runs.list[id] != nil {
		return nil
	}
	r := &run{Engine: e, b: b, done: make(chan struct{})}
	runCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	r.cancel = cancel
	e.runs.list[b.ID] = r
	e.log.InfoContext(ctx, "broadcast goes", "broadcast", b.ID, "message", b.Name, "audience", b.Audience)
	go func() {
		defer close(r.done)
		defer cancel(nil)
		err := r.lead(runCtx)
		if err != nil && runCtx.Err() == nil && !errors.Is(err, worker.ErrNotRunning) {
			e.log.WarnContext(ctx, "broadcast interrupted, going on soon", "broadcast", b.ID, "err", err)
			_ = loop.Sleep(runCtx, time.Second)
		}
		e.runs.mu.Lock()
		delete(e.runs.list, b.ID)
		e.runs.mu.Unlock()
		e.wake()
	}()
	return nil
}
