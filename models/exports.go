package models

import "context"

// FollowersAfter returns the next n people after an id who follow or followed.
func (s *Store) FollowersAfter(ctx context.Context, id int64, n int) ([]Recipient, error) {
	var page []Recipient
	// The unary plus keeps SQLite from another index than that of the order.
	err := s.r.WithContext(ctx).Where("id > ? AND +stranger = 0", id).Order("id").Limit(n).Find(&page).Error
	return page, wrap(err, "list followers")
}

// HasBroadcast tells whether there is a broadcast with an id.
func (s *Store) HasBroadcast(ctx context.Context, id int64) (bool, error) {
	found, err := exists(ctx, s.r, "SELECT 1 FROM broadcasts WHERE id = ?", id)
	return found, wrap(err, "find broadcast")
}

// DeliveryRow is a delivery with the OpenID of its recipient.
type DeliveryRow struct {
	RecipientID       int64
	OpenID            string `gorm:"column:openid"`
	State             DeliveryState
	ErrCode           int   `gorm:"column:errcode"`
	MsgID             int64 `gorm:"column:msgid"`
	Detail            string
	Attempts          int
	SentAt, UpdatedAt Time
}

// DeliveriesAfter returns the next n deliveries of a broadcast after a recipient.
func (s *Store) DeliveriesAfter(ctx context.Context, id, recipient int64, n int) ([]DeliveryRow, error) {
	var page []DeliveryRow
	err := s.r.WithContext(ctx).Table(s.joined("deliveries d", "d.recipient_id")).
		Select("d.recipient_id, recipients.openid, d.state, d.errcode, d.msgid, d.detail, d.attempts, d.sent_at, d.updated_at").
		Where("d.broadcast_id = ? AND d.recipient_id > ?", id, recipient).Order("d.recipient_id").Limit(n).Find(&page).Error
	return page, wrap(err, "list deliveries")
}

// DeliveryTo returns the delivery of a broadcast to a recipient, nil if there is none.
func (s *Store) DeliveryTo(ctx context.Context, id, recipient int64) (*Delivery, error) {
	d, err := first[Delivery](s.r.WithContext(ctx).Where("broadcast_id = ? AND recipient_id = ?", id, recipient))
	return d, wrap(err, "find delivery")
}
