package models

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// ConsoleConfirm is what an admin prepared in the console, to be confirmed in the chat.
type ConsoleConfirm struct {
	ID       int64  `gorm:"primaryKey"`
	OpenID   string `gorm:"column:openid"`
	CodeHash string
	// Command is what is carried out, as JSON, and Digest that of the message as it was
	// shown; empty if there is none.
	Command, Digest string
	ExpiresAt       Time
	// Tries is how many wrong codes came.
	Tries int64
	// TakenBy names the chat message that confirmed it; empty while none has.
	TakenBy string
}

// ConfirmTaken is what came of a code.
type ConfirmTaken string

// What came of a code.
const (
	ConfirmOK      ConfirmTaken = "ok"      // it is taken, by this message
	ConfirmUsed    ConfirmTaken = "used"    // another message took it before
	ConfirmWrong   ConfirmTaken = "wrong"   // it is not the code
	ConfirmVoid    ConfirmTaken = "void"    // it was the last wrong one, and what it was for is void
	ConfirmNone    ConfirmTaken = "none"    // there is nothing to confirm
	ConfirmExpired ConfirmTaken = "expired" // it came too late
)

// PrepareConfirm stores what an admin prepared, in the place of what they had not confirmed
// yet.
func (s *Store) PrepareConfirm(ctx context.Context, c *ConsoleConfirm) error {
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if err := tx.Where("openid = ? AND taken_by = ''", c.OpenID).Delete(&ConsoleConfirm{}).Error; err != nil {
			return err
		}
		c.ID = 0
		return tx.Create(c).Error
	})
	return wrap(err, "prepare what is to be confirmed")
}

// TakeConfirm finds what an admin confirms by the hash of a code, and has the chat message
// take it. The message that took it finds it again, also later. Wrong codes are counted
// against what is open; after the last one of maxTries that is deleted.
func (s *Store) TakeConfirm(ctx context.Context, openID, codeHash, messageKey string, at time.Time, maxTries int64) (
	c *ConsoleConfirm, taken ConfirmTaken, err error,
) {
	messageKey = fitKey(messageKey)
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		var list []ConsoleConfirm
		if err := forUpdate(tx).Where("openid = ?", openID).Order("id DESC").Find(&list).Error; err != nil {
			return err
		}
		c, taken = nil, ConfirmNone
		var open *ConsoleConfirm
		for i := range list {
			one := &list[i]
			switch {
			case one.TakenBy == messageKey:
				c, taken = one, ConfirmOK
				return nil
			case one.TakenBy == "" && open == nil:
				open = one
			case one.CodeHash == codeHash && c == nil && one.TakenBy != "":
				c, taken = one, ConfirmUsed
			}
		}
		switch {
		case open != nil && open.CodeHash == codeHash && open.ExpiresAt.After(at):
			c, taken = open, ConfirmOK
			c.TakenBy = messageKey
			return tx.Model(c).Update("taken_by", messageKey).Error
		case open != nil && open.CodeHash == codeHash:
			c, taken = open, ConfirmExpired
			return nil
		case c != nil || open == nil:
			return nil
		}
		open.Tries++
		taken = ConfirmWrong
		if open.Tries >= maxTries {
			taken = ConfirmVoid
			return tx.Delete(open).Error
		}
		return tx.Model(open).Update("tries", open.Tries).Error
	})
	return c, taken, wrap(err, "take what is confirmed")
}
