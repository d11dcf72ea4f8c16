package models

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
)

// A broadcast that ended long ago is tallied: what its deliveries come to is kept, and they
// are deleted. From then on it counts as it was tallied, whatever is still there of them.

// Tally is how many deliveries of a broadcast there were of a sort: as Failures has them,
// and of the other states by their state alone.
type Tally struct {
	BroadcastID int64 `gorm:"primaryKey;autoIncrement:false"`
	Seq         int64 `gorm:"primaryKey;autoIncrement:false"`
	State       DeliveryState
	ErrCode     int `gorm:"column:errcode"`
	Detail      string
	N           int64
}

// talliedSpan is how many sends of a tallied broadcast began in a span of time.
type talliedSpan struct {
	BroadcastID int64 `gorm:"primaryKey;autoIncrement:false"`
	At          Time  `gorm:"primaryKey;autoIncrement:false"`
	N           int64
}

// TableName implements GORM's Tabler.
func (talliedSpan) TableName() string { return "tallied_sends" }

// tallied returns a broadcast as it was tallied, nil if it was not.
func (s *Store) tallied(ctx context.Context, id int64) (*Broadcast, error) {
	return first[Broadcast](s.r.WithContext(ctx).Select("id, tallied_at, price_left, price_opted_out").
		Where("id = ? AND tallied_at > 0", id))
}

// DeliveriesGone returns when the counts of a broadcast were kept since its deliveries are
// deleted: what was read of them before this was asked may lack some. Zero if they are there.
func (s *Store) DeliveriesGone(ctx context.Context, id int64) (time.Time, error) {
	b, err := s.tallied(ctx, id)
	if err != nil || b == nil {
		return time.Time{}, wrap(err, "ask whether deliveries are deleted")
	}
	return b.TalliedAt.Time, nil
}

func (s *Store) talliedCounts(ctx context.Context, id int64) (Counts, error) {
	var list []Tally
	if err := s.r.WithContext(ctx).Where("broadcast_id = ?", id).Find(&list).Error; err != nil {
		return Counts{}, fmt.Errorf("read tally: %w", err)
	}
	n := map[DeliveryState]int64{}
	for _, t := range list {
		n[t.State] += t.N
	}
	return countsOf(n, Time{}), nil
}

func (s *Store) talliedFailures(ctx context.Context, id int64) ([]Failures, error) {
	var list []Failures
	err := s.r.WithContext(ctx).Model(&Tally{}).Select("state, errcode, detail, n").
		Where("broadcast_id = ? AND state IN ?", id, []DeliveryState{FailedFor, Uncertain, Skipped}).
		Order("n DESC, state, errcode, detail").Scan(&list).Error // tallyOf keeps few
	return list, wrap(err, "read tally")
}

func (s *Store) talliedSends(ctx context.Context, id, span int64) ([]Sends, error) {
	var list []Sends
	err := s.r.WithContext(ctx).Raw("SELECT s.at - s.at % ? AS at, SUM(s.n) AS n FROM tallied_sends s"+
		" WHERE s.broadcast_id = ? GROUP BY s.at - s.at % ? ORDER BY 1", span, id, span).Scan(&list).Error
	return list, wrap(err, "read tally")
}

// Ended returns the numbers of the broadcasts that ended before a moment and have
// deliveries still, or may have, those that ended first first; and of those that are
// tallied, whenever they ended.
func (s *Store) Ended(ctx context.Context, before time.Time) ([]int64, error) {
	var ids []int64
	err := s.r.WithContext(ctx).Model(&Broadcast{}).
		Where("emptied = 0 AND finished_at > 0 AND (finished_at < ? OR tallied_at > 0)", At(before)).
		Order("finished_at, id").Pluck("id", &ids).Error
	return ids, wrap(err, "list broadcasts that ended long ago")
}

