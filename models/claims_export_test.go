package models

import (
	"context"
	"fmt"
	"time"
)

// ClaimBatch leaves a batch as one whose lease ended with these claims.
func (s *Store) ClaimBatch(ctx context.Context, id, seq int64, claims Claims) error {
	return s.exec(ctx, "UPDATE batches SET times_leased = 1, claims = ? WHERE broadcast_id = ? AND seq = ?", claims, id, seq)
}

// ClaimRows writes a row for each recipient who is claimed.
func (s *Store) ClaimRows(ctx context.Context, id int64, recipients []int64, now time.Time) error {
	return s.exec(ctx, claimQuery(id, recipients, now))
}

// FillRunning makes broadcast 1 anew: it runs, without a delivery, and has so many batches of a
// size.
func FillRunning(ctx context.Context, s *Store, batches, size int64) error {
	for _, table := range []string{"deliveries", "outcome_counts", "send_counts", "batches", "broadcasts"} {
		if err := s.exec(ctx, "DELETE FROM "+table); err != nil {
			return err
		}
	}
	b := &Broadcast{ID: 1, RequestKey: "fill", Audience: AudienceAll, State: Running, StartedAt: At(time.Now())}
	if err := s.w.WithContext(ctx).Create(b).Error; err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	list := make([]Batch, batches)
	for i := range list {
		n := int64(i)
		list[i] = Batch{BroadcastID: 1, Seq: n + 1, AfterID: n * size, ThroughID: (n + 1) * size, Size: size, State: BatchTodo}
	}
	return s.AddBatches(ctx, list)
}
