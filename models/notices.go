package models

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Notice is one about a broadcast that the platform would not hand to an admin, so
// that it is said in the reply to their next word.
type Notice struct {
	OpenID      string `gorm:"column:openid;primaryKey"`
	BroadcastID int64  `gorm:"primaryKey"`
	// Said is the key of the message in whose reply it is; empty until then.
	Said string
}

// KeepNotice keeps the notice of a broadcast for an admin's next word: the platform
// would not take it.
func (s *Store) KeepNotice(ctx context.Context, openID string, id int64) error {
	err := s.w.WithContext(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "openid"}, {Name: "broadcast_id"}},
		DoUpdates: clause.AssignmentColumns([]string{"said"}),
	}).Create(&Notice{OpenID: openID, BroadcastID: id}).Error
	return wrap(err, "keep notice")
}

// KeptNotices returns up to n of the broadcasts whose notice is kept for an
// admin, the newest first. key names the message that the admin wrote: what was
// said in the reply to it before, and to no other, is returned again alone.
func (s *Store) KeptNotices(ctx context.Context, openID, key string, n int) ([]Broadcast, error) {
	var list []Broadcast
	for _, said := range []string{key, ""} {
		err := s.r.WithContext(ctx).Where("id IN (SELECT broadcast_id FROM notices WHERE openid = ? AND said = ?)", openID, said).
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

// SayNotices records that the notices of these broadcasts that are kept for an admin
// are said in the reply to a message, and returns those of them that are: not those
// that another message's reply has.
func (s *Store) SayNotices(ctx context.Context, openID string, ids []int64, key string) (said []int64, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		kept := func() *gorm.DB { return tx.Model(&Notice{}).Where("openid = ? AND broadcast_id IN ?", openID, ids) }
		if err := kept().Where("said = ''").Update("said", key).Error; err != nil {
			return err
		}
		return kept().Where("said = ?", key).Order("broadcast_id DESC").Pluck("broadcast_id", &said).Error
	})
	return said, wrap(err, "mark kept notices as said")
}
