package models

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Notice is what an admin was told of a broadcast, or could not be told, so that it is
// said in the reply to their next word.
type Notice struct {
	OpenID string `gorm:"column:openid;primaryKey"`
	// BroadcastID is noticeOfRole for one that is about the admin's role.
	BroadcastID int64 `gorm:"primaryKey"`
	// Said is the key of the message in whose reply it is; empty until then. For one
	// that the platform took it is handedOver and what it told.
	Said string
}

const (
	// noticeOfRole stands for a broadcast's number where a notice tells of a role.
	noticeOfRole = 0
	// handedOver begins Said of a notice that the platform took. No message has such a key.
	handedOver = "handed over: "
)

// KeepNotice keeps the notice of a broadcast for an admin's next word: the platform
// would not take it.
func (s *Store) KeepNotice(ctx context.Context, openID string, id int64) error {
	return wrap(keepNotice(s.w.WithContext(ctx), Notice{OpenID: openID, BroadcastID: id}), "keep notice")
}

// NoticeHandedOver records that the platform took an admin's notice of a broadcast.
// mark is the broadcast's NotifiedState, which names what it told of.
func (s *Store) NoticeHandedOver(ctx context.Context, openID string, id int64, mark string) error {
	return wrap(keepNotice(s.w.WithContext(ctx), Notice{openID, id, handedOver + mark}), "record notice")
}

// WasHandedOver tells whether the platform took an admin's notice of a broadcast with
// that mark.
func (s *Store) WasHandedOver(ctx context.Context, openID string, id int64, mark string) (bool, error) {
	n, err := first[Notice](s.w.WithContext(ctx).Where("openid = ? AND broadcast_id = ? AND said = ?", openID, id, handedOver+mark))
	return n != nil, wrap(err, "find notice")
}

func keepNotice(tx *gorm.DB, n Notice) error {
	return tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "openid"}, {Name: "broadcast_id"}},
		DoUpdates: clause.AssignmentColumns([]string{"said"}),
	}).Create(&n).Error
}

// RoleNoticeKept tells whether an admin is to be told of their role in the reply to a
// message of that key: it was not told yet, or in an earlier copy of that reply.
func (s *Store) RoleNoticeKept(ctx context.Context, openID, key string) (bool, error) {
	n, err := first[Notice](s.r.WithContext(ctx).
		Where("openid = ? AND broadcast_id = ? AND said IN ?", openID, noticeOfRole, []string{"", key}))
	return n != nil, wrap(err, "find notice of a role")
}

// RoleNoticeSaid records that an admin was told of their role in the reply to a message.
// With no key the platform took the notice.
func (s *Store) RoleNoticeSaid(ctx context.Context, openID, key string) error {
	if key == "" {
		key = handedOver
	}
	err := s.w.WithContext(ctx).Model(&Notice{}).
		Where("openid = ? AND broadcast_id = ? AND said = ''", openID, noticeOfRole).Update("said", key).Error
	return wrap(err, "mark notice of a role as said")
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
