package models

import (
	"context"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Role is what an admin may do, each with what the one before may. The zero Role is
// that of everybody else.
type Role string

// The roles.
const (
	Viewer Role = "viewer" // sees
	Editor Role = "editor" // writes messages, and sends to themselves and the test list
	Sender Role = "sender" // sends to everybody
	Owner  Role = "owner"  // says who may do what; those in the settings, and nobody else
)

// Roles are all of them, each with what the one before may do.
var Roles = []Role{Viewer, Editor, Sender, Owner}

// May tells whether somebody with the role r may do what takes another one; what takes
// none, everybody may.
func (r Role) May(takes Role) bool { return slices.Index(Roles, r) >= slices.Index(Roles, takes) }

// Admin is somebody who got a role by chat. Whoever is an owner is so by the settings.
type Admin struct {
	OpenID string `gorm:"column:openid;primaryKey"`
	Role   Role
	// AddedBy is the OpenID of the owner who gave the role, AddedAt when that was.
	AddedBy string
	AddedAt Time
}

// Admins returns those who got a role by chat, the first first.
func (s *Store) Admins(ctx context.Context) ([]Admin, error) {
	var list []Admin
	err := s.r.WithContext(ctx).Order("added_at, openid").Find(&list).Error
	return list, wrap(err, "list admins")
}

// SetAdmin gives an admin their role and returns the one that they had; nothing changes
// if that is the same. That the person does not know of it yet is kept for their next
// word with it (noticeOfRole), so that it is never lost.
func (s *Store) SetAdmin(ctx context.Context, a Admin) (was Role, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		var txErr error
		if was, txErr = roleOf(tx, a.OpenID); txErr != nil || was == a.Role {
			return txErr
		}
		err := tx.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "openid"}}, DoUpdates: clause.AssignmentColumns([]string{"role", "added_by", "added_at"}),
		}).Create(&a).Error
		if err != nil {
			return err
		}
		return keepNotice(tx, Notice{OpenID: a.OpenID, BroadcastID: noticeOfRole})
	})
	return was, wrap(err, "set admin")
}

// RemoveAdmin takes the role from an admin, with what is kept for their next word and what
// they hold of the console, and returns the role; empty if they had none.
func (s *Store) RemoveAdmin(ctx context.Context, openID string) (was Role, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		var txErr error
		if was, txErr = roleOf(tx, openID); txErr != nil || was == "" {
			return txErr
		}
		if err := tx.Where("openid = ?", openID).Delete(&Notice{}).Error; err != nil {
			return err
		}
		if _, err := endConsole(tx, openID); err != nil {
			return err
		}
		return tx.Where("openid = ?", openID).Delete(&Admin{}).Error
	})
	return was, wrap(err, "remove admin")
}

func roleOf(tx *gorm.DB, openID string) (Role, error) {
	a, err := first[Admin](forUpdate(tx).Where("openid = ?", openID))
	if err != nil || a == nil {
		return "", err
	}
	return a.Role, nil
}
