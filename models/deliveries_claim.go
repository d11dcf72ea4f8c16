package models

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// claimReachable writes the rows of recipients that are about to be sent to, and returns
// those who get none: they said stop or left since their batch was read. It fails, and
// nothing may be sent, if one of them has a row already.
func claimReachable(w *gorm.DB, b *Broadcast, recipients []int64, now time.Time) ([]int64, error) {
	at := now.UnixMilli()
	query := append(make([]byte, 0, 256+20*len(recipients)),
		"INSERT INTO deliveries (broadcast_id, recipient_id, state, sent_at, updated_at) SELECT "...)
	query = append(appendInts(query, b.ID), ", recipients.id, 'sending', "...)
	query = append(appendInts(query, at, at), " FROM recipients WHERE "+b.live()+" AND recipients.id IN ("...)
	query = append(appendInts(query, recipients...), ')')
	res, err := w.Statement.ConnPool.ExecContext(w.Statement.Context, string(query))
	if err != nil {
		return nil, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == int64(len(recipients)) {
		return nil, err
	}
	return unclaimed(w, b.ID, recipients)
}

func unclaimed(w *gorm.DB, broadcastID int64, recipients []int64) ([]int64, error) {
	var claimed []int64
	err := w.Model(&Delivery{}).Where("broadcast_id = ? AND recipient_id IN ?", broadcastID, recipients).
		Pluck("recipient_id", &claimed).Error
	if err != nil {
		return nil, err
	}
	return without(recipients, claimed), nil
}

// Reachable tells whether a broadcast may still go to one of its recipients.
func (s *Store) Reachable(ctx context.Context, b *Broadcast, recipientID int64) (bool, error) {
	yes, err := exists(ctx, s.r, "SELECT 1 FROM recipients WHERE id = ? AND "+b.live(), recipientID)
	return yes, wrap(err, "ask whether a recipient can be reached")
}

// claimQuery is claimReachable for those who are known to be reachable.
func claimQuery(broadcastID int64, recipients []int64, now time.Time) string {
	at := now.UnixMilli()
	query := append(make([]byte, 0, 128+64*len(recipients)),
		"INSERT INTO deliveries (broadcast_id, recipient_id, state, sent_at, updated_at) VALUES "...)
	for i, r := range recipients {
		query = appendRow(query, i)
		query = appendInts(query, broadcastID, r)
		query = append(query, ",'sending',"...)
		query = append(appendInts(query, at, at), ')')
	}
	return string(query)
}

// ReclaimDeliveries claims recipients that were put off. Since when they were is
// kept, should the claim be taken back.
func (s *Store) ReclaimDeliveries(ctx context.Context, broadcastID int64, recipients []int64, now time.Time) error {
	query, args := reclaimQuery(broadcastID, recipients, now)
	return wrap(s.exec(ctx, query, args...), "claim deliveries again")
}

func reclaimQuery(broadcastID int64, recipients []int64, now time.Time) (query string, args []any) {
	return "UPDATE deliveries SET state = 'sending', sent_at = ?" +
			" WHERE broadcast_id = ? AND state = 'later' AND recipient_id IN (" + tuples("?", len(recipients)) + ")",
		append([]any{now.UnixMilli(), broadcastID}, anys(recipients)...)
}

// ReleaseDeliveries takes back claims of recipients of a leased batch that surely were
// not sent to. Those who had been put off, whose rows tell of the calls until then, are
// put off still. Who has lost the lease changes nothing: the rows are another's.
func (s *Store) ReleaseDeliveries(ctx context.Context, b Batch, recipients []int64) error {
	args := append([]any{b.BroadcastID}, anys(recipients)...)
	args = append(args, b.BroadcastID, b.Seq, b.Owner)
	claimed := " WHERE broadcast_id = ? AND state = 'sending' AND recipient_id IN (" + tuples("?", len(recipients)) + ")" +
		" AND EXISTS (SELECT 1 FROM batches WHERE batches.broadcast_id = ? AND batches.seq = ? AND batches.owner = ?)"
	err := s.exec(ctx, "UPDATE deliveries SET state = 'later'"+claimed+" AND attempts > 0", args...)
	if err == nil {
		err = s.exec(ctx, "DELETE FROM deliveries"+claimed, args...)
	}
	return wrap(err, "release deliveries")
}
