package broadcast

import (
	"context"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
)

const (
	// endedEarly is how many of the broadcasts that ended early are looked through, and
	// finalizedAtMost how many of them are known to be done.
	endedEarly, finalizedAtMost = 20, 100
	finalizeEvery               = 2 * time.Second
	updateEvery                 = 5 * time.Second
	purgeEvery                  = time.Hour

	// keepReplies is how long the reply to a chat message is kept for its
	// redelivery, which comes within seconds.
	keepReplies = 24 * time.Hour
	// keepReceipts is how long a receipt that belongs to no delivery is kept.
	keepReceipts = 72 * time.Hour
)

// tidy finalizes what ended early, keeps the metrics up to date and purges what is
// old until ctx ends.
func (e *Engine) tidy(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { loop.Every(ctx, finalizeEvery, func() { e.finalize(ctx) }) })
	loops.Go(func() { loop.Every(ctx, updateEvery, func() { e.updateMetrics(ctx) }) })
	loops.Go(func() { loop.Every(ctx, purgeEvery, func() { e.purge(ctx) }) })
	loops.Go(func() { loop.Every(ctx, lookEvery, func() { e.lookIntercepted(ctx) }) })
	loops.Go(func() { e.retention.Run(ctx) })
	loops.Wait()
}

// finalize sees to it that a broadcast that was cancelled or failed leaves nobody
// without an outcome: those who may have been sent to, those who were put off,
// those whom a crash left begun.
func (e *Engine) finalize(ctx context.Context) {
	if err := e.finalizeEnded(ctx); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "finalize what ended early, trying again", "err", err)
	}
}

func (e *Engine) finalizeEnded(ctx context.Context) error {
	list, err := e.store.InState(ctx, endedEarly, models.Cancelled, models.Failed)
	if err != nil {
		return err
	}
	for _, b := range list {
		if _, err := e.Counted(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// Counted tells whether the counts of a broadcast that does not run are those that
// stay, but for its receipts: its last calls are over, and nobody of one that ended
// early is left without an outcome.
func (e *Engine) Counted(ctx context.Context, b models.Broadcast) (bool, error) {
	if e.finalized.Contains(b.ID) {
		return true, nil
	}
	busy, err := e.Busy(ctx, b.ID)
	if err != nil || busy {
		return false, err
	}
	if b.State != models.Cancelled && b.State != models.Failed {
		// A correction goes to those as well whom a paused broadcast may have been sent to.
		return true, e.store.SettleClaims(ctx, b.ID)
	}
	n, err := e.store.FinalizeEnded(ctx, b.ID, e.now())
	if err != nil {
		return false, err
	}
	e.finalized.Add(b.ID, struct{}{})
	if n > 0 {
		e.log.InfoContext(ctx, "recipients finalized whose outcome was open", "broadcast", b.ID, "recipients", n)
	}
	return true, nil
}

// Busy tells whether anybody still sends a broadcast, or waits for its last calls.
func (e *Engine) Busy(ctx context.Context, id int64) (bool, error) {
	if e.runs.find(id) != nil || e.worker.Sends(id) {
		return true, nil
	}
	return e.store.Leased(ctx, id)
}

// purge drops what is kept for a while only.
func (e *Engine) purge(ctx context.Context) {
	if err := e.store.DropReceipts(ctx, e.now().Add(-keepReceipts)); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "drop old receipts", "err", err)
	}
	if _, err := e.store.PurgeInbound(ctx, e.now().Add(-keepReplies)); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "drop old replies", "err", err)
	}
	if err := e.store.PurgeAPIRequests(ctx, e.now()); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "drop old answers of the API", "err", err)
	}
	if err := e.store.TidySegments(ctx, e.now()); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "delete the people of old lists", "err", err)
	}
	if err := e.store.TidyConsole(ctx, e.now().Add(-keepReplies)); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "drop old sessions of the console", "err", err)
	}
	if err := e.tags.Tidy(ctx); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "drop old pulls of tags", "err", err)
	}
}

// updateMetrics renews the figures of the running broadcasts.
func (e *Engine) updateMetrics(ctx context.Context) {
	var list []Status
	for _, r := range e.runs.all() {
		st, err := e.Recent(r.b.ID)
		if err != nil {
			e.log.DebugContext(ctx, "renew metrics", "err", err)
			return
		}
		list = append(list, *st)
	}
	e.metrics.update(list)
}