// LastUncounted returns the last broadcast that ended so lately that a cap counts it, and
// whose deliveries are deleted; nil for none.
func (s *Store) LastUncounted(ctx context.Context, limit Cap, now time.Time) (*Broadcast, error) {
	b, err := first[Broadcast](s.r.WithContext(ctx).Where("tallied_at > 0 AND finished_at > ? AND audience NOT IN ?",
		At(now.Add(-limit.Within-endedLate)), trials).Order("finished_at DESC"))
	return b, wrap(err, "find deleted deliveries that a cap counts")
}

// TallyBroadcast keeps what the deliveries of a broadcast come to, and how many sends
// began in each of its spans, and tells whether that is kept: from then on they may be
// deleted. Nothing is kept of one that has not ended, or whose deliveries say to whom
// another one goes that has not ended.
func (s *Store) TallyBroadcast(ctx context.Context, id int64, now time.Time) (bool, error) {
	b, err := s.FindBroadcast(ctx, id)
	if err != nil || !b.TalliedAt.IsZero() || !b.State.Final() {
		return err == nil && !b.TalliedAt.IsZero(), err
	}
	// All is read before the transaction, since that may take a second and would keep
	// others from writing: nothing but a receipt that is days late changes it.
	list, err := s.tallyOf(ctx, id)
	if err != nil {
		return false, err
	}
	sends, err := s.CountSends(ctx, id, SpanOf(b.Took(now)))
	if err != nil {
		return false, err
	}
	price, err := s.CountPrice(ctx, b, now)
	if err != nil {
		return false, err
	}
	kept := false
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		kept, err = keepTally(tx, id, list, sends, price, now)
		return err
	})
	return kept && err == nil, wrap(err, "tally broadcast")
}

// sendSpans is how many spans the sends of a broadcast are told apart by, about.
const sendSpans = 150

// SpanOf returns the span, of whole seconds, by which the sends of a broadcast are told
// apart that took so long.
func SpanOf(took time.Duration) time.Duration {
	return max(time.Second, (took / sendSpans).Truncate(time.Second))
}

// tallyOf counts the deliveries of a broadcast by their sort. Of more causes than
// CountFailures tells apart, the rarest are kept without their cause.
func (s *Store) tallyOf(ctx context.Context, id int64) ([]Tally, error) {
	var list []Tally
	err := s.r.WithContext(ctx).Raw(`SELECT state, errcode, detail, COUNT(*) AS n FROM (
			SELECT state, CASE WHEN state IN ('failed', 'uncertain', 'skipped') THEN errcode ELSE 0 END AS errcode,
				CASE WHEN state = 'failed' AND errcode = 0 THEN detail ELSE '' END AS detail
			FROM deliveries WHERE broadcast_id = ?) f
		GROUP BY state, errcode, detail ORDER BY n DESC, state, errcode, detail`, id).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("count deliveries by cause: %w", err)
	}
	if len(list) <= maxFailures {
		return list, nil
	}
	rest := map[DeliveryState]int64{}
	for _, t := range list[maxFailures:] {
		rest[t.State] += t.N
	}
	list = list[:maxFailures]
	for state, n := range rest {
		i := slices.IndexFunc(list, func(t Tally) bool { return t.State == state && t.ErrCode == 0 && t.Detail == "" })
		if i < 0 {
			i, list = len(list), append(list, Tally{State: state})
		}
		list[i].N += n
	}
	return list, nil
}

