package models

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"gorm.io/gorm"
)

// mergeGroup is how many followers are compared, and stored, at once.
const mergeGroup = 10_000

// MergeList takes over a sync's whole list: who is unknown is added and who came
// back follows again, which the state that it returns counts, with all who are
// listed. unlisted are the ids of the followers who are not, for MarkLeft.
// progress (if not nil) gets how many of the listed are stored.
//
// The list and the table are walked side by side in the order of the OpenIDs:
// an index is then read and written from its one end to the other, and where
// nothing changed nothing is written. It can be called again after an error.
//
// What an event tells of a moment after the sync's start stays, whatever the
// list says.
func (s *Store) MergeList(ctx context.Context, st SyncState, progress func(stored int64)) (_ SyncState, unlisted []int64, err error) {
	defer func() { err = wrap(err, "merge the follower list") }()
	db := s.r.WithContext(ctx).Statement.ConnPool
	l, err := openList(ctx, db, st.Pages)
	if err != nil {
		return st, nil, err
	}
	seen := int64(0)
	var group []string // listed and not merged
	for after, whole := "", false; !whole; {
		more, err := l.take(ctx, mergeGroup-len(group))
		if err != nil {
			return st, nil, err
		}
		group = append(group, more...)
		c, err := s.compare(ctx, db, after, group, l.ended())
		if err != nil {
			return st, nil, err
		}
		if st, err = s.takeOver(ctx, st, c); err != nil {
			return st, nil, err
		}
		unlisted = append(unlisted, c.unlisted...)
		seen += int64(c.listed)
		group = group[c.listed:]
		if progress != nil {
			progress(seen)
		}
		after, whole = c.through, c.through == ""
	}
	was := st
	st.Seen, st.Unlisted = seen, int64(len(unlisted))
	err = s.inTx(ctx, func(tx *gorm.DB) error { return moveSync(tx, was, st) })
	return st, unlisted, err
}

// MarkLeft marks those of the followers with these ids as having left of whom no
// event tells anything newer than the sync's start, and returns the state with
// their number. It can be called again after an error, then with MergeList's new
// ids.
func (s *Store) MarkLeft(ctx context.Context, st SyncState, ids []int64) (SyncState, error) {
	// Whoever locks rows in the order of their ids can't deadlock with another
	// who does.
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, maxRows) {
		next := st
		err := s.inTx(ctx, func(tx *gorm.DB) error {
			// NOT, because with subscribed = 1 SQLite would rather read everyone who
			// follows than look up the ids.
			res := tx.Exec("UPDATE recipients SET "+erased+" WHERE id IN ("+string(appendInts(nil, chunk...))+")"+
				" AND NOT (subscribed = 0 OR updated_at > ?)", st.AsOf(), st.AsOf(), st.AsOf())
			if res.Error != nil {
				return res.Error
			}
			next.Left = st.Left + res.RowsAffected
			return moveSync(tx, st, next)
		})
		if err != nil {
			return st, fmt.Errorf("mark who left: %w", err)
		}
		st = next
	}
	return st, nil
}

// difference is how a part of the list and the same part of the table differ.
type difference struct {
	through  string // the last OpenID of the part, "" for the end
	listed   int    // how many are listed in it
	added    []string
	returned []int64
	unlisted []int64
}

// compare compares the people whose OpenIDs come after one, through the last of
// those listed or, if the list ended with them, to the end; fewer if the table
// has very many of them.
func (s *Store) compare(ctx context.Context, db gorm.ConnPool, after string, listed []string, ended bool) (difference, error) {
	var c difference
	part, args := "openid > ?", []any{after}
	if !ended {
		c.through = listed[len(listed)-1]
		part, args = part+" AND openid <= ?", append(args, c.through)
	}
	part += " ORDER BY openid LIMIT " + strconv.Itoa(mergeGroup)
	by := ""
	if s.driver == SQLite { // which would take another, and read and sort everyone who ever left
		by = " INDEXED BY recipients_left"
	}
	left := make(map[int64]struct{})
	err := queryIn(ctx, db, "SELECT id, openid FROM recipients"+by+" WHERE subscribed = 0 AND "+part, args,
		func(id int64, _ sql.RawBytes) { left[id] = struct{}{} })
	if err != nil {
		return c, fmt.Errorf("look up who left: %w", err)
	}
	known := 0
	err = queryIn(ctx, db, "SELECT id, openid FROM recipients WHERE "+part, args, func(id int64, openID sql.RawBytes) {
		for c.listed < len(listed) && listed[c.listed] < string(openID) {
			c.added = append(c.added, listed[c.listed])
			c.listed++
		}
		_, gone := left[id]
		switch {
		case c.listed == len(listed) || listed[c.listed] != string(openID):
			if !gone {
				c.unlisted = append(c.unlisted, id)
			}
		case gone:
			c.returned = append(c.returned, id)
			c.listed++
		default:
			c.listed++
		}
		if known++; known == mergeGroup {
			c.through = string(openID)
		}
	})
	if err != nil {
		return c, fmt.Errorf("look up followers: %w", err)
	}
	if known < mergeGroup {
		c.added = append(c.added, listed[c.listed:]...)
		c.listed = len(listed)
	}
	return c, nil
}

