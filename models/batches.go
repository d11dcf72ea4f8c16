package models

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// audience narrows a query of recipients to an audience. self is the recipient
// that AudienceMe means: it gets the message whatever the table says of it.
func audience(q *gorm.DB, a Audience, self string) *gorm.DB {
	switch a {
	case AudienceMe:
		return q.Where("openid = ?", self)
	case AudienceTest:
		return q.Where("tester = 1 AND subscribed = 1 AND opted_out = 0")
	default:
		return q.Where("subscribed = 1 AND opted_out = 0")
	}
}

// EnsureRecipient adds a person who wrote to the account, so follows it, but is
// not known as a follower.
func (s *Store) EnsureRecipient(ctx context.Context, openID string, now time.Time) error {
	return s.ChangeRecipient(ctx, openID, func(r *Recipient) {
		if r.Subscribed {
			return
		}
		r.Subscribed, r.UpdatedAt = true, At(now)
		if r.ID == 0 {
			r.CreatedAt = At(now)
		}
	})
}

// CountAudience returns how many recipients an audience has now.
func (s *Store) CountAudience(ctx context.Context, a Audience, self string) (int64, error) {
	var n int64
	err := audience(s.r.WithContext(ctx).Model(&Recipient{}), a, self).Count(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count audience: %w", err)
	}
	return n, nil
}

// SampleAudience returns the first n recipients of an audience.
func (s *Store) SampleAudience(ctx context.Context, a Audience, self string, n int) ([]Recipient, error) {
	var list []Recipient
	err := audience(s.r.WithContext(ctx), a, self).Order("id").Limit(n).Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("sample audience: %w", err)
	}
	return list, nil
}

// FreezeAudience fixes the highest recipient that a broadcast can reach, so that
// whoever joins later is not swept in, and returns it. It is fixed once.
func (s *Store) FreezeAudience(ctx context.Context, id int64) (int64, error) {
	err := s.w.WithContext(ctx).Exec(
		"UPDATE broadcasts SET max_recipient_id = (SELECT COALESCE(MAX(id), 0) FROM recipients)"+
			" WHERE id = ? AND max_recipient_id = 0", id).Error
	if err != nil {
		return 0, fmt.Errorf("freeze audience: %w", err)
	}
	var b Broadcast
	if err := s.w.WithContext(ctx).Select("max_recipient_id").Take(&b, id).Error; err != nil {
		return 0, fmt.Errorf("freeze audience: %w", err)
	}
	return b.MaxRecipientID, nil
}

// AudienceIDs returns the next ids of an audience in their order:
// after < id <= through, at most n.
func (s *Store) AudienceIDs(ctx context.Context, a Audience, self string, after, through int64, n int) ([]int64, error) {
	var ids []int64
	err := audience(s.r.WithContext(ctx).Model(&Recipient{}), a, self).
		Where("id > ? AND id <= ?", after, through).Order("id").Limit(n).Pluck("id", &ids).Error
	if err != nil {
		return nil, fmt.Errorf("list audience: %w", err)
	}
	return ids, nil
}

// LastBatch returns the last batch that was cut for a broadcast, or nil.
func (s *Store) LastBatch(ctx context.Context, id int64) (*Batch, error) {
	var b []Batch
	err := s.w.WithContext(ctx).Where("broadcast_id = ?", id).Order("seq DESC").Limit(1).Find(&b).Error
	if err != nil {
		return nil, fmt.Errorf("find last batch: %w", err)
	}
	if len(b) == 0 {
		return nil, nil
	}
	return &b[0], nil
}

// AddBatches stores the next batches of a broadcast.
func (s *Store) AddBatches(ctx context.Context, batches []Batch) error {
	if err := s.w.WithContext(ctx).CreateInBatches(batches, maxRows).Error; err != nil {
		return fmt.Errorf("add batches: %w", err)
	}
	return nil
}

// PlanDone records that every batch of a broadcast is there and returns how
// many recipients they hold.
func (s *Store) PlanDone(ctx context.Context, id int64, now time.Time) (int64, error) {
	var n int64
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		err := tx.Model(&Batch{}).Where("broadcast_id = ?", id).Select("COALESCE(SUM(size), 0)").Scan(&n).Error
		if err != nil {
			return err
		}
		return tx.Model(&Broadcast{}).Where("id = ?", id).
			Updates(map[string]any{"planned_at": At(now), "recipients": n}).Error
	})
	if err != nil {
		return 0, fmt.Errorf("end planning: %w", err)
	}
	return n, nil
}

// TodoBatches returns the next batches that are not done, after a number.
func (s *Store) TodoBatches(ctx context.Context, id, afterSeq int64, n int) ([]Batch, error) {
	var list []Batch
	err := s.r.WithContext(ctx).Where("broadcast_id = ? AND state = ? AND seq > ?", id, BatchTodo, afterSeq).
		Order("seq").Limit(n).Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("list batches: %w", err)
	}
	return list, nil
}

// FinishBatch records that every recipient of a batch has its outcome.
func (s *Store) FinishBatch(ctx context.Context, b Batch) error {
	err := s.w.WithContext(ctx).Model(&Batch{}).
		Where("broadcast_id = ? AND seq = ?", b.BroadcastID, b.Seq).Update("state", BatchDone).Error
	if err != nil {
		return fmt.Errorf("finish batch: %w", err)
	}
	return nil
}
