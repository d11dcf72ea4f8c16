package models

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

const (
	// MaxLists is how many lists there may be.
	MaxLists = 200
	// abandonedAfter is how long a list's segment may go without new people before it
	// counts as left behind by a process that died.
	abandonedAfter = time.Hour
)

// ListInfo is a list with what is known of its people.
type ListInfo struct {
	List
	Size int64
	// Fields are the names of the fields, as a JSON array.
	Fields string
}

// FieldNames returns the names of the fields, in the order of the file that the list came
// from.
func (l ListInfo) FieldNames() []string { return fieldNames(l.Fields) }

// EncodeNames returns the names of fields as a segment has them.
func EncodeNames(names []string) string {
	text, _ := json.Marshal(names) // texts always encode
	return string(text)
}

func fieldNames(stored string) (names []string) {
	_ = json.Unmarshal([]byte(stored), &names) // empty for none
	return names
}

// Lists returns the lists by name.
func (s *Store) Lists(ctx context.Context) ([]ListInfo, error) {
	var all []ListInfo
	err := s.listInfo(ctx).Order("lists.folded").Find(&all).Error
	return all, wrap(err, "list lists")
}

// FindList returns a list by its folded name, nil if there is none.
func (s *Store) FindList(ctx context.Context, folded string) (*ListInfo, error) {
	var found []ListInfo
	err := s.listInfo(ctx).Where("lists.folded = ?", folded).Limit(1).Find(&found).Error
	if err != nil || len(found) == 0 {
		return nil, wrap(err, "find list")
	}
	return &found[0], nil
}

func (s *Store) listInfo(ctx context.Context) *gorm.DB {
	return s.r.WithContext(ctx).Table("lists").Select("lists.*, segments.size, segments.fields").
		Joins("JOIN segments ON segments.id = lists.segment_id")
}

// PublishList makes a segment that is complete a list's people, with its size and the names
// of its fields, and returns the list that it replaces, nil for none. Whoever asked for a
// broadcast to that one keeps it; else TidySegments deletes its people. One list more than
// there may be is an Error ErrListsFull.
func (s *Store) PublishList(ctx context.Context, l List, size int64, fields []string) (before *List, err error) {
	names := EncodeNames(fields)
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		if err := lockFact(tx, "lists"); err != nil {
			return err
		}
		seg, err := first[Segment](forUpdate(tx).Where("id = ?", l.SegmentID))
		if err != nil {
			return err
		}
		if seg == nil {
			return fmt.Errorf("the people of %q are gone: they took longer than %s to come", l.Name, abandonedAfter)
		}
		if before, err = roomFor(tx, l.Folded); err != nil {
			return err
		}
		err = tx.Model(seg).Updates(map[string]any{"name": l.Name, "size": size, "fields": names, "made_at": l.ChangedAt}).Error
		if err != nil {
			return err
		}
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&l).Error; err != nil || before == nil {
			return err
		}
		return dropUnused(tx, before.SegmentID)
	})
	return before, wrap(err, "publish list")
}

// roomFor returns the list of a name, or an Error if there is none and no room for it.
func roomFor(tx *gorm.DB, folded string) (*List, error) {
	before, err := first[List](tx.Where("folded = ?", folded))
	if err != nil || before != nil {
		return before, err
	}
	var n int64
	if err := tx.Model(&List{}).Count(&n).Error; err != nil {
		return nil, err
	}
	if n >= MaxLists {
		return nil, NewError(Conflict, ErrListsFull, "Limit", int64(MaxLists))
	}
	return nil, nil
}

// RemoveList removes a list and returns it, nil if there is none. Broadcasts to it go on.
func (s *Store) RemoveList(ctx context.Context, folded string) (removed *List, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		if err := lockFact(tx, "lists"); err != nil {
			return err
		}
		if removed, err = first[List](tx.Where("folded = ?", folded)); err != nil || removed == nil {
			return err
		}
		if err := tx.Where("folded = ?", folded).Delete(&List{}).Error; err != nil {
			return err
		}
		return dropUnused(tx, removed.SegmentID)
	})
	return removed, wrap(err, "remove list")
}

// dropUnused drops a segment that no broadcast is for. Its people are left to
// TidySegments.
func dropUnused(tx *gorm.DB, id int64) error {
	return tx.Where("id = ? AND used = ?", id, false).Delete(&Segment{}).Error
}

