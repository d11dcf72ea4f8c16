package broadcast

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const (
	batchSize = 500 // recipients: small enough for replicas to share a broadcast evenly
	planAhead = 20  // batches that are cut with one query

	pullAgain = 15 * time.Second // after a pull that failed
)

// pullFirst pulls the followers before the first broadcast to all of them.
func (r *run) pullFirst(ctx context.Context) error {
	if r.b.Audience != models.AudienceAll || r.b.MaxRecipientID != 0 {
		return nil
	}
	pulled, err := r.e.everPulled(ctx)
	if err != nil || pulled {
		return err
	}
	r.pulling.Store(!r.e.pullFailed.Load())
	err = r.e.pull(ctx)
	r.pulling.Store(false)
	r.e.pullFailed.Store(err != nil)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var told *models.Error
		if !errors.As(err, &told) {
			// The platform or the database is away: the run is tried again, but not so
			// often that it uses up the day's calls.
			r.e.sender.hear(wechat.Result{Verdict: wechat.Away, Detail: "pull the followers"})
			_ = sleep(ctx, pullAgain)
			return err
		}
		r.e.log.WarnContext(ctx, "the followers could not be pulled", "broadcast", r.b.ID, "err", err)
		r.stop(models.Paused, r.unpulled(told))
		return errSelf
	}
	return nil
}

// unpulled says why a broadcast waits for its followers.
func (r *run) unpulled(err *models.Error) models.Change {
	switch code, _ := err.Args["Code"].(int); {
	case err.Code == models.ErrSyncQuota:
		return models.Change{Reason: models.ReasonSyncQuota, ResumeAt: r.e.quotaReset()}
	case err.Code == models.ErrSyncShort:
		return models.Change{Reason: models.ReasonSyncShort}
	case code != 0:
		return models.Change{Reason: models.ReasonSync, Detail: fmt.Sprintf("%d %v", code, err.Args["Reason"])}
	default:
		return models.Change{Reason: models.ReasonSync}
	}
}

// plan freezes the audience and cuts it into batches, going on after the last
// one that is stored.
func (r *run) plan(ctx context.Context) error {
	if !r.b.PlannedAt.IsZero() {
		return nil
	}
	store, b := r.e.store, r.b
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
	n, err := store.PlanDone(ctx, b.ID, r.e.now())
	if err != nil {
		return fmt.Errorf("plan broadcast: %w", err)
	}
	r.e.log.InfoContext(ctx, "broadcast planned", "broadcast", b.ID, "recipients", n, "batches", last.Seq)
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
