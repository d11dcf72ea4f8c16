package models

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// SentBy returns when broadcasts sent to people, by OpenID and broadcast. Those whom a
// broadcast did not try are left out.
func (s *Store) SentBy(ctx context.Context, broadcasts []int64, openIDs []string) (map[string]map[int64]time.Time, error) {
	sent := map[string]map[int64]time.Time{}
	for chunk := range slices.Chunk(openIDs, maxRows) {
		f, err := s.lookUp(s.r.WithContext(ctx), chunk)
		if err != nil || len(f.ids) == 0 {
			return sent, wrap(err, "find who was sent to")
		}
		var rows []struct {
			OpenID      string `gorm:"column:openid"`
			BroadcastID int64
			SentAt      Time
		}
		// The deliveries are found by both columns of their key.
		err = s.r.WithContext(ctx).Raw("SELECT r.openid, d.broadcast_id, d.sent_at FROM deliveries d JOIN recipients r ON r.id = d.recipient_id"+
			" WHERE d.broadcast_id IN ? AND d.recipient_id IN ? AND d.sent_at > 0 AND d.state <> ?", broadcasts, f.ids, Skipped).Scan(&rows).Error
		if err != nil {
			return nil, fmt.Errorf("find who was sent to: %w", err)
		}
		for _, r := range rows {
			if sent[r.OpenID] == nil {
				sent[r.OpenID] = map[int64]time.Time{}
			}
			sent[r.OpenID][r.BroadcastID] = r.SentAt.Time
		}
	}
	return sent, nil
}

// SetIntercepted stores how many messages of a broadcast were intercepted.
func (s *Store) SetIntercepted(ctx context.Context, id, n int64) error {
	err := s.w.WithContext(ctx).Model(&Broadcast{}).Where("id = ?", id).Update("intercepted", n).Error
	return wrap(err, "store what was intercepted")
}
