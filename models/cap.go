package models

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
)

// Cap is how many broadcasts a person gets at most within a time. The zero Cap is no limit.
type Cap struct {
	Max    int64
	Within time.Duration
}

// None tells whether there is no limit.
func (c Cap) None() bool { return c.Max == 0 }

// ClaimKind says what is known of recipients who are claimed.
type ClaimKind int

// The kinds of claims: of those who may have become unreachable, of those who are known to
// be reachable, and of those who were put off, as ReclaimDeliveries has it.
const (
	ClaimUnasked ClaimKind = iota
	ClaimKnown
	ClaimAgain
)

// endedLate is how long after the end of a broadcast the last of its sends may have been
// begun, by a process that had not heard of the end.
const endedLate = time.Minute

// ClaimUnderCap claims recipients of a broadcast as a kind of claim does, but for those
// whom the cap allows no further message now: these are skipped, which is their outcome.
// It returns those who are not to be sent to, skipped or no longer reachable, and how many
// were skipped. Of two broadcasts that claim the same person at once, one waits for the
// other, so that it sees the other's claim.
func (s *Store) ClaimUnderCap(
	ctx context.Context, b *Broadcast, kind ClaimKind, recipients []int64, limit Cap, now time.Time,
) (unsent []int64, skipped int64, err error) {
	recipients = slices.Sorted(slices.Values(recipients))
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		unsent, skipped = nil, 0
		if err := s.lockRecipients(tx, recipients); err != nil {
			return err
		}
		capped, err := s.capped(tx, b.ID, recipients, limit, now)
		if err != nil {
			return err
		}
		free := without(recipients, capped)
		if len(capped) > 0 {
			if skipped, err = skip(tx, b, kind, capped, now); err != nil {
				return err
			}
		}
		unsent = capped
		if len(free) == 0 {
			return nil
		}
		var unreachable []int64
		switch kind {
		case ClaimUnasked:
			unreachable, err = claimReachable(tx, b, free, now)
		case ClaimKnown:
			err = execIn(tx, claimQuery(b.ID, free, now))
		case ClaimAgain:
			query, args := reclaimQuery(b.ID, free, now)
			err = execIn(tx, query, args...)
		}
		unsent = append(unsent, unreachable...)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("claim deliveries under the cap: %w", err)
	}
	return unsent, skipped, nil
}

// lockRecipients keeps other claims of the same recipients waiting until the transaction
// ends. On SQLite they wait for it anyway.
func (s *Store) lockRecipients(tx *gorm.DB, recipients []int64) error {
	if s.driver == SQLite {
		return nil
	}
	query := append(make([]byte, 0, 128+12*len(recipients)), "SELECT COUNT(*) FROM recipients FORCE INDEX (PRIMARY) WHERE id IN ("...)
	query = append(appendInts(query, recipients...), ") FOR UPDATE"...)
	var n int64
	return tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context, string(query)).Scan(&n)
}

// capped returns those of the recipients, who come in order, that got as many other
// broadcasts as the cap allows, or are being sent them.
func (s *Store) capped(tx *gorm.DB, broadcastID int64, recipients []int64, limit Cap, now time.Time) ([]int64, error) {
	others, err := othersWithin(tx, broadcastID, limit, now)
	if err != nil || int64(len(others)) < limit.Max {
		return nil, err
	}
	query := append(make([]byte, 0, 512+12*len(recipients)), "SELECT recipient_id FROM deliveries WHERE "...)
	query = append(appendGot(query, others, limit, now), " AND recipient_id "...)
	low, high := recipients[0], recipients[len(recipients)-1]
	// People in a row are found by reading on from the first, others one by one.
	if span := high - low + 1; span <= 2*int64(len(recipients)) {
		query = append(appendInts(append(query, "BETWEEN "...), low), " AND "...)
		query = appendInts(query, high)
	} else {
		query = append(appendInts(append(query, "IN ("...), recipients...), ')')
	}
	query = append(query, " GROUP BY recipient_id HAVING COUNT(*) >= "...)
	ids, err := selectNumbers(tx, string(appendInts(query, limit.Max)))
	return slices.DeleteFunc(ids, func(id int64) bool {
		_, found := slices.BinarySearch(recipients, id)
		return !found
	}), err
}

