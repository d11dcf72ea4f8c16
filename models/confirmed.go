package models

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Confirmed is a person of whom the platform said that they follow.
type Confirmed struct {
	OpenID       string
	SubscribedAt Time
	// Scene, Remark: see Recipient.
	Scene, Remark string
	// Fields is a JSON object of texts; empty for none.
	Fields string
}

// confirmedRows is how many people one statement adds. The SQLite driver looks for each
// parameter of a statement among all of them, and each person has five.
const confirmedRows = 100

// Following returns those of some people who are known to follow.
func (s *Store) Following(ctx context.Context, openIDs []string) (map[string]bool, error) {
	known := make(map[string]bool, len(openIDs))
	for chunk := range slices.Chunk(openIDs, maxRows) {
		// NOT, because with subscribed = 1 SQLite might rather read everyone who follows.
		var found []string
		err := s.r.WithContext(ctx).Raw("SELECT openid FROM recipients WHERE openid IN ("+tuples("?", len(chunk))+") AND NOT subscribed = 0",
			anys(chunk)...).Scan(&found).Error
		if err != nil {
			return nil, fmt.Errorf("look up followers: %w", err)
		}
		for _, openID := range found {
			known[openID] = true
		}
	}
	return known, nil
}

// AddConfirmed adds people of whom the platform said at a moment that they follow, or marks
// them as followers, in one transaction. An event that is newer than that wins: since before
// that moment the import of a number must have been open (OpenImport), or the error is
// ErrImportLapsed.
func (s *Store) AddConfirmed(ctx context.Context, people []Confirmed, said time.Time, number int64) error {
	if len(people) == 0 {
		return nil
	}
	// Whoever writes in the order of an index can't deadlock with another who does.
	people = slices.SortedFunc(slices.Values(people), func(a, b Confirmed) int { return strings.Compare(a.OpenID, b.OpenID) })
	entries := make([]Entry, len(people))
	for i, p := range people {
		entries[i] = Entry{OpenID: p.OpenID, Fields: p.Fields}
	}
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if err := s.checkImport(tx, number); err != nil {
			return err
		}
		for chunk := range slices.Chunk(people, confirmedRows) {
			if err := s.addConfirmed(tx, chunk, said); err != nil {
				return err
			}
		}
		return saveFields(tx, entries, true)
	})
	return wrap(err, "add followers")
}

func (s *Store) addConfirmed(tx *gorm.DB, people []Confirmed, said time.Time) error {
	known := KnownAt(said).UnixMilli()
	row := fmt.Sprintf("(?, 1, 0, ?, ?, ?, ?, %d, %d, %d)", said.UnixMilli(), said.UnixMilli(), known)
	query := "INSERT INTO recipients (openid, subscribed, stranger, fields, subscribed_at, scene, remark, profiled_at, created_at, updated_at) VALUES " +
		tuples(row, len(people))
	if s.driver == SQLite {
		query += " ON CONFLICT (openid) DO UPDATE SET subscribed = 1, stranger = 0, subscribed_at = excluded.subscribed_at, scene = excluded.scene," +
			" remark = excluded.remark, profiled_at = excluded.profiled_at, updated_at = excluded.updated_at" +
			" WHERE subscribed = 0 AND updated_at <= excluded.updated_at"
	} else {
		// MySQL assigns from left to right: the condition must hold to the last.
		query += " ON DUPLICATE KEY UPDATE "
		for _, column := range []string{"subscribed_at", "scene", "remark", "profiled_at", "stranger", "updated_at", "subscribed"} {
			query += column + " = IF(subscribed = 0 AND updated_at <= VALUES(updated_at), VALUES(" + column + "), " + column + "), "
		}
		query = strings.TrimSuffix(query, ", ")
	}
	args := make([]any, 0, 5*len(people))
	for _, p := range people {
		args = append(args, p.OpenID, cutBytes(p.Fields, maxText), p.SubscribedAt, cut(p.Scene, maxScene), cut(p.Remark, maxRemark))
	}
	_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, query, args...)
	return err
}

// SaveFields adds fields to those of people who follow, in one transaction. Of a field that they have, the new value is right if over is set, and else
// the old one. Of who does not follow nothing is kept.
func (s *Store) SaveFields(ctx context.Context, entries []Entry, over bool) error {
	err := s.inTx(ctx, func(tx *gorm.DB) error { return saveFields(tx, entries, over) })
	return wrap(err, "save fields")
}

func saveFields(tx *gorm.DB, entries []Entry, over bool) error {
	entries = slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Fields == "" })
	for chunk := range slices.Chunk(entries, maxRows) {
		given := make(map[string]string, len(chunk))
		openIDs := make([]string, len(chunk))
		for i, e := range chunk {
			openIDs[i], given[e.OpenID] = e.OpenID, JoinFields(given[e.OpenID], e.Fields)
		}
		var has []Recipient
		err := forUpdate(tx).Select("id, openid, fields").Where("openid IN ? AND NOT subscribed = 0", openIDs).Find(&has).Error
		if err != nil {
			return err
		}
		values := map[int64]string{}
		for _, r := range has {
			joined := JoinFields(given[r.OpenID], r.Fields)
			if !over {
				joined = JoinFields(r.Fields, given[r.OpenID])
			}
			if joined != r.Fields && len(joined) <= maxText {
				values[r.ID] = joined
			}
		}
		if err := setFields(tx, "recipients", "id", values, ""); err != nil {
			return err
		}
	}
	return nil
}
