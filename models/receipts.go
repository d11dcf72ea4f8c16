package models

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ApplyReceipts counts the receipts in one transaction: each delivery takes its
// first one. A receipt whose send is not recorded yet is kept, and JoinReceipts
// joins it later; early is how many those are.
func (s *Store) ApplyReceipts(ctx context.Context, receipts []Receipt, now time.Time) (early int, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		byID := make(map[int64]Receipt, len(receipts))
		ids := make([]int64, 0, len(receipts))
		for _, r := range receipts {
			if _, seen := byID[r.MsgID]; !seen {
				byID[r.MsgID] = r
				ids = append(ids, r.MsgID)
			}
		}
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
		return 0, fmt.Errorf("apply receipts: %w", err)
	}
	return early, nil
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
	groups := map[Receipt][]int64{}
	for _, id := range found {
		if known[id] {
			continue
		}
		known[id] = true
		r := byID[id]
		key := Receipt{State: r.State, Detail: r.Detail}
		groups[key] = append(groups[key], id)
	}
	for key, ids := range groups {
		err := tx.Model(&Delivery{}).Where("msgid IN ? AND msgid <> 0 AND state = ?", ids, Accepted).
			Updates(map[string]any{"state": key.State, "detail": cut(key.Detail, 255), "updated_at": At(now)}).Error
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
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		if _, err := joinReceipts(tx, byID, ids, now); err != nil {
			return err
		}
		return tx.Where("msgid IN ?", ids).Delete(&Receipt{}).Error
	})
	if err != nil {
		return 0, fmt.Errorf("join early receipts: %w", err)
	}
	return len(ids), nil
}

// DropReceipts forgets receipts that nobody asked for: those of messages that
// another program sends with the same account.
func (s *Store) DropReceipts(ctx context.Context, before time.Time) error {
	err := s.w.WithContext(ctx).Where("received_at < ?", At(before)).Delete(&Receipt{}).Error
	if err != nil {
		return fmt.Errorf("drop old receipts: %w", err)
	}
	return nil
}