// keepTally stores what is kept of a broadcast. Who asks for a broadcast waits until the
// transaction ends, and sees then that the deliveries are not to be relied on.
func keepTally(tx *gorm.DB, id int64, list []Tally, sends []Sends, price Price, now time.Time) (bool, error) {
	if err := lockRequests(tx); err != nil {
		return false, err
	}
	var b Broadcast
	if err := forUpdate(tx).Take(&b, id).Error; err != nil || !b.TalliedAt.IsZero() {
		return err == nil, err
	}
	if needed, err := neededBy(tx, &b); err != nil || needed || !b.State.Final() {
		return false, err
	}
	rows, spans := slices.Clone(list), make([]talliedSpan, len(sends))
	for i := range rows {
		rows[i].BroadcastID, rows[i].Seq = id, int64(i+1)
	}
	for i, s := range sends {
		spans[i] = talliedSpan{BroadcastID: id, At: At(s.At.Time), N: s.N}
	}
	if len(rows) > 0 {
		if err := tx.CreateInBatches(rows, maxRows).Error; err != nil {
			return false, err
		}
	}
	if len(spans) > 0 {
		if err := tx.CreateInBatches(spans, maxRows).Error; err != nil {
			return false, err
		}
	}
	err := tx.Model(&Broadcast{}).Where("id = ?", id).Updates(map[string]any{
		"tallied_at": At(now), "price_left": price.Left, "price_opted_out": price.OptedOut,
	}).Error
	return err == nil, err
}

// neededBy tells whether a broadcast that has not ended is for people whom the deliveries
// of b tell: see refuseDeleted.
func neededBy(tx *gorm.DB, b *Broadcast) (bool, error) {
	of := tx.Where("of_id = ?", b.ID).
		Or("audience = ? AND of_id IN (SELECT r.id FROM broadcasts r WHERE r.of_id = ? AND r.audience = ?)", AudienceRest, b.ID, AudienceReached)
	if b.OfID != 0 && (b.Audience == AudienceRest || b.Audience == AudienceRetry) {
		of = of.Or("of_id = ? AND audience = ?", b.OfID, b.Audience)
	}
	found, err := first[Broadcast](tx.Select("id").Where("state IN ?", open).Where(of))
	return found != nil, err
}

// refuseDeleted refuses a broadcast to some recipients of an earlier one if deliveries are
// deleted that say who these are: those of the earlier one, of the other rests or retries
// of it, and, for the rest of a correction, of the one that it corrected.
func refuseDeleted(db *gorm.DB, b *Broadcast) error {
	if b.OfID == 0 {
		return nil
	}
	of := db.Where("id = ?", b.OfID)
	if b.Audience == AudienceRest || b.Audience == AudienceRetry {
		of = of.Or("of_id = ? AND audience = ?", b.OfID, b.Audience)
	}
	if b.Audience == AudienceRest {
		of = of.Or("id = (SELECT o.of_id FROM broadcasts o WHERE o.id = ? AND o.audience = ?)", b.OfID, AudienceReached)
	}
	gone, err := first[Broadcast](db.Where("tallied_at > 0").Where(of).Order("id"))
	if err != nil || gone == nil {
		return err
	}
	return NewError(Conflict, ErrDeliveriesGone, "ID", b.OfID, "Gone", gone.ID, "Moment", gone.TalliedAt.Time)
}

// RefuseDeleted returns why a broadcast can't be for some recipients of an earlier one: an
// Error ErrDeliveriesGone; nil if it can. CreateBroadcast asks it again.
func (s *Store) RefuseDeleted(ctx context.Context, b *Broadcast) error {
	return refuseDeleted(s.r.WithContext(ctx), b)
}

// DropDeliveries deletes the next n deliveries of a tallied broadcast, those of recipients
// after one, and returns the last of these recipients; 0 if it deleted all that were left.
func (s *Store) DropDeliveries(ctx context.Context, id, after int64, n int) (last int64, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		last = 0
		found, err := selectNumbers(tx, "SELECT recipient_id FROM deliveries WHERE broadcast_id = ? AND recipient_id > ?"+
			" ORDER BY recipient_id LIMIT 1 OFFSET ?", id, after, n-1)
		if err != nil {
			return err
		}
		query, args := "DELETE FROM deliveries WHERE broadcast_id = ? AND recipient_id > ?", []any{id, after}
		if len(found) > 0 {
			last = found[0]
			query, args = query+" AND recipient_id <= ?", append(args, last)
		}
		// Whatever calls this: not one goes before it is counted.
		_, err = tx.Statement.ConnPool.ExecContext(ctx, query+" AND (SELECT b.tallied_at FROM broadcasts b WHERE b.id = ?) > 0", append(args, id)...)
		return err
	})
	return last, wrap(err, "delete deliveries")
}

