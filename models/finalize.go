package models

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// FinalizeEnded gives an outcome to the deliveries that a broadcast left without
// one when it was cancelled or failed: what was begun is uncertain, what was put
// off is failed. It returns how many they are. Nobody may be sending it any more.
func (s *Store) FinalizeEnded(ctx context.Context, id int64, now time.Time) (n int64, err error) {
	if err := s.SettleClaims(ctx, id); err != nil {
		return 0, err
	}
	k, err := s.kept(ctx, id, "SELECT 1, '', 0, '', 0, 0, 0, 0 FROM facts WHERE 1 = 0")
	if err != nil {
		return 0, fmt.Errorf("look for open deliveries: %w", err)
	}
	if k.how == countedNever {
		return s.finalize(ctx, "broadcast_id = ?", []any{id}, now)
	}
	// A batch that is counted left nobody without an outcome.
	for _, part := range k.open {
		m, err := s.finalizeSpan(ctx, id, part, now)
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

func (s *Store) finalizeSpan(ctx context.Context, id int64, part span, now time.Time) (n int64, err error) {
	if part.segment == 0 {
		return s.finalize(ctx, "broadcast_id = ? AND recipient_id > ? AND recipient_id <= ?", []any{id, part.after, part.through}, now)
	}
	people, err := selectNumbers(s.r.WithContext(ctx), "SELECT recipient_id FROM members WHERE segment_id = ? AND recipient_id > ? AND recipient_id <= ?",
		part.segment, part.after, part.through)
	if err != nil {
		return 0, fmt.Errorf("list a canary: %w", err)
	}
	for group := range slices.Chunk(people, maxRows) {
		m, err := s.finalize(ctx, "broadcast_id = ? AND recipient_id IN ("+string(appendInts(nil, group...))+")", []any{id}, now)
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

// finalize is FinalizeEnded for the deliveries that meet a condition.
func (s *Store) finalize(ctx context.Context, where string, args []any, now time.Time) (n int64, err error) {
	where += " AND state IN ('sending', 'later')"
	// No index leads there, and on SQLite whoever writes keeps the others waiting.
	if err := s.r.WithContext(ctx).Raw("SELECT COUNT(*) FROM deliveries WHERE "+where, args...).Scan(&n).Error; err != nil {
		return 0, fmt.Errorf("look for open deliveries: %w", err)
	}
	if n == 0 {
		return 0, nil
	}
	// MySQL assigns from left to right, so state comes last.
	err = s.exec(ctx, `UPDATE deliveries SET updated_at = ?,
		detail = CASE state WHEN 'sending' THEN ? ELSE detail END,
		state = CASE state WHEN 'sending' THEN 'uncertain' ELSE 'failed' END WHERE `+where, append([]any{now.UnixMilli(), DetailEnded}, args...)...)
	if err != nil {
		return 0, fmt.Errorf("finalize open deliveries: %w", err)
	}
	return n, nil
}
