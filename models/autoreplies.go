package models

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// MaxAutoReplies is how many words can have a reply.
const MaxAutoReplies = 500

// AutoReply is what a word that somebody writes to the account is answered.
type AutoReply struct {
	// Folded is the word as it is compared, and Word as it was written.
	Folded string `gorm:"primaryKey"`
	Word   string
	Text   string
	// ChangedBy is the OpenID of the admin who set it last, at ChangedAt.
	ChangedBy string
	ChangedAt Time
}

// TableName implements gorm's Tabler.
func (AutoReply) TableName() string { return "replies" }

// AutoReplies returns the replies, those first that were changed last.
func (s *Store) AutoReplies(ctx context.Context) ([]AutoReply, error) {
	var list []AutoReply
	err := s.r.WithContext(ctx).Order("changed_at DESC, folded").Find(&list).Error
	return list, wrap(err, "list replies")
}

// SetAutoReply stores the reply to a word and returns the one that it had before; nil
// if it had none. When MaxAutoReplies words have one, that to another word is refused:
// ErrRepliesFull.
func (s *Store) SetAutoReply(ctx context.Context, r AutoReply) (before *AutoReply, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		if before, err = first[AutoReply](forUpdate(tx).Where("folded = ?", r.Folded)); err != nil {
			return fmt.Errorf("read reply: %w", err)
		}
		if before == nil {
			var count int64
			if err := tx.Model(&AutoReply{}).Count(&count).Error; err != nil {
				return fmt.Errorf("count replies: %w", err)
			}
			if count >= MaxAutoReplies {
				return NewError(Conflict, ErrRepliesFull, "Limit", int64(MaxAutoReplies))
			}
		}
		return wrap(tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&r).Error, "set reply")
	})
	return before, err
}

// RemoveAutoReply removes the reply to a word and returns it. One that is not there:
// ErrReplyUnknown.
func (s *Store) RemoveAutoReply(ctx context.Context, folded string) (*AutoReply, error) {
	var before *AutoReply
	err := s.inTx(ctx, func(tx *gorm.DB) (err error) {
		before, err = first[AutoReply](forUpdate(tx).Where("folded = ?", folded))
		if err != nil {
			return fmt.Errorf("read reply: %w", err)
		}
		if before == nil {
			return NewError(NotFound, ErrReplyUnknown)
		}
		return wrap(tx.Delete(before).Error, "remove reply")
	})
	return before, err
}
