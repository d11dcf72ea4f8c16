package models

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// What a process asks every second or two, whether there is anything to do or not. A
// broadcast has forty columns, and what it says may be long: SQLite takes three times as
// long to prepare the reading of all of them, so that these look at few.

// Unfinished returns the broadcasts that have not ended, at most n, the latest first. Of each
// it reads only what says whether its time has come; all else is zero.
func (s *Store) Unfinished(ctx context.Context, n int) ([]Broadcast, error) {
	var list []Broadcast
	err := s.r.WithContext(ctx).
		Select("id", "state", "request_key", "audience", "of_id", "pending_since", "at_any_hour",
			"planned_start", "not_before", "resume_at", "started_at").
		Where("state IN ?", open).
		Order("id DESC").Limit(n).Find(&list).Error
	return list, wrap(err, "list broadcasts that have not ended")
}

// InState returns the latest n broadcasts in one of the states, the newest first. Of each it
// reads only the number and the state; all else is zero.
func (s *Store) InState(ctx context.Context, n int, states ...BroadcastState) ([]Broadcast, error) {
	var list []Broadcast
	err := s.r.WithContext(ctx).Select("id", "state").Where("state IN ?", states).Order("id DESC").Limit(n).Find(&list).Error
	return list, wrap(err, "list broadcasts by their state")
}

// Uncounted returns the broadcasts that began, ended after a moment, and of which it is
// not known yet how many messages were intercepted.
func (s *Store) Uncounted(ctx context.Context, after time.Time) ([]Broadcast, error) {
	list, err := few(s.r.WithContext(ctx).Where("state IN ? AND intercepted < 0 AND started_at > 0 AND finished_at > ?",
		[]BroadcastState{Finished, Cancelled, Failed}, At(after)))
	return list, wrap(err, "list broadcasts to look through")
}

// few returns the broadcasts of a query, by their numbers. It is for one that hardly ever
// finds any: it looks for their numbers first.
func few(q *gorm.DB) (list []Broadcast, err error) {
	q = q.Session(&gorm.Session{})
	var ids []int64
	if err := q.Model(&Broadcast{}).Limit(1).Pluck("id", &ids).Error; err != nil || len(ids) == 0 {
		return nil, err
	}
	err = q.Order("id").Find(&list).Error
	return list, err
}