// DropSegment drops a segment that no broadcast is for, with its people.
func (s *Store) DropSegment(ctx context.Context, id int64) error {
	if err := dropUnused(s.w.WithContext(ctx), id); err != nil {
		return fmt.Errorf("drop segment: %w", err)
	}
	seg, err := first[Segment](s.w.WithContext(ctx).Where("id = ?", id))
	if err == nil && seg == nil {
		err = s.dropMembers(ctx, id)
	}
	return wrap(err, "drop segment")
}

// TidySegments deletes the lists' segments that a process began and did not complete, and
// the people of segments that are gone.
func (s *Store) TidySegments(ctx context.Context, now time.Time) error {
	err := s.exec(ctx, "DELETE FROM segments WHERE kind = 'list' AND used = 0 AND made_at < ?"+
		" AND id NOT IN (SELECT segment_id FROM lists)", now.Add(-abandonedAfter).UnixMilli())
	if err != nil {
		return fmt.Errorf("tidy segments: %w", err)
	}
	for id := int64(0); ; {
		// Each segment's first row is found by the primary key.
		err := s.w.WithContext(ctx).Raw("SELECT COALESCE(MIN(segment_id), 0) FROM members WHERE segment_id > ?", id).Scan(&id).Error
		if err != nil || id == 0 {
			return wrap(err, "tidy segments")
		}
		seg, err := first[Segment](s.w.WithContext(ctx).Select("id").Where("id = ?", id))
		if err == nil && seg == nil {
			err = s.dropMembers(ctx, id)
		}
		if err != nil {
			return fmt.Errorf("tidy segments: %w", err)
		}
	}
}

// dropMembers deletes the people of a segment, maxRows a statement, so that it holds no
// lock for long.
func (s *Store) dropMembers(ctx context.Context, segment int64) error {
	for {
		var last []int64
		err := s.w.WithContext(ctx).Model(&Member{}).Where("segment_id = ?", segment).Order("recipient_id").
			Offset(maxRows-1).Limit(1).Pluck("recipient_id", &last).Error
		if err != nil {
			return err
		}
		q := s.w.WithContext(ctx).Where("segment_id = ?", segment)
		if len(last) > 0 {
			q = q.Where("recipient_id <= ?", last[0])
		}
		if err := q.Delete(&Member{}).Error; err != nil || len(last) == 0 {
			return err
		}
	}
}

// Entry is a person who is put into a segment.
type Entry struct {
	OpenID string
	// Fields is a JSON object of texts; empty for none.
	Fields string
}

// entryBytes is how large the values of one statement get, which the database limits
// (max_allowed_packet of MySQL).
const entryBytes = 1 << 20

// AddEntries puts people into a segment that is not complete, each of whom must be in it
// once at most, in one transaction. Who is unknown becomes a stranger.
func (s *Store) AddEntries(ctx context.Context, segment int64, entries []Entry, now time.Time) error {
	err := s.inTx(ctx, func(tx *gorm.DB) error { return s.addEntries(tx, segment, entries, now) })
	return wrap(err, "add entries")
}

func (s *Store) addEntries(tx *gorm.DB, segment int64, entries []Entry, now time.Time) error {
	openIDs := make([]string, len(entries))
	for i, e := range entries {
		openIDs[i] = e.OpenID
	}
	ids := make(map[string]int64, len(entries))
	for chunk := range slices.Chunk(openIDs, maxRows) {
		if err := s.ensureIDs(tx, chunk, now, ids); err != nil {
			return err
		}
	}
	// A segment that gets people is not abandoned.
	if err := tx.Exec("UPDATE segments SET made_at = ? WHERE id = ?", At(now), segment).Error; err != nil {
		return err
	}
	members := make([]Member, len(entries))
	for i, e := range entries {
		members[i] = Member{SegmentID: segment, RecipientID: ids[e.OpenID], Fields: e.Fields}
	}
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.RecipientID, b.RecipientID) })
	for len(members) > 0 {
		n, bytes := 0, 0
		for n < len(members) && n < maxRows && bytes < entryBytes {
			bytes += len(members[n].Fields)
			n++
		}
		if err := insertMembers(tx, members[:n]); err != nil {
			return err
		}
		members = members[n:]
	}
	return nil
}

