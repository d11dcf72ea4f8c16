package models

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ReceiptsWithin is how long the receipts of the last calls are waited for before what
// came of them is told. They mostly come within seconds of their sends.
const ReceiptsWithin = time.Minute

// ApplyReceipts counts the receipts: each delivery takes its first one. A receipt
// whose send is not recorded yet is kept, and JoinReceipts joins it later; early
// is how many those are. After an error it can be called again.
//
// One whose words the database refuses is counted without them. If it refuses it
// even so, it is logged and dropped: the platform would send it three times and
// no more, and each time it would keep the others of its group waiting.
func (s *Store) ApplyReceipts(ctx context.Context, receipts []Receipt, now time.Time) (early int, err error) {
	byID := make(map[int64]Receipt, len(receipts))
	ids := make([]int64, 0, len(receipts))
	for _, r := range receipts {
		if _, seen := byID[r.MsgID]; !seen {
			r.Detail = cut(r.Detail, maxDetail)
			byID[r.MsgID] = r
			ids = append(ids, r.MsgID)
		}
	}
	apply := func(ids []int64) error {
		n, err := s.applyReceipts(ctx, byID, ids, now)
		early += n
		return err
	}
	drop := func(int64) error { return nil } // it is stored nowhere
	err = storeApart(ids, apply, s.wordless(ctx, byID, apply, drop))
	if err != nil {
		return 0, fmt.Errorf("apply receipts: %w", err)
	}
	return early, nil
}

// wordless returns what is done with a receipt that the database refuses: it is
// tried without its words, and dropped if that does not help.
func (s *Store) wordless(
	ctx context.Context, byID map[int64]Receipt, apply func(ids []int64) error, drop func(id int64) error,
) func(id int64, why string) error {
	return func(id int64, why string) error {
		r := byID[id]
		r.Detail = ""
		byID[id] = r
		s.log.WarnContext(ctx, "the database refuses a receipt's words: it is counted without them", "msgid", id, "state", r.State, "refused", why)
		err := apply([]int64{id})
		if again := refusal(err); again != "" {
			s.log.ErrorContext(ctx, "the database refuses a receipt: it is dropped", "msgid", id, "state", r.State, "refused", again)
			return drop(id)
		}
		return err
	}
}

// applyReceipts is ApplyReceipts for some of the receipts, which fit.
func (s *Store) applyReceipts(ctx context.Context, byID map[int64]Receipt, ids []int64, now time.Time) (early int, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		early = 0
		known, changed, err := joinReceipts(tx, byID, ids, now)
		if err != nil {
			return err
		}
		var unknown []Receipt
		for _, id := range ids {
			if !known[id] {
				unknown = append(unknown, byID[id])
			}
		}
		if early = len(unknown); early > 0 {
			if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(unknown).Error; err != nil {
				return err
			}
		}
		return s.addFates(tx, changed)
	})
	if err != nil {
		return 0, err
	}
	return early, nil
}

// joinReceipts gives the receipts to the deliveries that have their msgid, and returns which
// msgids are known, and by how much that changes the counts of which broadcasts. Of a message
// that two deliveries have, which the platform does not do, both take it.
func joinReceipts(tx *gorm.DB, byID map[int64]Receipt, ids []int64, now time.Time) (known map[int64]bool, changed map[int64]map[fate]int64, err error) {
	query := append(make([]byte, 0, 128+20*len(ids)), "SELECT msgid, broadcast_id, recipient_id FROM deliveries WHERE msgid <> 0 AND msgid IN ("...)
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, string(append(appendInts(query, ids...), ')')))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	known = make(map[int64]bool, len(ids))
	alike := map[alikeReceipts][]int64{}
	for rows.Next() {
		var msgID, recipient int64
		var of alikeReceipts
		if err := rows.Scan(&msgID, &of.broadcast, &recipient); err != nil {
			return nil, nil, err
		}
		known[msgID] = true
		of.state, of.detail = byID[msgID].State, byID[msgID].Detail
		alike[of] = append(alike[of], recipient)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, err
	}
	// In one order, so that of two that do the same none has what the other waits for.
	changed = map[int64]map[fate]int64{}
	for _, of := range slices.SortedFunc(maps.Keys(alike), alikeReceipts.compare) {
		n, err := of.apply(tx, slices.Sorted(slices.Values(alike[of])), now)
		if err != nil {
			return nil, nil, err
		}
		fates := changed[of.broadcast]
		if fates == nil {
			fates = map[fate]int64{}
			changed[of.broadcast] = fates
		}
		fates[fate{state: Accepted}] -= n
		fates[of.fate()] += n
	}
	return known, changed, nil
}

// alikeReceipts are receipts of one broadcast that say the same.
type alikeReceipts struct {
	broadcast int64
	state     DeliveryState
	detail    string
}

func (a alikeReceipts) compare(b alikeReceipts) int {
	return cmp.Or(cmp.Compare(a.broadcast, b.broadcast), cmp.Compare(a.state, b.state), cmp.Compare(a.detail, b.detail))
}

// fate is that of the deliveries that take them.
func (a alikeReceipts) fate() fate {
	if a.state == FailedFor {
		return fateOf(a.state, 0, a.detail)
	}
	return fate{state: a.state}
}

// apply gives the receipts to the recipients, who come in order, and returns how many took one.
func (a alikeReceipts) apply(tx *gorm.DB, recipients []int64, now time.Time) (int64, error) {
	// By the key: the index of the msgids need not be read once more.
	query := append(make([]byte, 0, 256+12*len(recipients)), "UPDATE deliveries SET state = ?, detail = ?, updated_at = ? WHERE broadcast_id = "...)
	query = append(appendInts(query, a.broadcast), " AND state = 'accepted' AND recipient_id IN ("...)
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, string(append(appendInts(query, recipients...), ')')),
		string(a.state), a.detail, now.UnixMilli())
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// JoinReceipts joins up to n of the receipts that came since a moment and before
// their sends were recorded, and returns how many it joined.
func (s *Store) JoinReceipts(ctx context.Context, since time.Time, n int, now time.Time) (int, error) {
	var list []Receipt
	err := s.r.WithContext(ctx).Joins("JOIN deliveries d ON d.msgid = receipts.msgid AND d.msgid <> 0").
		Where("received_at >= ?", At(since)).Limit(n).Find(&list).Error
	if err != nil {
		return 0, fmt.Errorf("find early receipts: %w", err)
	}
	if len(list) == 0 {
		return 0, nil
	}
	byID := make(map[int64]Receipt, len(list))
	ids := make([]int64, 0, len(list))
	for _, r := range list {
		byID[r.MsgID] = r
		ids = append(ids, r.MsgID)
	}
	join := func(ids []int64) error {
		return s.inTx(ctx, func(tx *gorm.DB) error {
			_, changed, err := joinReceipts(tx, byID, ids, now)
			if err != nil {
				return err
			}
			if err := tx.Where("msgid IN ?", ids).Delete(&Receipt{}).Error; err != nil {
				return err
			}
			return s.addFates(tx, changed)
		})
	}
	drop := func(id int64) error { return s.w.WithContext(ctx).Where("msgid = ?", id).Delete(&Receipt{}).Error }
	return len(ids), wrap(storeApart(ids, join, s.wordless(ctx, byID, join, drop)), "join early receipts")
}

// DropReceipts forgets receipts that nobody asked for: those of messages that
// another program sends with the same account.
func (s *Store) DropReceipts(ctx context.Context, before time.Time) error {
	return wrap(s.w.WithContext(ctx).Where("received_at < ?", At(before)).Delete(&Receipt{}).Error, "drop old receipts")
}
