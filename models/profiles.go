package models

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Profile is what the platform tells of a person.
type Profile struct {
	RecipientID   int64
	SubscribedAt  Time
	Scene, Remark string
}

// SaveProfiles stores what the platform told at a moment of people who follow. Of
// who does not, nothing may be kept. When and how a person came to follow stays
// as an event told it.
func (s *Store) SaveProfiles(ctx context.Context, profiles []Profile, now time.Time) error {
	if len(profiles) == 0 {
		return nil
	}
	// Whoever locks rows in the order of their ids can't deadlock with another who
	// does.
	profiles = slices.SortedFunc(slices.Values(profiles), func(a, b Profile) int { return int(a.RecipientID - b.RecipientID) })
	var ids []int64
	var remarks, scenes []any
	for _, p := range profiles {
		ids = append(ids, p.RecipientID)
		remarks = append(remarks, p.RecipientID, cut(p.Remark, maxRemark))
		scenes = append(scenes, p.RecipientID, cut(p.Scene, maxScene))
	}
	args := append(remarks, scenes...) //nolint:gocritic // the remarks are not needed any more
	for _, p := range profiles {
		args = append(args, p.RecipientID, p.SubscribedAt)
	}
	by := "CASE id" + strings.Repeat(" WHEN ? THEN ?", len(profiles)) + " END"
	// NOT, because with subscribed = 1 SQLite would rather read everyone who follows
	// than look up the ids.
	err := s.exec(ctx, "UPDATE recipients SET remark = "+by+
		", scene = CASE WHEN scene <> '' THEN scene ELSE "+by+" END"+
		", subscribed_at = CASE WHEN subscribed_at <> 0 THEN subscribed_at ELSE "+by+" END"+
		", profiled_at = ? WHERE id IN ("+string(appendInts(nil, ids...))+") AND NOT subscribed = 0", append(args, At(now))...)
	return wrap(err, "save what the platform tells of people")
}
