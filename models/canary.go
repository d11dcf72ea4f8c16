package models

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// CanaryAsSet is the Canary of a broadcast of which a part is to be tried first, as many
// as the setting says when its audience is frozen.
const CanaryAsSet = -1

// TriesFirst tells whether a broadcast goes to its canary alone for now: it did not pause
// after it yet.
func (b *Broadcast) TriesFirst() bool { return b.Canary != 0 && b.CanaryAt.IsZero() }

// AwaitsWord tells whether a broadcast is paused after its canary, until an admin resumes
// it.
func (b *Broadcast) AwaitsWord() bool { return b.State == Paused && b.Reason == ReasonCanary }

// ChooseCanary stores the recipients of a broadcast's canary, of an audience of so many,
// and enters them into b. With no ids the broadcast has no canary. It is decided once:
// whoever comes later gets what was decided. All of it is one transaction, so that a crash
// leaves either no canary or the whole of it.
func (s *Store) ChooseCanary(ctx context.Context, b *Broadcast, ids []int64, of int64, now time.Time) error {
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		var row Broadcast
		if err := forUpdate(tx).Take(&row, b.ID).Error; err != nil {
			return err
		}
		if row.Canary != 0 && row.CanarySegment == 0 {
			if err := chooseCanary(tx, &row, ids, of, now); err != nil {
				return err
			}
		}
		b.Canary, b.CanarySegment, b.CanaryAt = row.Canary, row.CanarySegment, row.CanaryAt
		return nil
	})
	return wrap(err, "choose canary")
}

func chooseCanary(tx *gorm.DB, row *Broadcast, ids []int64, of int64, now time.Time) error {
	row.Canary = int64(len(ids))
	set := map[string]any{"canary": row.Canary}
	if len(ids) > 0 {
		seg := Segment{Kind: SegmentCanary, Name: fmt.Sprintf("#%d", row.ID), Size: row.Canary, Fields: "[]", Used: true, MadeAt: At(now)}
		if err := tx.Create(&seg).Error; err != nil {
			return err
		}
		members := make([]Member, len(ids))
		for i, id := range ids {
			members[i] = Member{SegmentID: seg.ID, RecipientID: id}
		}
		if err := tx.CreateInBatches(members, maxRows).Error; err != nil {
			return err
		}
		row.CanarySegment = seg.ID
		set["canary_segment"], set["recipients"] = seg.ID, of
		set["asked_for"] = gorm.Expr("CASE WHEN asked_for < ? THEN ? ELSE asked_for END", of, of)
	}
	return tx.Model(&Broadcast{}).Where("id = ?", row.ID).Updates(set).Error
}

// CanaryIDs returns the next recipients of a broadcast's canary in the order of their ids,
// those after an id, at most n.
func (s *Store) CanaryIDs(ctx context.Context, b *Broadcast, after int64, n int) ([]int64, error) {
	return s.nextIDs(ctx, []source{s.canary(b, b.CanarySegment)}, after, b.ThroughID, n)
}

// CanaryOpen tells whether somebody of a broadcast's canary is still to be sent to, or is
// being sent to. Whom the platform had put off is neither.
func (s *Store) CanaryOpen(ctx context.Context, b *Broadcast) (bool, error) {
	src := s.canary(b, b.CanarySegment)
	args := append([]any{b.ID}, src.among.args...)
	open, err := exists(ctx, s.r, "SELECT 1 FROM "+src.from+
		" LEFT JOIN deliveries d ON d.broadcast_id = ? AND d.recipient_id = m.recipient_id"+
		" WHERE "+src.among.sql+" AND (d.state = 'sending' OR d.state IS NULL AND "+src.where.sql+") LIMIT 1", args...)
	if err == nil && !open { // one who left since may be being sent to
		var n int64
		n, err = unrecorded(s.r.WithContext(ctx), b.ID)
		open = n > 0
	}
	return open, wrap(err, "look for who is left of a canary")
}

// Outstanding counts the messages of a broadcast that the platform took and has not
// reported on, and says when the last of these was taken. It reads all deliveries of the
// broadcast.
func (s *Store) Outstanding(ctx context.Context, id int64) (n int64, last Time, err error) {
	var row struct {
		N    int64
		Last Time
	}
	err = s.r.WithContext(ctx).Model(&Delivery{}).Select("COUNT(*) AS n, MAX(updated_at) AS last").
		Where("broadcast_id = ? AND state = ?", id, Accepted).Scan(&row).Error
	return row.N, row.Last, wrap(err, "count outstanding receipts")
}
