// Package planning fixes to whom a broadcast goes and cuts it into batches.
package planning

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/canary"
)

const (
	// BatchSize is how many recipients a batch has: few enough for replicas to share a
	// broadcast evenly.
	BatchSize = 500
	// planAhead is how many batches are cut with one query at most: each is stored with a commit
	// of its own, which a busy disk takes long for.
	planAhead = 100
)

// Planner plans broadcasts. All fields are required.
type Planner struct {
	Store  *models.Store
	Canary *canary.Chooser
	Now    func() time.Time
	Log    *slog.Logger
}

// Plan fixes the audience of a broadcast and cuts it into batches, going on after the last
// one that is stored. It plans the canary alone, and says so, if the broadcast has one and
// did not pause after it yet.
func (p *Planner) Plan(ctx context.Context, b models.Broadcast) (canaryAlone bool, err error) {
	if !b.PlannedAt.IsZero() {
		return false, nil
	}
	if err := p.Store.FreezeAudience(ctx, &b); err != nil {
		return false, err
	}
	if b.Canary != 0 && b.CanarySegment == 0 {
		if err := p.Canary.Choose(ctx, &b); err != nil {
			return false, err
		}
	}
	if b.TriesFirst() {
		last, err := p.cut(ctx, &b, b.CanarySegment, p.Store.CanaryIDs)
		if err == nil {
			p.Log.InfoContext(ctx, "canary planned", "broadcast", b.ID, "batches", last)
		}
		return true, err
	}
	last, err := p.cut(ctx, &b, 0, p.Store.AudienceIDs)
	if err != nil {
		return false, err
	}
	n, err := p.Store.PlanDone(ctx, b.ID, p.Now())
	if err != nil {
		return false, fmt.Errorf("plan broadcast: %w", err)
	}
	p.Log.InfoContext(ctx, "broadcast planned", "broadcast", b.ID, "recipients", n, "batches", last)
	return false, nil
}

// nextFunc returns the next recipients of a broadcast, those after an id, at most n.
type nextFunc func(ctx context.Context, b *models.Broadcast, after int64, n int) ([]int64, error)

// cut cuts a part of a broadcast's audience into batches, the canary's segment or, with 0,
// all others, and returns the number of the last batch.
func (p *Planner) cut(ctx context.Context, b *models.Broadcast, segment int64, next nextFunc) (seq int64, err error) {
	last, err := p.Store.LastBatch(ctx, b.ID)
	if err != nil {
		return 0, err
	}
	if last == nil {
		last = &models.Batch{BroadcastID: b.ID, SegmentID: segment}
	}
	if last.SegmentID != segment { // the last of the canary: the others begin anew
		last = &models.Batch{BroadcastID: b.ID, SegmentID: segment, Seq: last.Seq}
	}
	for ahead := 1; ; ahead = min(10*ahead, planAhead) { // the first batch alone, so that sending starts at once
		ids, err := next(ctx, b, last.ThroughID, ahead*BatchSize)
		if err != nil || len(ids) == 0 {
			return last.Seq, err
		}
		batches := Cut(*last, ids)
		if err := p.Store.AddBatches(ctx, batches); err != nil {
			return 0, err
		}
		last = &batches[len(batches)-1]
	}
}

// Cut cuts the ids, which come in order, into the batches after last, of the same segment.
func Cut(last models.Batch, ids []int64) []models.Batch {
	var batches []models.Batch
	for len(ids) > 0 {
		n := min(BatchSize, len(ids))
		last = models.Batch{
			BroadcastID: last.BroadcastID, Seq: last.Seq + 1, State: models.BatchTodo,
			AfterID: last.ThroughID, ThroughID: ids[n-1], Size: int64(n), SegmentID: last.SegmentID,
		}
		batches = append(batches, last)
		ids = ids[n:]
	}
	return batches
}
