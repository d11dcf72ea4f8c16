package broadcast

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"wechat-broadcast/models"
)

// record is an outcome on its way to the database.
type record struct {
	outcome models.Outcome
	// gone are other recipients, whom it shows to have left.
	gone []models.Departure
	// done is called once it is recorded, or given up because the process ends.
	done func(recorded bool)
}

// recorder records outcomes in groups. With the database away it keeps trying
// until last ends.
type recorder struct {
	*grouper[record]
}

func newRecorder(last context.Context, store *models.Store, writing *health, now func() time.Time, log *slog.Logger) *recorder {
	flush := func(group []record) {
		outcomes := make([]models.Outcome, len(group))
		var gone []models.Departure
		for i, r := range group {
			outcomes[i] = r.outcome
			gone = append(gone, r.gone...)
		}
		err := persist(last, log, "record outcomes", func(ctx context.Context) error {
			if err := writing.note(store.RecordOutcomes(ctx, outcomes, now())); err != nil {
				return err
			}
			return store.MarkGone(ctx, gone)
		})
		for _, r := range group {
			r.done(err == nil)
		}
	}
	return &recorder{newGrouper(500, 5*time.Millisecond, flush)}
}

// persist runs f until it succeeds or ctx ends; what it does must not be lost
// to a database that is away for a while.
func persist(ctx context.Context, log *slog.Logger, what string, f func(context.Context) error) error {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 100*time.Millisecond, 3*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, f(ctx) },
		backoff.WithBackOff(b), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, wait time.Duration) {
			log.WarnContext(ctx, "storage is away, trying again", "what", what, "err", err, "wait", wait)
		}))
	return err
}
