package models

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// Overrule takes down that the quiet hours do not hold for a broadcast that is paused or
// waits for their end, has it start no sooner than notBefore, and tells whether it did.
func (s *Store) Overrule(ctx context.Context, id int64, notBefore, now time.Time) (done bool, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		done = false
		var b Broadcast
		if err := forUpdate(tx).Take(&b, id).Error; err != nil {
			return err
		}
		set := map[string]any{"at_any_hour": true, "not_before": At(notBefore)}
		switch {
		case b.WaitsForQuietEnd():
			set["reason"] = ""
		case b.State == Paused:
			if n, err := s.move(tx, Move{Event: EventResume}, now, "id = ?", id); err != nil || n == 0 {
				return err
			}
		default:
			return nil
		}
		done = true
		return tx.Model(&Broadcast{}).Where("id = ?", id).Updates(set).Error
	})
	return done && err == nil, wrap(err, "overrule the quiet hours")
}

// WaitsForQuietEnd tells whether a broadcast waits for the end of the quiet hours before it
// starts, or goes on after an admin resumed it in them.
func (b *Broadcast) WaitsForQuietEnd() bool { return b.State == Scheduled && b.Reason == ReasonQuiet }
