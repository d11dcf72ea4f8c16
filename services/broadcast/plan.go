package broadcast

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/worker"
)

const (
	batchSize = 500 // recipients: small enough for replicas to share a broadcast evenly
	planAhead = 20  // batches that are cut with one query

	pullAgain = 15 * time.Second // after a pull that failed
)

// pullFirst pulls the followers before the first broadcast to all of them.
func (r *run) pullFirst(ctx context.Context) error {
	if !audience.Of(&r.b).NeedsSync || r.b.MaxRecipientID != 0 {
		return nil
	}
	pulled, err := r.everPulled(ctx)
	if err != nil || pulled {
		return err
	}
	r.pulling.Store(!r.pullFailed.Load())
	err = r.pull(ctx)
	r.pulling.Store(false)
	r.pullFailed.Store(err != nil)
	var told *models.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !errors.As(err, &told):
		// The platform or the database is away: the run is tried again, but not so
		// often that it uses up the day's calls.
		r.throttle.Hear(wechat.Result{Verdict: wechat.Away, Detail: "pull the followers"})
		_ = loop.Sleep(ctx, pullAgain)
		return err
	}
	r.log.WarnContext(ctx, "the followers could not be pulled", "broadcast", r.b.ID, "err", err)
	r.stopped(r.b, unpulled(told))
	return worker.ErrNotRunning
}

// unpulled says why a broadcast waits for its followers.
func unpulled(err *models.Error) models.Move {
	m := models.Move{Event: models.EventStop, Reason: models.ReasonSync}
	switch code, _ := err.Args["Code"].(int); {
	case err.Code == models.ErrSyncQuota:
		m.Reason = models.ReasonSyncQuota
	case err.Code == models.ErrSyncShort:
		m.Reason = models.ReasonSyncShort
	case code != 0:
		m.Detail = fmt.Sprintf("%d %v", code, err.Args["Reason"])
	}
	return m
}

// planning is the cutting of a broadcast into batches, which goes on beside
// their being sent.
type planning struct {
	done chan struct{}
	err  error
}

// startPlanning plans until it is done or ctx ends.
func (r *run) startPlanning(ctx context.Context) *planning {
	p := &planning{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = r.plan(ctx)
	}()
	return p
}

// over tells whether no batch is added any more, with the error if that is why.
func (p *planning) over() (bool, error) {
	select {
	case <-p.done:
		return true, p.err
	default:
		return false, nil
	}
}

// plan freezes the audience and cuts it into batches, going on after the last
// one that is stored.
func (r *run) plan(ctx context.Context) error {
	if !r.b.PlannedAt.IsZero() {
		return nil
	}
	store, b := r.store, r.b
	through, err := store.FreezeAudience(ctx, b.ID)
	if err != nil {
		return err
	}
	last, err := store.LastBatch(ctx, b.ID)
	if err != nil {
		return err
	}
	if last == nil {
		last = &models.Batch{BroadcastID: b.ID}
	}
	for ahead := 1; ; ahead = planAhead { // the first batch alone, so that sending starts at once
		ids, err := store.AudienceIDs(ctx, &b, last.ThroughID, through, ahead*batchSize)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			break
		}
		batches := cutBatches(*last, ids)
		if err := store.AddBatches(ctx, batches); err != nil {
			return err
		}
		last = &batches[len(batches)-1]
	}
	n, err := store.PlanDone(ctx, b.ID, r.now())
	if err != nil {
		return fmt.Errorf("plan broadcast: %w", err)
	}
	r.log.InfoContext(ctx, "broadcast planned", "broadcast", b.ID, "recipients", n, "batches", last.Seq)
	return nil
}

// cutBatches cuts the ids, which come in order, into the batches after last.
func cutBatches(last models.Batch, ids []int64) []models.Batch {
	var batches []models.Batch
	for len(ids) > 0 {
		n := min(batchSize, len(ids))
		last = models.Batch{
			BroadcastID: last.BroadcastID, Seq: last.Seq + 1, State: models.BatchTodo,
			AfterID: last.ThroughID, ThroughID: ids[n-1], Size: int64(n),
		}
		batches = append(batches, last)
		ids = ids[n:]
	}
	return batches
}