// DropBatches deletes the next n batches of a tallied broadcast, and tells whether there
// are more.
func (s *Store) DropBatches(ctx context.Context, id int64, n int) (more bool, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		var seqs []int64
		if err := tx.Model(&Batch{}).Where("broadcast_id = ? AND (SELECT b.tallied_at FROM broadcasts b WHERE b.id = ?) > 0", id, id).Order("seq").Limit(n).Pluck("seq", &seqs).Error; err != nil || len(seqs) == 0 {
			more = false
			return err
		}
		more = len(seqs) == n
		return tx.Where("broadcast_id = ? AND seq <= ?", id, seqs[len(seqs)-1]).Delete(&Batch{}).Error
	})
	return more, wrap(err, "delete batches")
}

// MarkEmptied records that nothing is left of the deliveries of a tallied broadcast, and
// drops the segments that only tallied broadcasts were for: replaced versions of lists,
// tags as they were pulled, canaries. Their people are left to TidySegments.
func (s *Store) MarkEmptied(ctx context.Context, id int64) error {
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if err := lockRequests(tx); err != nil { // whoever asks for a broadcast may use them
			return err
		}
		if err := lockFact(tx, "lists"); err != nil {
			return err
		}
		var b Broadcast
		if err := tx.Take(&b, "id = ? AND tallied_at > 0", id).Error; err != nil {
			return err
		}
		if err := dropSegmentsOf(tx, &b); err != nil {
			return err
		}
		for _, table := range []string{"outcome_counts", "send_counts"} { // the tally has them
			if err := execIn(tx, "DELETE FROM "+table+" WHERE broadcast_id = ?", id); err != nil {
				return err
			}
		}
		return tx.Model(&Broadcast{}).Where("id = ?", id).Update("emptied", true).Error
	})
	return wrap(err, "end the deletion of deliveries")
}

func (b *Broadcast) segments() (ids []int64) {
	for _, g := range b.Target.All() {
		if g.Segment != 0 {
			ids = append(ids, g.Segment)
		}
	}
	if b.CanarySegment != 0 {
		ids = append(ids, b.CanarySegment)
	}
	return ids
}

func dropSegmentsOf(tx *gorm.DB, b *Broadcast) error {
	ids := b.segments()
	if len(ids) == 0 {
		return nil
	}
	users := tx.Select("id, target, canary_segment").Where("tallied_at = 0 AND (target <> '' OR canary_segment > 0)")
	if b.Target.Given() && len(b.Target.Except) == 0 {
		// Of thousands of such broadcasts only those that are for some recipients of another
		// one, and that one, have the same people.
		root := b
		for root.OfID != 0 {
			of := &Broadcast{}
			if err := tx.Select("id, of_id").Take(of, root.OfID).Error; err != nil {
				return err
			}
			root = of
		}
		users = users.Where("of_id > 0 OR id = ?", root.ID)
	}
	var others []Broadcast
	if err := users.Find(&others).Error; err != nil {
		return err
	}
	for _, o := range others {
		ids = slices.DeleteFunc(ids, func(id int64) bool { return slices.Contains(o.segments(), id) })
	}
	if len(ids) == 0 {
		return nil
	}
	// The present version of a list is dropped when it is replaced.
	if err := tx.Model(&Segment{}).Where("id IN ?", ids).Update("used", false).Error; err != nil {
		return err
	}
	return tx.Where("id IN ? AND id NOT IN (SELECT segment_id FROM lists)", ids).Delete(&Segment{}).Error
}
