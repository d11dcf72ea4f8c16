package models

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"
)

// Unpulled tells whether a tag of the target was not pulled for the broadcast yet.
func (t Target) Unpulled() bool {
	return slices.ContainsFunc(t.All(), func(g Group) bool { return g.Kind == GroupTag && g.Segment == 0 })
}

// setSegments enters the segments of tags, by their numbers on the platform, except where
// a tag has one and keep says that it stays.
func (t *Target) setSegments(of map[int64]int64, keep func(segment int64) bool) {
	for _, groups := range [][]Group{t.Groups, t.Except} {
		for i, g := range groups {
			if segment := of[g.ID]; g.Kind == GroupTag && segment != 0 && (g.Segment == 0 || !keep(g.Segment)) {
				groups[i].Segment = segment
			}
		}
	}
}

// WithSegments returns the target with the segments of tags that have none yet.
func (t Target) WithSegments(of map[int64]int64) Target {
	t.Groups, t.Except = slices.Clone(t.Groups), slices.Clone(t.Except)
	t.setSegments(of, func(int64) bool { return true })
	return t
}

// forget returns groups without what was pulled for another broadcast.
func forget(groups []Group) []Group {
	groups = slices.Clone(groups)
	for i := range groups {
		if groups[i].Kind == GroupTag {
			groups[i].Segment = 0
		}
	}
	return groups
}

// Forget returns the target without what was pulled of its tags.
func (t Target) Forget() Target { return Target{Groups: forget(t.Groups), Except: forget(t.Except)} }

// FindSegments returns segments by their numbers; those that are gone are left out.
func (s *Store) FindSegments(ctx context.Context, ids []int64) ([]Segment, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var list []Segment
	err := s.r.WithContext(ctx).Where("id IN ?", ids).Find(&list).Error
	return list, wrap(err, "find segments")
}

// AddTagged adds people whom the platform lists to a segment, as things were at a moment.
// Whoever is not known is added as a follower, since the platform gives tags to followers
// alone; whoever was only known from a list is one from now on. Of those who left since,
// the event is right.
func (s *Store) AddTagged(ctx context.Context, segment int64, openIDs []string, at time.Time) error {
	openIDs = slices.Clone(openIDs)
	slices.Sort(openIDs)
	openIDs = slices.Compact(openIDs)
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		for chunk := range slices.Chunk(openIDs, maxRows) {
			if err := s.addTagged(tx, segment, chunk, at); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "add those with a tag")
}

func (s *Store) addTagged(tx *gorm.DB, segment int64, openIDs []string, at time.Time) error {
	found, err := s.lookUp(tx, openIDs)
	if err != nil {
		return err
	}
	if unknown := found.missing(openIDs); len(unknown) > 0 {
		asOf := strconv.FormatInt(KnownAt(at).UnixMilli(), 10)
		if _, err := s.add(tx, SyncState{TouchedAt: At(at)}, asOf, unknown); err != nil {
			return err
		}
		added, err := s.lookUp(tx, unknown)
		if err != nil {
			return err
		}
		found.ids = append(found.ids, added.ids...)
	}
	if len(found.ids) == 0 {
		return nil
	}
	slices.Sort(found.ids)
	if err := s.welcome(tx, found.ids, at); err != nil {
		return err
	}
	query := []byte("INSERT INTO members (segment_id, recipient_id, fields) VALUES ")
	for i, id := range found.ids {
		query = append(appendInts(appendRow(query, i), segment, id), ",'')"...)
	}
	again := " ON DUPLICATE KEY UPDATE recipient_id = recipient_id"
	if s.driver == SQLite {
		again = " ON CONFLICT DO NOTHING"
	}
	return execIn(tx, string(query)+again)
}

// welcome makes those followers who were only known from a list, as things were at a moment.
func (s *Store) welcome(tx *gorm.DB, ids []int64, at time.Time) error {
	list := string(appendInts(nil, ids...))
	from := "recipients"
	if s.driver == MySQL { // else it reads the row of each id
		from += " FORCE INDEX (recipients_stranger)"
	}
	var strangers []int64
	// The 1 is literal: SQLite uses the partial index only if it sees it.
	err := tx.Raw("SELECT id FROM " + from + " WHERE stranger = 1 AND id IN (" + list + ")").Scan(&strangers).Error
	if err != nil || len(strangers) == 0 {
		return err
	}
	return execIn(tx, "UPDATE recipients SET subscribed = 1, stranger = 0, updated_at = ? WHERE stranger = 1 AND id IN ("+
		string(appendInts(nil, strangers...))+")", KnownAt(at).UnixMilli())
}

// found are people who were looked up by their OpenIDs.
type found struct {
	ids     []int64
	openIDs map[string]struct{}
}

func (f found) missing(openIDs []string) []string {
	return slices.DeleteFunc(slices.Clone(openIDs), func(openID string) bool { _, ok := f.openIDs[openID]; return ok })
}

