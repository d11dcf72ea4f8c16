package models

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// StartsWithin is how long after its planned start a broadcast still starts by itself.
const StartsWithin = time.Hour

// Waiting returns up to n of the broadcasts that have not begun, those that start
// soonest first.
func (s *Store) Waiting(ctx context.Context, n int) ([]Broadcast, error) {
	var list []Broadcast
	err := s.r.WithContext(ctx).Where("state IN ? AND started_at = 0", []BroadcastState{Pending, Scheduled, Paused}).
		Order("not_before, id").Limit(n).Find(&list).Error
	return list, wrap(err, "list waiting broadcasts")
}

// RescheduleBroadcast plans the start of a broadcast that has not begun for another
// moment, has it start no sooner than notBefore, and tells whether it did. One that
// missed its start waits for the new one; one that is paused for another reason stays so.
// why is the reason for which it waits beyond planned, empty for none. One that takes
// approvals waits for all of them again, since they were for another time.
func (s *Store) RescheduleBroadcast(ctx context.Context, id int64, planned, notBefore time.Time, why string, now time.Time) (moved bool, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		moved = false
		b, err := first[Broadcast](forUpdate(tx).Where("id = ? AND started_at = 0 AND state IN ?", id, []BroadcastState{Pending, Scheduled, Paused}))
		if err != nil || b == nil {
			return err
		}
		b.PlannedStart, b.NotBefore = At(planned), At(notBefore)
		switch {
		case b.Approvals > 0:
			if words, halted := b.Halted(); halted { // it would be halted no more
				return NewError(Conflict, ErrHalted, "ID", b.ID, "Detail", words)
			}
			if !b.SurelyRestored() { // else those who approve it may not know
				b.Reason, b.Detail = "", ""
			}
			b.State, b.PendingSince, b.ResumeAt, b.NotifiedState = Pending, At(now), Time{}, ""
			if err := tx.Where("broadcast_id = ?", id).Delete(&Approval{}).Error; err != nil {
				return err
			}
		case b.Reason == ReasonMissed:
			b.State, b.Reason, b.NotifiedState = Scheduled, why, ""
		case b.State == Scheduled:
			b.Reason = why
		}
		moved = true
		return tx.Model(b).Select("state", "reason", "detail", "planned_start", "not_before", "pending_since", "resume_at", "notified_state").Updates(b).Error
	})
	return moved && err == nil, wrap(err, "reschedule broadcast")
}