func insertMembers(tx *gorm.DB, members []Member) error {
	args := make([]any, 0, 3*len(members))
	for _, m := range members {
		args = append(args, m.SegmentID, m.RecipientID, m.Fields)
	}
	_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context,
		"INSERT INTO members (segment_id, recipient_id, fields) VALUES "+tuples("(?, ?, ?)", len(members)), args...)
	return err
}

// ensureIDs enters the numbers of people into ids. Who is unknown becomes a stranger.
func (s *Store) ensureIDs(tx *gorm.DB, openIDs []string, now time.Time, ids map[string]int64) error {
	if err := findIDs(tx, openIDs, ids); err != nil {
		return err
	}
	unknown := slices.DeleteFunc(openIDs, func(o string) bool { return ids[o] != 0 })
	if len(unknown) == 0 {
		return nil
	}
	if err := s.addStrangers(tx, unknown, now); err != nil {
		return err
	}
	return findIDs(tx, unknown, ids)
}

// findIDs enters the numbers of those who are known into ids.
func findIDs(tx *gorm.DB, openIDs []string, ids map[string]int64) error {
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context,
		"SELECT id, openid FROM recipients WHERE openid IN ("+tuples("?", len(openIDs))+")", anys(openIDs)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var openID string
		if err := rows.Scan(&id, &openID); err != nil {
			return err
		}
		ids[openID] = id
	}
	return rows.Err()
}

// addStrangers adds people of whom nothing is known. Any event is newer than that.
func (s *Store) addStrangers(tx *gorm.DB, openIDs []string, now time.Time) error {
	query := "INSERT INTO recipients (openid, subscribed, stranger, fields, created_at, updated_at) VALUES " +
		tuples(fmt.Sprintf("(?, 0, 1, '', %d, 0)", now.UnixMilli()), len(openIDs))
	if s.driver == SQLite {
		query += " ON CONFLICT (openid) DO NOTHING"
	} else {
		query += " ON DUPLICATE KEY UPDATE id = id"
	}
	_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, query, anys(openIDs)...)
	return err
}

// Standing says how many of some people can be written to, and why not the others. Each is
// counted once.
type Standing struct {
	Follow      int64 // who follows and can be written to
	OptedOut    int64
	Blacklisted int64
	Away        int64 // who followed once
	Unknown     int64 // who was never known to follow
}

// Standing returns how people stand.
func (s *Store) Standing(ctx context.Context, openIDs []string) (Standing, error) {
	var all Standing
	for chunk := range slices.Chunk(openIDs, maxRows) {
		var n Standing
		err := s.r.WithContext(ctx).Raw("SELECT COALESCE(SUM("+reachable+"), 0) AS follow,"+
			" COALESCE(SUM(subscribed = 1 AND opted_out = 1), 0) AS opted_out,"+
			" COALESCE(SUM(subscribed = 1 AND opted_out = 0 AND blacklisted = 1), 0) AS blacklisted,"+
			" COALESCE(SUM(subscribed = 0 AND stranger = 0), 0) AS away"+
			" FROM recipients WHERE openid IN ("+tuples("?", len(chunk))+")", anys(chunk)...).Scan(&n).Error
		if err != nil {
			return all, fmt.Errorf("look up people: %w", err)
		}
		all.Follow += n.Follow
		all.OptedOut += n.OptedOut
		all.Blacklisted += n.Blacklisted
		all.Away += n.Away
		all.Unknown += int64(len(chunk)) - n.Follow - n.OptedOut - n.Blacklisted - n.Away
	}
	return all, nil
}

// Listed is a person of a segment.
type Listed struct {
	RecipientID    int64
	OpenID, Fields string
}

// MembersAfter returns the next people of a segment after a recipient, at most n. The error
// is ErrGroupChanged if the segment is gone.
func (s *Store) MembersAfter(ctx context.Context, segment, after int64, n int) ([]Listed, error) {
	var page []Listed
	err := s.r.WithContext(ctx).Table(s.joined("members m", "m.recipient_id")).
		Select("m.recipient_id, recipients.openid AS open_id, m.fields").
		Where("m.segment_id = ? AND m.recipient_id > ?", segment, after).Order("m.recipient_id").Limit(n).Find(&page).Error
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	seg, err := first[Segment](s.r.WithContext(ctx).Where("id = ?", segment))
	if err == nil && seg == nil {
		err = NewError(Conflict, ErrGroupChanged)
	}
	return page, wrap(err, "list members")
}
