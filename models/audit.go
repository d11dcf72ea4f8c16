package models

import (
	"context"
	"fmt"
	"math"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// AuditUnknown begins the detail of an action of which it is not known whether it was
// carried out.
const AuditUnknown = "unknown"

// Audit is what an admin did.
type Audit struct {
	ID int64 `gorm:"primaryKey"`
	At Time
	// Admin is the OpenID of who did it.
	Admin string
	// Action is the command's name in code.
	Action string
	// Target is what it was done to: a broadcast's number, an OpenID, a name.
	Target string
	// Detail is the line as it was written, after what it came to if it was not done.
	Detail string
	// MessageKey names the chat message that asked for it; there is one row for each.
	MessageKey string
}

// TableName implements GORM's Tabler: the word is uncountable.
func (Audit) TableName() string { return "audit" }

// AddAudit keeps what an admin did. What is kept of the same message already stays as it
// is, unless it was not known what that came to.
func (s *Store) AddAudit(ctx context.Context, a Audit) error {
	a.Target, a.Detail = cut(a.Target, maxTarget), cut(a.Detail, maxReason)
	a.MessageKey = fitKey(a.MessageKey)
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		row := a
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
			return err
		}
		return tx.Model(&Audit{}).Where("message_key = ? AND detail LIKE ?", a.MessageKey, AuditUnknown+"%").
			Updates(map[string]any{"target": a.Target, "detail": a.Detail}).Error
	})
	return wrap(err, "keep audit")
}

// AuditAfter returns the next n actions in their order: those after the one with that id.
func (s *Store) AuditAfter(ctx context.Context, id int64, n int) ([]Audit, error) {
	var list []Audit
	if err := s.r.WithContext(ctx).Where("id > ?", id).Order("id").Limit(n).Find(&list).Error; err != nil {
		return nil, fmt.Errorf("list audit: %w", err)
	}
	return list, nil
}

// AuditFilter chooses actions of the audit. A field that is empty chooses all.
type AuditFilter struct {
	// Admin is an OpenID.
	Admin  string
	Action string
}

// AuditBefore returns n actions that a filter chooses, the newest first: those before the one
// with that id, 0 for the last ones.
func (s *Store) AuditBefore(ctx context.Context, f AuditFilter, id int64, n int) ([]Audit, error) {
	if id <= 0 {
		id = math.MaxInt64
	}
	q := s.r.WithContext(ctx).Where("id < ?", id).Order("id DESC").Limit(n)
	if f.Admin != "" {
		q = q.Where("admin = ?", f.Admin)
	}
	if f.Action != "" {
		q = q.Where("action = ?", f.Action)
	}
	var list []Audit
	return list, wrap(q.Find(&list).Error, "list audit")
}

// AuditActions returns the actions that are in the audit, by name.
func (s *Store) AuditActions(ctx context.Context) ([]string, error) {
	var list []string
	err := s.r.WithContext(ctx).Model(&Audit{}).Distinct().Order("action").Pluck("action", &list).Error
	return list, wrap(err, "list the actions of the audit")
}