// lookUp finds people by their OpenIDs, at most maxRows. It reads the index alone: the rows
// lie anywhere in the table.
func (s *Store) lookUp(tx *gorm.DB, openIDs []string) (found, error) {
	f := found{openIDs: make(map[string]struct{}, len(openIDs))}
	from, args := "recipients WHERE openid IN ("+tuples("?", len(openIDs))+")", anys(openIDs)
	if s.driver == SQLite { // one value instead of a thousand
		list, err := json.Marshal(openIDs)
		if err != nil {
			return f, err
		}
		from, args = "json_each(?) CROSS JOIN recipients ON openid = json_each.value", []any{string(list)}
	}
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, "SELECT recipients.id, openid FROM "+from, args...)
	if err != nil {
		return f, err
	}
	defer rows.Close()
	var id int64
	var openID sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&id, &openID); err != nil {
			return f, err
		}
		f.ids = append(f.ids, id)
		f.openIDs[string(openID)] = struct{}{}
	}
	return f, rows.Err()
}

// SealSegment records that a segment is whole.
func (s *Store) SealSegment(ctx context.Context, id int64) error {
	var n int64
	err := s.r.WithContext(ctx).Model(&Member{}).Where("segment_id = ?", id).Count(&n).Error
	if err == nil {
		err = s.w.WithContext(ctx).Model(&Segment{}).Where("id = ?", id).Update("size", n).Error
	}
	return wrap(err, "seal a segment")
}

// SetPulled enters what was pulled of a broadcast's tags, by their numbers on the
// platform, in place of what was pulled for it before (the segments that are named own),
// and returns the target that is stored then. Once the broadcast's audience is fixed it
// changes nothing.
func (s *Store) SetPulled(ctx context.Context, broadcast int64, pulled map[int64]int64, own []int64) (t Target, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		b, err := first[Broadcast](forUpdate(tx).Where("id = ?", broadcast))
		if err != nil {
			return err
		}
		if b == nil {
			return NewError(NotFound, ErrBroadcastUnknown, "ID", broadcast)
		}
		t = b.Target
		batch, err := first[Batch](tx.Where("broadcast_id = ?", broadcast))
		if err != nil {
			return err
		}
		// The rest of a broadcast has that one's ThroughID from the beginning.
		if b.State.Final() || !b.PlannedAt.IsZero() || batch != nil || b.ThroughID != 0 && b.OfID == 0 {
			return nil
		}
		before := segmentsOf(t.All(), GroupTag)
		t.setSegments(pulled, func(segment int64) bool { return !slices.Contains(own, segment) })
		after := segmentsOf(t.All(), GroupTag)
		given := slices.DeleteFunc(before, func(id int64) bool { return slices.Contains(after, id) || !slices.Contains(own, id) })
		set := map[string]any{"target": t}
		if len(given) > 0 { // how many were asked for is not known any more
			set["asked_for"] = 0
		}
		if err := tx.Model(b).Updates(set).Error; err != nil {
			return err
		}
		if err := tx.Model(&Segment{}).Where("id IN ?", after).Update("used", true).Error; err != nil || len(given) == 0 {
			return err
		}
		return tx.Model(&Segment{}).Where("id IN ?", given).Update("used", false).Error
	})
	return t, wrap(err, "enter what was pulled of tags")
}

// DropPulled deletes what was pulled of tags before a moment and is for no broadcast: a
// pull that was not whole, or one that a later one took the place of.
func (s *Store) DropPulled(ctx context.Context, before time.Time) error {
	var old []int64
	err := s.r.WithContext(ctx).Model(&Segment{}).Where("kind = ? AND used = ? AND made_at < ?", GroupTag, false, At(before)).
		Pluck("id", &old).Error
	if err != nil {
		return fmt.Errorf("list what was pulled of tags: %w", err)
	}
	for _, id := range old {
		if err := s.dropSegment(ctx, id); err != nil {
			return fmt.Errorf("drop what was pulled of a tag: %w", err)
		}
	}
	return nil
}

// dropSegment deletes a segment that no broadcast is for, a part at a time, so that nobody
// waits for it.
func (s *Store) dropSegment(ctx context.Context, id int64) error {
	for {
		var some []int64
		err := s.r.WithContext(ctx).Model(&Member{}).Where("segment_id = ?", id).Order("recipient_id").Limit(maxRows).Pluck("recipient_id", &some).Error
		if err != nil {
			return err
		}
		if len(some) == 0 {
			break
		}
		// The last one bounds the part.
		if err := s.exec(ctx, "DELETE FROM members WHERE segment_id = ? AND recipient_id <= ?", id, some[len(some)-1]); err != nil {
			return err
		}
	}
	return s.exec(ctx, "DELETE FROM segments WHERE id = ? AND used = ?", id, false)
}
