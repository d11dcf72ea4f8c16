package delivery

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/wechat"
)

// entry is an outcome on its way to the database.
type entry struct {
	outcome models.Outcome
	// gone are other recipients, whom it shows to have left.
	gone []models.Departure
	// done is called once it is recorded, or given up because the process ends.
	done func(recorded bool)
}

// recorder records outcomes in groups. With the database away it keeps trying
// until storing ends.
type recorder struct {
	*grouper[entry]
}

func newRecorder(storing context.Context, store *models.Store, writing *models.Health, now func() time.Time, log *slog.Logger) *recorder {
	flush := func(group []entry) {
		outcomes := make([]models.Outcome, len(group))
		var gone []models.Departure
		var blacklisted []int64
		for i, r := range group {
			outcomes[i] = r.outcome
			gone = append(gone, r.gone...)
			if r.outcome.ErrCode == wechat.CodeBlacklisted {
				blacklisted = append(blacklisted, r.outcome.RecipientID)
			}
		}
		err := loop.Persist(storing, log, "record outcomes", func(ctx context.Context) error {
			if err := writing.Note(store.RecordOutcomes(ctx, outcomes, now())); err != nil {
				return err
			}
			return errors.Join(store.MarkGone(ctx, gone), store.MarkBlacklisted(ctx, blacklisted))
		})
		for _, r := range group {
			r.done(err == nil)
		}
	}
	return &recorder{newGrouper(500, 5*time.Millisecond, flush)}
}
