package models

import (
	"context"
	"slices"

	"gorm.io/gorm"
)

// SetBlacklist makes those with the OpenIDs the ones whom the platform has on the
// account's blacklist, and returns how many known people are on it. Those who are not
// known stay so.
func (s *Store) SetBlacklist(ctx context.Context, openIDs []string) (int, error) {
	var listed []int64
	for chunk := range slices.Chunk(openIDs, maxRows) {
		f, err := s.lookUp(s.r.WithContext(ctx), chunk)
		if err != nil {
			return 0, wrap(err, "read the blacklist")
		}
		listed = append(listed, f.ids...)
	}
	slices.Sort(listed)
	listed = slices.Compact(listed)
	var before []int64
	// The 1 is literal: SQLite uses the partial index only if it sees it.
	err := s.r.WithContext(ctx).Model(&Recipient{}).Where("blacklisted = 1").Order("id").Pluck("id", &before).Error
	if err != nil {
		return 0, wrap(err, "read the blacklist")
	}
	in := func(sorted []int64) func(id int64) bool {
		return func(id int64) bool { _, ok := slices.BinarySearch(sorted, id); return ok }
	}
	added := slices.DeleteFunc(slices.Clone(listed), in(before))
	removed := slices.DeleteFunc(slices.Clone(before), in(listed))
	if err := s.mark(ctx, added, "1"); err != nil {
		return 0, err
	}
	return len(listed), s.mark(ctx, removed, "0")
}

// MarkBlacklisted marks people to whom the platform took no message because they are on
// the account's blacklist.
func (s *Store) MarkBlacklisted(ctx context.Context, ids []int64) error {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return s.mark(ctx, ids, "1")
}

// mark writes whether people are blacklisted, in the order of their ids, so that two who
// do can't deadlock.
func (s *Store) mark(ctx context.Context, ids []int64, blacklisted string) error {
	for chunk := range slices.Chunk(ids, maxRows) {
		err := s.inTx(ctx, func(tx *gorm.DB) error {
			return execIn(tx, "UPDATE recipients SET blacklisted = "+blacklisted+" WHERE id IN ("+string(appendInts(nil, chunk...))+")")
		})
		if err != nil {
			return wrap(err, "mark the blacklisted")
		}
	}
	return nil
}
