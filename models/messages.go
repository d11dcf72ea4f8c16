package models

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

// Message is a message that was written in the chat.
type Message struct {
	// Folded is the name as it is looked up: of two names that fold to the same there
	// is one message.
	Folded string `gorm:"primaryKey"`
	// Name is as it was written.
	Name string
	// Content is JSON, whose form package message knows.
	Content string
	// ChangedBy is the OpenID of the admin who changed it last.
	ChangedBy string
	ChangedAt Time
	// Changer is the name that an admin gave that person; empty for none.
	Changer string `gorm:"->;-:migration"`
}

// Messages returns every message that was written in the chat, in the order of the
// folded names.
func (s *Store) Messages(ctx context.Context) ([]Message, error) {
	var list []Message
	err := s.r.WithContext(ctx).Table("messages").
		Select("messages.*, COALESCE(recipients.name, '') AS changer").
		Joins("LEFT JOIN recipients ON recipients.openid = messages.changed_by").
		Order("messages.folded").Find(&list).Error
	return list, wrap(err, "list messages")
}

// SaveMessage stores a message in place of was, which is nil for a new one, and tells
// whether it did: not if the message is another than was by now. A new one beyond limit
// messages is an Error ErrMessagesFull.
func (s *Store) SaveMessage(ctx context.Context, was *Message, m Message, limit int) (saved bool, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		saved = false
		if was != nil {
			res := tx.Model(&Message{}).Where("folded = ? AND content = ? AND changed_at = ?", was.Folded, was.Content, was.ChangedAt).
				Updates(map[string]any{"name": m.Name, "content": m.Content, "changed_by": m.ChangedBy, "changed_at": m.ChangedAt})
			saved = res.RowsAffected == 1
			return res.Error
		}
		var n int64
		if err := tx.Model(&Message{}).Count(&n).Error; err != nil {
			return err
		}
		if n >= int64(limit) {
			return NewError(Conflict, ErrMessagesFull, "Max", limit)
		}
		err := tx.Create(&m).Error
		saved = err == nil
		return err
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return false, nil
	}
	return saved && err == nil, wrap(err, "save message")
}

// RemoveMessage deletes the message of a folded name and tells whether there was one.
func (s *Store) RemoveMessage(ctx context.Context, folded string) (removed bool, err error) {
	res := s.w.WithContext(ctx).Where("folded = ?", folded).Delete(&Message{})
	return res.RowsAffected == 1, wrap(res.Error, "remove message")
}
