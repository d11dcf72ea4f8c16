package models

import (
	"context"
	"time"
)

// StartsWithin is how long after its planned start a broadcast still starts by itself.
const StartsWithin = time.Hour

// Waiting returns up to n of the broadcasts that have not begun, those that start
// soonest first.
func (s *Store) Waiting(ctx context.Context, n int) ([]Broadcast, error) {
	var list []Broadcast
	err := s.r.WithContext(ctx).Where("state IN ? AND started_at = 0", []BroadcastState{Scheduled, Paused}).
		Order("not_before, id").Limit(n).Find(&list).Error
	return list, wrap(err, "list waiting broadcasts")
}

// RescheduleBroadcast plans the start of a broadcast that has not begun for another
// moment, has it start no sooner than notBefore, and tells whether it did. One that
// missed its start waits for the new one; one that is paused for another reason stays so.
// why is the reason for which it waits beyond planned, empty for none.
func (s *Store) RescheduleBroadcast(ctx context.Context, id int64, planned, notBefore time.Time, why string) (bool, error) {
	// MySQL assigns from left to right, so the reason comes last.
	res := s.w.WithContext(ctx).Exec(
		"UPDATE broadcasts SET planned_start = ?, not_before = ?,"+
			" notified_state = CASE WHEN reason = ? THEN '' ELSE notified_state END,"+
			" state = CASE WHEN reason = ? THEN ? ELSE state END,"+
			" reason = CASE WHEN reason = ? OR state = ? THEN ? ELSE reason END"+
			" WHERE id = ? AND started_at = 0 AND state IN ?",
		At(planned), At(notBefore), ReasonMissed, ReasonMissed, Scheduled, ReasonMissed, Scheduled, why, id, []BroadcastState{Scheduled, Paused})
	return res.RowsAffected == 1, wrap(res.Error, "reschedule broadcast")
}
