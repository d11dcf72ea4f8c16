package models

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ConsoleLink is a link to the console, by the hash of what is secret in it.
type ConsoleLink struct {
	Hash      string `gorm:"primaryKey"`
	OpenID    string `gorm:"column:openid"`
	ExpiresAt Time
	// UsedAt is when somebody entered by it; zero while nobody has.
	UsedAt Time
}

// ConsoleSession is an admin who is in the console, by the hash of their cookie.
type ConsoleSession struct {
	ID     int64 `gorm:"primaryKey"`
	Hash   string
	OpenID string `gorm:"column:openid"`
	// Language is the one that they chose; empty for the account's.
	Language             string
	StartedAt, ExpiresAt Time
}

// consoleTables are those of what an admin holds of the console.
var consoleTables = []any{&ConsoleLink{}, &ConsoleSession{}, &ConsoleConfirm{}}

// AddConsoleLink stores a link. One that is there already stays as it is.
func (s *Store) AddConsoleLink(ctx context.Context, l ConsoleLink) error {
	err := s.w.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&l).Error
	return wrap(err, "add a link to the console")
}

// EnterConsole uses a link and begins a session with the OpenID of it. It returns false if
// there is no such link, or if it is used or has expired. Of several at the same moment one
// enters.
func (s *Store) EnterConsole(ctx context.Context, hash string, session *ConsoleSession) (entered bool, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		entered = false
		used := tx.Model(&ConsoleLink{}).Where("hash = ? AND used_at = 0 AND expires_at > ?", hash, session.StartedAt).
			Update("used_at", session.StartedAt)
		if used.Error != nil || used.RowsAffected == 0 {
			return used.Error
		}
		link, err := first[ConsoleLink](tx.Where("hash = ?", hash))
		if err != nil || link == nil {
			return err
		}
		session.ID, session.OpenID = 0, link.OpenID
		entered = true
		return tx.Create(session).Error
	})
	return entered && err == nil, wrap(err, "enter the console")
}

// ConsoleSessionOf returns the session of a cookie's hash that lasts at a time; nil if there
// is none.
func (s *Store) ConsoleSessionOf(ctx context.Context, hash string, at time.Time) (*ConsoleSession, error) {
	found, err := first[ConsoleSession](s.r.WithContext(ctx).Where("hash = ? AND expires_at > ?", hash, At(at)))
	return found, wrap(err, "find a session of the console")
}

// SetConsoleLanguage sets the language of a session.
func (s *Store) SetConsoleLanguage(ctx context.Context, id int64, language string) error {
	err := s.w.WithContext(ctx).Model(&ConsoleSession{}).Where("id = ?", id).Update("language", language).Error
	return wrap(err, "set the language of the console")
}

// EndConsoleSession ends a session.
func (s *Store) EndConsoleSession(ctx context.Context, id int64) error {
	err := s.w.WithContext(ctx).Where("id = ?", id).Delete(&ConsoleSession{}).Error
	return wrap(err, "end a session of the console")
}

// EndConsole takes from a person all that they hold of the console: links, sessions and what
// they have not confirmed. It returns how many sessions that ended.
func (s *Store) EndConsole(ctx context.Context, openID string) (sessions int64, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		sessions, err = endConsole(tx, openID)
		return err
	})
	return sessions, wrap(err, "end the console of an admin")
}

func endConsole(tx *gorm.DB, openID string) (sessions int64, err error) {
	for _, table := range consoleTables {
		done := tx.Where("openid = ?", openID).Delete(table)
		if done.Error != nil {
			return 0, done.Error
		}
		if _, is := table.(*ConsoleSession); is {
			sessions = done.RowsAffected
		}
	}
	return sessions, nil
}

// ConsolePeople returns the OpenIDs of those who hold anything of the console.
func (s *Store) ConsolePeople(ctx context.Context) ([]string, error) {
	var all []string
	err := s.r.WithContext(ctx).Raw("SELECT openid FROM console_links UNION SELECT openid FROM console_sessions " +
		"UNION SELECT openid FROM console_confirms").Scan(&all).Error
	return all, wrap(err, "list who is in the console")
}

// TidyConsole deletes what expired before a time.
func (s *Store) TidyConsole(ctx context.Context, before time.Time) error {
	for _, table := range consoleTables {
		if err := s.w.WithContext(ctx).Where("expires_at < ?", At(before)).Delete(table).Error; err != nil {
			return wrap(err, "tidy the console")
		}
	}
	return nil
}