// takeOver stores a difference, except for who is not listed.
func (s *Store) takeOver(ctx context.Context, st SyncState, c difference) (SyncState, error) {
	if len(c.added)+len(c.returned) == 0 {
		return st, nil
	}
	next := st
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		next = st
		asOf := strconv.FormatInt(st.AsOf().UnixMilli(), 10)
		slices.Sort(c.returned) // for this and for the NOT see MarkLeft
		for chunk := range slices.Chunk(c.returned, maxRows) {
			ids := string(appendInts(nil, chunk...))
			met := tx.Exec("UPDATE recipients SET subscribed = 1, stranger = 0, updated_at = " + asOf +
				" WHERE id IN (" + ids + ") AND NOT (stranger = 0 OR subscribed = 1 OR updated_at > " + asOf + ")")
			if met.Error != nil {
				return fmt.Errorf("mark strangers as followers: %w", met.Error)
			}
			next.Added += met.RowsAffected
			res := tx.Exec("UPDATE recipients SET subscribed = 1, updated_at = " + asOf +
				" WHERE id IN (" + ids + ") AND NOT (subscribed = 1 OR updated_at > " + asOf + ")")
			if res.Error != nil {
				return fmt.Errorf("mark followers as returned: %w", res.Error)
			}
			next.Returned += res.RowsAffected
		}
		for chunk := range slices.Chunk(c.added, maxRows) {
			n, err := s.add(tx, st, asOf, chunk)
			if err != nil {
				return fmt.Errorf("add followers: %w", err)
			}
			next.Added += n
		}
		return moveSync(tx, st, next)
	})
	return next, err
}

// add adds followers, except for those whom an event has added meanwhile, and
// returns how many. Whom an import has added meanwhile as a stranger follows now.
func (s *Store) add(tx *gorm.DB, st SyncState, asOf string, openIDs []string) (int64, error) {
	rest := ", 1, '', " + strconv.FormatInt(st.TouchedAt.UnixMilli(), 10) + ", " + asOf
	query := "INSERT INTO recipients (openid, subscribed, fields, created_at, updated_at) "
	var args []any
	if s.driver == SQLite {
		// One value instead of a thousand halves what it costs.
		list, err := json.Marshal(openIDs)
		if err != nil {
			return 0, err
		}
		query += "SELECT value" + rest + " FROM json_each(?) WHERE true" +
			" ON CONFLICT (openid) DO UPDATE SET subscribed = 1, stranger = 0, updated_at = excluded.updated_at WHERE stranger = 1"
		args = []any{string(list)}
	} else {
		query += "VALUES " + tuples("(?"+rest+")", len(openIDs)) +
			// MySQL assigns from left to right, so stranger comes last.
			" ON DUPLICATE KEY UPDATE updated_at = IF(stranger = 1, VALUES(updated_at), updated_at)," +
			" subscribed = IF(stranger = 1, 1, subscribed), stranger = 0"
		args = anys(openIDs)
	}
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// queryIn runs a query for ids and OpenIDs past GORM, whose reading of rows
// costs more than the database's. The OpenID is good until each returns.
func queryIn(ctx context.Context, db gorm.ConnPool, query string, args []any, each func(id int64, openID sql.RawBytes)) (err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var id int64
	var openID sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&id, &openID); err != nil {
			return err
		}
		each(id, openID)
	}
	return rows.Err()
}