// othersWithin returns the broadcasts that may have deliveries which count for the cap
// now: none to an admin or to the test list, nor the one of a number.
func othersWithin(db *gorm.DB, broadcastID int64, limit Cap, now time.Time) ([]int64, error) {
	ended := now.Add(-limit.Within - endedLate).UnixMilli()
	return selectNumbers(db, fmt.Sprintf("SELECT id FROM broadcasts WHERE (finished_at = 0 OR finished_at > %d)"+
		" AND id <> %d AND audience NOT IN ('me', 'test')", ended, broadcastID))
}

// appendGot appends the condition on deliveries that count for the cap: those of the
// broadcasts which a person got, may have got or is being sent. The numbers are written
// out: MySQL finds the rows by both columns of their key only if it knows the broadcasts.
func appendGot(query []byte, broadcasts []int64, limit Cap, now time.Time) []byte {
	query = append(appendInts(append(query, "broadcast_id IN ("...), broadcasts...), ')')
	query = append(query, " AND state IN ('accepted', 'delivered', 'uncertain', 'sending') AND sent_at > "...)
	return appendInts(query, now.Add(-limit.Within).UnixMilli())
}

// selectNumbers returns the numbers that a query finds, past GORM.
func selectNumbers(db *gorm.DB, query string, args ...any) ([]int64, error) {
	rows, err := db.Statement.ConnPool.QueryContext(db.Statement.Context, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// skip gives the recipients the outcome that they were skipped, unless they can't be
// written to any more, and returns how many have it.
func skip(tx *gorm.DB, b *Broadcast, kind ClaimKind, recipients []int64, now time.Time) (int64, error) {
	query := make([]byte, 0, 512+12*len(recipients))
	if kind == ClaimAgain {
		query = append(query, "UPDATE deliveries SET state = 'skipped', detail = '"+DetailCap+"', errcode = 0, sent_at = 0, updated_at = "...)
		query = append(appendInts(query, now.UnixMilli()), " WHERE broadcast_id = "...)
		query = append(appendInts(query, b.ID), " AND state = 'later' AND recipient_id IN ("...)
	} else {
		query = append(query, "INSERT INTO deliveries (broadcast_id, recipient_id, state, detail, sent_at, updated_at) SELECT "...)
		query = append(appendInts(query, b.ID), ", recipients.id, 'skipped', '"+DetailCap+"', 0, "...)
		query = append(appendInts(query, now.UnixMilli()), " FROM recipients WHERE "+b.live()+" AND recipients.id IN ("...)
	}
	query = append(appendInts(query, recipients...), ')')
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, string(query))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// CappedUntil returns when a cap allows a person the next broadcast; zero if it does now.
func (s *Store) CappedUntil(ctx context.Context, recipientID int64, limit Cap, now time.Time) (time.Time, error) {
	if limit.None() {
		return time.Time{}, nil
	}
	r := s.r.WithContext(ctx)
	others, err := othersWithin(r, 0, limit, now)
	if err != nil || int64(len(others)) < limit.Max {
		return time.Time{}, wrap(err, "ask whether the cap allows a person a message")
	}
	query := appendGot([]byte("SELECT sent_at FROM deliveries WHERE "), others, limit, now)
	sent, err := selectNumbers(r, string(appendInts(append(query, " AND recipient_id = "...), recipientID)))
	if err != nil || int64(len(sent)) < limit.Max {
		return time.Time{}, wrap(err, "ask whether the cap allows a person a message")
	}
	slices.Sort(sent)
	return time.UnixMilli(sent[int64(len(sent))-limit.Max]).Add(limit.Within), nil
}
