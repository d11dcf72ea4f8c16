package models

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// reachable is the condition on a row of recipients under which the person may be
// written to.
const reachable = "recipients.subscribed = 1 AND recipients.opted_out = 0"

// reach is the condition on a row of recipients under which a broadcast goes to
// it now.
func (b *Broadcast) reach() (where string, args []any) {
	switch b.Audience {
	case AudienceMe:
		// Whoever asks for it gets it, whatever else the row says.
		return "recipients.openid = ?", []any{b.AskedBy}
	case AudienceTest:
		return reachable + " AND recipients.tester = 1", nil
	case AudienceRetry:
		// Whom an earlier retry of the same broadcast tried is that one's to retry.
		return reachable + ` AND EXISTS (SELECT 1 FROM deliveries o WHERE o.broadcast_id = ?
			AND o.recipient_id = recipients.id AND o.state IN ('failed', 'uncertain'))
			AND NOT EXISTS (SELECT 1 FROM broadcasts t JOIN deliveries n ON n.broadcast_id = t.id
			WHERE t.of_id = ? AND t.audience = 'retry' AND t.id <> ? AND n.recipient_id = recipients.id)`, []any{b.OfID, b.OfID, b.ID}
	case AudienceReached:
		// One that a crash left as sending may have been sent.
		return reachable + ` AND EXISTS (SELECT 1 FROM deliveries o WHERE o.broadcast_id = ?
			AND o.recipient_id = recipients.id AND o.state IN ('accepted', 'delivered', 'uncertain', 'sending'))`, []any{b.OfID}
	case AudienceRest:
		return rest, []any{b.OfID, b.OfID, b.OfID, b.ID}
	case AudienceAll:
	}
	return reachable, nil
}

// rest is the condition of AudienceRest. The highest recipient of the earlier broadcast,
// once fixed, is that of the rest, too: its MaxRecipientID.
const rest = reachable + ` AND EXISTS (SELECT 1 FROM broadcasts o WHERE o.id = ? AND (o.audience = 'all'
		OR o.audience = 'test' AND recipients.tester = 1
		OR o.audience = 'me' AND recipients.openid = o.asked_by
		OR o.audience = 'reached' AND EXISTS (SELECT 1 FROM deliveries d
			WHERE d.broadcast_id = o.of_id AND d.recipient_id = recipients.id
			AND d.state IN ('accepted', 'delivered', 'uncertain', 'sending'))))
	AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.broadcast_id = ? AND d.recipient_id = recipients.id)
	AND NOT EXISTS (SELECT 1 FROM broadcasts t JOIN deliveries n ON n.broadcast_id = t.id
		WHERE t.of_id = ? AND t.audience = 'rest' AND t.id <> ? AND n.recipient_id = recipients.id)`

