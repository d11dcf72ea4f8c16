// Package planning fixes to whom a broadcast goes and cuts it into batches.
package planning

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"wechat-broadcast/models"
)

const (
	// BatchSize is how many recipients a batch has: few enough for replicas to share a
	// broadcast evenly.
	BatchSize = 500
	planAhead = 20 // batches that are cut with one query
)

// Planner plans broadcasts. All fields are required.
type Planner struct {
	Store *models.Store
	Now   func() time.Time
	Log   *slog.Logger
}

// Plan fixes the audience of a broadcast and cuts it into batches, going on after the last
// one that is stored.
func (p *Planner) Plan(ctx context.Context, b models.Broadcast) error {
	if !b.PlannedAt.IsZero() {
		return nil
	}
	if err := p.Store.FreezeAudience(ctx, &b); err != nil {
		return err
	}
	last, err := p.Store.LastBatch(ctx, b.ID)
	if err != nil {
		return err
	}
	if last == nil {
		last = &models.Batch{BroadcastID: b.ID}
	}
	for ahead := 1; ; ahead = planAhead { // the first batch alone, so that sending starts at once
		ids, err := p.Store.AudienceIDs(ctx, &b, last.ThroughID, ahead*BatchSize)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			break
		}
		batches := Cut(*last, ids)
		if err := p.Store.AddBatches(ctx, batches); err != nil {
			return err
		}
		last = &batches[len(batches)-1]
	}
	n, err := p.Store.PlanDone(ctx, b.ID, p.Now())
	if err != nil {
		return fmt.Errorf("plan broadcast: %w", err)
	}
	p.Log.InfoContext(ctx, "broadcast planned", "broadcast", b.ID, "recipients", n, "batches", last.Seq)
	return nil
}

// Cut cuts the ids, which come in order, into the batches after last.
func Cut(last models.Batch, ids []int64) []models.Batch {
	var batches []models.Batch
	for len(ids) > 0 {
		n := min(BatchSize, len(ids))
		last = models.Batch{
			BroadcastID: last.BroadcastID, Seq: last.Seq + 1, State: models.BatchTodo,
			AfterID: last.ThroughID, ThroughID: ids[n-1], Size: int64(n),
		}
		batches = append(batches, last)
		ids = ids[n:]
	}
	return batches
}
