package broadcast

import (
	"context"
	"slices"
	"time"

	"wechat-broadcast/models"
)

// aboutToStart is how soon a broadcast starts that a panic word pauses, too.
const aboutToStart = time.Hour

// Halted is what a panic word stopped.
type Halted struct {
	// Paused are the broadcasts that it paused, the newest first, with their counts as far
	// as these could be had in time.
	Paused []Status
	// Later are those that start later than it reaches, the soonest first.
	Later []models.Broadcast
	// Pending are those that wait for approvals, the newest first: they send nothing, and
	// wait still.
	Pending []models.Broadcast
}

// PauseAll pauses every broadcast that runs, waits for its undo window or for the day's
// quota, or starts within the hour, until an admin resumes or cancels it.
func (e *Engine) PauseAll(ctx context.Context, by string) (*Halted, error) {
	now := e.now()
	list, err := e.store.PauseAll(ctx, now.Add(aboutToStart), now)
	if err != nil {
		return nil, err
	}
	for _, b := range list {
		e.halt(b.ID)
		e.log.InfoContext(ctx, "broadcast paused by an alarm", "broadcast", b.ID, "admin", models.MaskOpenID(by))
	}
	e.wake()
	h := &Halted{}
	waiting, err := e.Waiting(ctx)
	if err != nil {
		e.log.WarnContext(ctx, "list what starts later", "err", err)
	}
	h.Later = slices.DeleteFunc(waiting, func(b models.Broadcast) bool { return b.State != models.Scheduled })
	if h.Pending, err = e.store.Broadcasts(ctx, waitingAtMost, models.Pending); err != nil {
		e.log.WarnContext(ctx, "list what waits for approvals", "err", err)
	}
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	for _, b := range list {
		st := Status{Broadcast: b}
		if st.Counts, err = e.store.CountDeliveries(ctx, b.ID); err != nil {
			e.log.DebugContext(ctx, "count what a paused broadcast sent", "broadcast", b.ID, "err", err)
		}
		h.Paused = append(h.Paused, st)
	}
	return h, nil
}
