package models

import "context"

// FailureWords returns what the platform said to one of the deliveries of a
// broadcast that failed with a code.
func (s *Store) FailureWords(ctx context.Context, id int64, code int) (string, error) {
	d, err := first[Delivery](s.r.WithContext(ctx).Select("detail").
		Where("broadcast_id = ? AND state = ? AND errcode = ? AND detail <> ''", id, FailedFor, code).Order("recipient_id"))
	if err != nil || d == nil {
		return "", wrap(err, "read the words of a failure")
	}
	return d.Detail, nil
}

// Unreached is a recipient whose delivery failed or is uncertain, or who was skipped.
type Unreached struct {
	RecipientID int64
	OpenID      string `gorm:"column:openid"`
	State       DeliveryState
	ErrCode     int `gorm:"column:errcode"`
	Detail      string
	Attempts    int
	SentAt      Time
}

// Unreached returns the next n recipients of a broadcast whose deliveries failed or are
// uncertain, or who were skipped, in the order of their ids: those after the given one. Of
// a tallied broadcast some or all are deleted.
func (s *Store) Unreached(ctx context.Context, id, after int64, n int) ([]Unreached, error) {
	var list []Unreached
	err := s.r.WithContext(ctx).Raw(`SELECT d.recipient_id, r.openid, d.state, d.errcode, d.detail, d.attempts, d.sent_at
		FROM deliveries d JOIN recipients r ON r.id = d.recipient_id
		WHERE d.broadcast_id = ? AND d.recipient_id > ? AND d.state IN ('failed', 'uncertain', 'skipped')
		ORDER BY d.recipient_id LIMIT ?`, id, after, n).Scan(&list).Error
	return list, wrap(err, "list unreached recipients")
}