// reached narrows a query of recipients to those that a broadcast goes to.
func reached(q *gorm.DB, b *Broadcast) *gorm.DB {
	where, args := b.reach()
	return q.Where(where, args...)
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

// CountAudience returns how many recipients a broadcast goes to as things are now. Of a
// rest it says how many are left by the counts, which may have left since: to look at a
// million people one by one takes longer than a reply may.
func (s *Store) CountAudience(ctx context.Context, b *Broadcast) (n int64, err error) {
	if b.Audience == AudienceRest {
		n, known, err := s.countRest(ctx, b)
		if known || err != nil {
			return n, wrap(err, "count rest")
		}
	}
	err = reached(s.r.WithContext(ctx).Model(&Recipient{}), b).Count(&n).Error
	return n, wrap(err, "count audience")
}

// countRest returns how many of an earlier broadcast's recipients have no delivery; known
// is false if it was not planned to its end.
func (s *Store) countRest(ctx context.Context, b *Broadcast) (n int64, known bool, err error) {
	r := s.r.WithContext(ctx)
	of, err := first[Broadcast](r.Where("id = ? AND planned_at > 0", b.OfID))
	if err != nil || of == nil {
		return 0, false, err
	}
	var ids []int64
	err = r.Model(&Broadcast{}).Where("id = ? OR of_id = ? AND audience = ?", b.OfID, b.OfID, AudienceRest).Pluck("id", &ids).Error
	if err == nil {
		err = r.Model(&Delivery{}).Where("broadcast_id IN ?", ids).Count(&n).Error
	}
	return max(0, of.Recipients-n), true, err
}

// CountTakenOver returns how many of those to whom a broadcast that ended early did not
// come were tried by later broadcasts to its rest; that of a retry are later retries.
func (s *Store) CountTakenOver(ctx context.Context, b *Broadcast) (n int64, err error) {
	of, kind := b.ID, AudienceRest
	switch b.Audience {
	case AudienceRest:
		of = b.OfID
	case AudienceRetry:
		of, kind = b.OfID, AudienceRetry
	case AudienceMe, AudienceTest, AudienceAll, AudienceReached:
	}
	r := s.r.WithContext(ctx)
	later := r.Model(&Broadcast{}).Select("id").Where("of_id = ? AND audience = ? AND id > ?", of, kind, b.ID)
	err = r.Model(&Delivery{}).Where("broadcast_id IN (?)", later).Count(&n).Error
	return n, wrap(err, "count rest")
}

// SampleAudience returns up to n recipients of a broadcast: the first, or the last of a
// rest, since the first were tried before.
func (s *Store) SampleAudience(ctx context.Context, b *Broadcast, n int) ([]Recipient, error) {
	order := "id"
	if b.Audience == AudienceRest {
		order = "id DESC"
	}
	q := reached(s.r.WithContext(ctx), b)
	if b.MaxRecipientID != 0 {
		q = q.Where("id <= ?", b.MaxRecipientID)
	}
	var list []Recipient
	err := q.Order(order).Limit(n).Find(&list).Error
	return list, wrap(err, "sample audience")
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
	err = s.w.WithContext(ctx).Select("max_recipient_id").Take(&b, id).Error
	return b.MaxRecipientID, wrap(err, "freeze audience")
}

// AudienceIDs returns the next recipients of a broadcast in the order of their
// ids: after < id <= through, at most n.
func (s *Store) AudienceIDs(ctx context.Context, b *Broadcast, after, through int64, n int) ([]int64, error) {
	var ids []int64
	err := reached(s.r.WithContext(ctx).Model(&Recipient{}), b).
		Where("id > ? AND id <= ?", after, through).Order("id").Limit(n).Pluck("id", &ids).Error
	return ids, wrap(err, "list audience")
}

// LastBatch returns the last batch that was cut for a broadcast, or nil.
func (s *Store) LastBatch(ctx context.Context, id int64) (*Batch, error) {
	b, err := first[Batch](s.w.WithContext(ctx).Where("broadcast_id = ?", id).Order("seq DESC"))
	return b, wrap(err, "find last batch")
}

// AddBatches stores the next batches of a broadcast.
func (s *Store) AddBatches(ctx context.Context, batches []Batch) error {
	return wrap(s.w.WithContext(ctx).CreateInBatches(batches, maxRows).Error, "add batches")
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
			Updates(map[string]any{
				"planned_at": At(now), "recipients": n,
				"asked_for": gorm.Expr("CASE WHEN asked_for < ? THEN ? ELSE asked_for END", n, n),
			}).Error
	})
	return n, wrap(err, "end planning")
}

// CloseAudience records how many recipients a broadcast had in the end, when all
// its batches are done: those who have an outcome. Whoever said stop or left
// between the planning and their turn was none, and has no delivery.
func (s *Store) CloseAudience(ctx context.Context, id, recipients int64) error {
	err := s.w.WithContext(ctx).Model(&Broadcast{}).Where("id = ?", id).Update("recipients", recipients).Error
	return wrap(err, "close audience")
}
