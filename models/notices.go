package models

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// KeepNotice keeps the notice of a broadcast for the next word of the admin who
// asked for it: the platform would not take it.
func (s *Store) KeepNotice(ctx context.Context, id int64) error {
	err := s.w.WithContext(ctx).Model(&Broadcast{}).Where("id = ?", id).
		Updates(map[string]any{"notice_kept": true, "notice_said": ""}).Error
	return wrap(err, "keep notice")
}

// KeptNotices returns up to n of the broadcasts whose notice is kept for an
// admin, the newest first. key names the message that the admin wrote: what was
// said in the reply to it before, and to no other, is returned again alone.
func (s *Store) KeptNotices(ctx context.Context, openID, key string, n int) ([]Broadcast, error) {
	var list []Broadcast
	for _, said := range []string{key, ""} {
		err := s.r.WithContext(ctx).Where("asked_by = ? AND notice_kept = 1 AND notice_said = ?", openID, said).
			Order("id DESC").Limit(n).Find(&list).Error
		if err != nil {
			return nil, fmt.Errorf("find kept notices: %w", err)
		}
		if len(list) > 0 {
			break
		}
	}
	return list, nil
}

// SayNotices records that the kept notices of these broadcasts are said in the
// reply to a message, and returns those of them that are: not those that another
// message's reply has.
func (s *Store) SayNotices(ctx context.Context, ids []int64, key string) (said []int64, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		kept := func() *gorm.DB { return tx.Model(&Broadcast{}).Where("id IN ? AND notice_kept = 1", ids) }
		if err := kept().Where("notice_said = ''").Update("notice_said", key).Error; err != nil {
			return err
		}
		return kept().Where("notice_said = ?", key).Order("id DESC").Pluck("id", &said).Error
	})
	return said, wrap(err, "mark kept notices as said")
}
