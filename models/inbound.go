package models

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm/clause"
)

// FindReply returns the reply that the message with this key got, and whether
// it got one that is remembered.
func (s *Store) FindReply(ctx context.Context, key string) (reply string, found bool, err error) {
	row, err := first[Inbound](s.r.WithContext(ctx).Select("reply").Where("message_key = ?", fitKey(key)))
	if err != nil || row == nil {
		return "", false, wrap(err, "find reply")
	}
	return row.Reply, true, nil
}

// SaveReply remembers the reply to the message with this key, unless one is
// remembered already, and returns the one that is: the first wins, so that every
// copy of a message gets the same, whichever process answers it.
func (s *Store) SaveReply(ctx context.Context, key, reply string, at time.Time) (stored string, err error) {
	key = fitKey(key)
	row := Inbound{MessageKey: key, Reply: cutBytes(reply, maxText), ReceivedAt: At(at)}
	w := s.w.WithContext(ctx)
	if err := w.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
		return "", fmt.Errorf("save reply: %w", err)
	}
	// How many rows an ignored insert counts depends on the database and its
	// settings, so the row itself is asked.
	var kept Inbound
	err = w.Select("reply").Where("message_key = ?", key).Take(&kept).Error
	return kept.Reply, wrap(err, "read saved reply")
}

// PurgeInbound forgets the replies to messages that came before then and
// returns how many there were. It deletes at most maxRows a statement, so that
// it holds no lock for long.
func (s *Store) PurgeInbound(ctx context.Context, before time.Time) (int64, error) {
	// MySQL takes a LIMIT in a subquery only one level further down.
	const purge = `DELETE FROM inbound WHERE message_key IN (
		SELECT message_key FROM (
			SELECT message_key FROM inbound WHERE received_at < ? ORDER BY received_at LIMIT ?
		) AS old)`
	var total int64
	for {
		res := s.w.WithContext(ctx).Exec(purge, At(before), maxRows)
		if res.Error != nil {
			return total, fmt.Errorf("purge replies: %w", res.Error)
		}
		total += res.RowsAffected
		if res.RowsAffected < maxRows {
			return total, nil
		}
	}
}
