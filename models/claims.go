package models

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Claim names recipients of a leased batch who may be sent to from a moment on.
type Claim struct {
	At         Time
	Recipients []int64
}

// Claims are the claims of a batch since it was leased. They are stored with it, as one
// value, before the first of the recipients is sent to: what each came to is then the only
// row that is written for it. Whom they name and who has no delivery may have been sent to.
// Whoever takes the batch next, and whoever ends its broadcast, enters these as deliveries
// first: see settle.
type Claims []Claim

// Value implements driver.Valuer: a list for each claim, of its moment in milliseconds, its
// first recipient, and then how far each is from the one before.
func (c Claims) Value() (driver.Value, error) {
	if len(c) == 0 {
		return "", nil
	}
	text := []byte{'['}
	for i, claim := range c {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, '[')
		text = strconv.AppendInt(text, claim.At.UnixMilli(), 10)
		var before int64
		for _, id := range claim.Recipients {
			text = append(text, ',')
			text = strconv.AppendInt(text, id-before, 10)
			before = id
		}
		text = append(text, ']')
	}
	return string(append(text, ']')), nil
}

// Scan implements sql.Scanner.
func (c *Claims) Scan(src any) error {
	text, err := textOf(src)
	if err != nil {
		return fmt.Errorf("scan claims: %w", err)
	}
	*c = nil
	if len(text) == 0 {
		return nil
	}
	var lists [][]int64
	if err := json.Unmarshal(text, &lists); err != nil {
		return fmt.Errorf("scan claims: %w", err)
	}
	for _, list := range lists {
		if len(list) == 0 {
			return fmt.Errorf("scan claims: one without its moment")
		}
		claim := Claim{At: At(time.UnixMilli(list[0])), Recipients: list[1:]}
		for i := 1; i < len(claim.Recipients); i++ {
			claim.Recipients[i] += claim.Recipients[i-1]
		}
		*c = append(*c, claim)
	}
	return nil
}

// GormDataType tells GORM that Claims are a text.
func (Claims) GormDataType() string { return "text" }

// Without returns the claims less some recipients.
func (c Claims) Without(recipients []int64) Claims {
	var left Claims
	for _, claim := range c {
		if ids := without(claim.Recipients, recipients); len(ids) > 0 {
			left = append(left, Claim{At: claim.At, Recipients: ids})
		}
	}
	return left
}

// Size is how many recipients they name.
func (c Claims) Size() (n int) {
	for _, claim := range c {
		n += len(claim.Recipients)
	}
	return n
}

func (c Claims) recipients() (ids []int64) {
	for _, claim := range c {
		ids = append(ids, claim.Recipients...)
	}
	return ids
}

// StoreClaims replaces the claims of a leased batch, and tells whether they are stored: not
// if the lease is over or another's. Then nobody may be sent to whom they name anew.
func (s *Store) StoreClaims(ctx context.Context, b Batch, claims Claims) (bool, error) {
	n, err := s.execCount(ctx, "UPDATE batches SET claims = ? WHERE broadcast_id = ? AND seq = ? AND owner = ? AND lease_until > "+s.clock(),
		claims, b.BroadcastID, b.Seq, b.Owner)
	return n == 1, wrap(err, "claim deliveries")
}

// Unreachable returns those of a broadcast's recipients to whom it may not go any more: they
// said stop or left since they were read.
func (s *Store) Unreachable(ctx context.Context, b *Broadcast, recipients []int64) ([]int64, error) {
	query := append(make([]byte, 0, 256+12*len(recipients)), "SELECT id FROM recipients WHERE "+b.live()+" AND id IN ("...)
	live, err := selectNumbers(s.r.WithContext(ctx), string(append(appendInts(query, recipients...), ')')))
	if err != nil || len(live) == len(recipients) {
		return nil, wrap(err, "ask who can be reached")
	}
	return without(recipients, live), nil
}

// without returns the ids less some.
func without(ids, less []int64) []int64 {
	drop := make(map[int64]bool, len(less))
	for _, id := range less {
		drop[id] = true
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return drop[id] })
}

// SettleClaims enters as deliveries whom the claims of a broadcast's batches name and who
// have none. Nobody may be sending it.
func (s *Store) SettleClaims(ctx context.Context, id int64) error {
	claimed, err := claimedBatches(s.r.WithContext(ctx), id)
	for _, b := range claimed {
		if err != nil {
			break
		}
		err = s.inTx(ctx, func(tx *gorm.DB) error {
			var row Batch // as it is now
			if err := forUpdate(tx).Take(&row, "broadcast_id = ? AND seq = ?", b.BroadcastID, b.Seq).Error; err != nil {
				return err
			}
			return settle(tx, &row)
		})
	}
	return wrap(err, "settle claims")
}

// claimedBatches returns the batches of a broadcast that have claims.
func claimedBatches(db *gorm.DB, id int64) (list []Batch, err error) {
	err = db.Where("broadcast_id = ? AND claims <> '' AND "+begunBatch, id).Find(&list).Error
	return list, err
}

// settle enters whom the claims of a batch name as deliveries that were begun, but for those
// who have one, and ends the claims. The batch's row is locked.
func settle(tx *gorm.DB, b *Batch) error {
	if len(b.Claims) == 0 {
		return nil
	}
	var begun []Delivery
	for _, claim := range b.Claims {
		for _, id := range claim.Recipients {
			begun = append(begun, Delivery{BroadcastID: b.BroadcastID, RecipientID: id, State: Sending, SentAt: claim.At, UpdatedAt: claim.At})
		}
	}
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(begun, maxRows).Error; err != nil {
		return err
	}
	b.Claims = nil
	return tx.Model(&Batch{}).Where("broadcast_id = ? AND seq = ?", b.BroadcastID, b.Seq).Update("claims", Claims(nil)).Error
}

// unrecorded counts whom the claims of a broadcast's batches name and who have no delivery
// yet: they are being sent to, or a crash left them so.
func unrecorded(db *gorm.DB, id int64) (n int64, err error) {
	batches, err := claimedBatches(db, id)
	if err != nil {
		return 0, err
	}
	for _, b := range batches {
		ids := b.Claims.recipients()
		query := append(make([]byte, 0, 128+12*len(ids)), "SELECT COUNT(*) FROM deliveries WHERE broadcast_id = ? AND recipient_id IN ("...)
		have, err := selectNumbers(db, string(append(appendInts(query, ids...), ')')), id)
		if err != nil {
			return 0, err
		}
		n += int64(len(ids)) - have[0]
	}
	return n, nil
}
