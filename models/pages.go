package models

import (
	"context"
	"fmt"
	"time"
)

// maxFailures is how many groups of failures are told apart; there are about
// fifty error codes, and a few more texts.
const maxFailures = 200

// Failures are deliveries of a broadcast that failed, are uncertain or were skipped for
// the same cause.
type Failures struct {
	State   DeliveryState
	ErrCode int `gorm:"column:errcode"`
	// Detail is the cause of failures without a code: the platform's status of a
	// receipt, or what could not be filled in. Empty for all others.
	Detail string
	N      int64
}

// CountFailures counts the deliveries of a broadcast that failed, are uncertain or were
// skipped by their cause, the most frequent first.
func (s *Store) CountFailures(ctx context.Context, id int64) ([]Failures, error) {
	var list []Failures
	err := s.r.WithContext(ctx).Raw(`SELECT state, errcode, detail, COUNT(*) AS n FROM (
			SELECT state, errcode, CASE WHEN state = 'failed' AND errcode = 0 THEN detail ELSE '' END AS detail
			FROM deliveries WHERE broadcast_id = ? AND state IN ('failed', 'uncertain', 'skipped')) f
		GROUP BY state, errcode, detail ORDER BY n DESC, state, errcode, detail LIMIT ?`, id, maxFailures).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("count failures: %w", err)
	}
	if tallied, err := s.tallied(ctx, id); err != nil || tallied == nil {
		return list, wrap(err, "count failures")
	}
	return s.talliedFailures(ctx, id)
}

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

// Sends are the sends of a broadcast that were begun in a span of time.
type Sends struct {
	At Time // when the span begins
	N  int64
}

// CountSends counts the sends of a broadcast that have an outcome by when they
// were begun, in spans of that length (whole milliseconds, at least one), the
// earliest first. Spans without a send are left out.
func (s *Store) CountSends(ctx context.Context, id int64, span time.Duration) ([]Sends, error) {
	ms := max(1, span.Milliseconds())
	var list []Sends
	err := s.r.WithContext(ctx).Raw(`SELECT sent_at - sent_at % ? AS at, COUNT(*) AS n FROM deliveries
		WHERE broadcast_id = ? AND sent_at > 0 AND state NOT IN ('sending', 'later') GROUP BY at ORDER BY at`, ms, id).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("count sends by time: %w", err)
	}
	if tallied, err := s.tallied(ctx, id); err != nil || tallied == nil {
		return list, wrap(err, "count sends by time")
	}
	return s.talliedSends(ctx, id, ms)
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
