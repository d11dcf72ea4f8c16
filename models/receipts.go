package models

import (
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
	counted, err := s.countReceipts(ctx, byID, ids, now)
	if err != nil {
		return 0, err
	}
	if counted == int64(len(ids)) {
		return 0, nil
	}
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		known, err := joinReceipts(tx, byID, ids, now)
		if err != nil {
			return err
		}
		var unknown []Receipt
		for _, id := range ids {
			if !known[id] {
				unknown = append(unknown, byID[id])
			}
		}
		early = len(unknown)
		if early == 0 {
			return nil
		}
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(unknown).Error
	})
	if err != nil {
		return 0, err
	}
	return early, nil
}

// countReceipts gives the receipts to accepted deliveries and returns how many
// took one: mostly all, and then there is nothing to look up.
func (s *Store) countReceipts(ctx context.Context, byID map[int64]Receipt, ids []int64, now time.Time) (counted int64, err error) {
	for key, ids := range alike(byID, ids) {
		query := append(make([]byte, 0, 256+20*len(ids)), "UPDATE deliveries SET state = ?, detail = ?, updated_at = ?"+
			" WHERE state = 'accepted' AND msgid <> 0 AND msgid IN ("...)
		query = append(appendInts(query, ids...), ')')
		n, err := s.execCount(ctx, string(query), string(key.State), key.Detail, now.UnixMilli())
		if err != nil {
			return counted, err
		}
		counted += n
	}
	return counted, nil
}

// alike groups the receipts by what they say.
func alike(byID map[int64]Receipt, ids []int64) map[Receipt][]int64 {
	groups := map[Receipt][]int64{}
	for _, id := range ids {
		key := Receipt{State: byID[id].State, Detail: byID[id].Detail}
		groups[key] = append(groups[key], id)
	}
	return groups
}

// joinReceipts gives the receipts to the deliveries that have their msgid, and
// returns which msgids are known.
func joinReceipts(tx *gorm.DB, byID map[int64]Receipt, ids []int64, now time.Time) (known map[int64]bool, err error) {
	var found []int64
	err = tx.Model(&Delivery{}).Where("msgid IN ? AND msgid <> 0", ids).Pluck("msgid", &found).Error
	if err != nil {
		return nil, err
	}
	known = make(map[int64]bool, len(found))
	for _, id := range found {
		known[id] = true
	}
	for key, ids := range alike(byID, slices.Sorted(maps.Keys(known))) {
		err := tx.Model(&Delivery{}).Where("msgid IN ? AND msgid <> 0 AND state = ?", ids, Accepted).
			Updates(map[string]any{"state": key.State, "detail": key.Detail, "updated_at": At(now)}).Error
		if err != nil {
			return nil, err
		}
	}
	return known, nil
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
			if _, err := joinReceipts(tx, byID, ids, now); err != nil {
				return err
			}
			return tx.Where("msgid IN ?", ids).Delete(&Receipt{}).Error
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
