package canary

import (
	"context"
	"log/slog"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
)

const (
	lookEvery = 500 * time.Millisecond
	// askFor is how long the platform may take to say what it intercepted.
	askFor = 10 * time.Second
)

// Trial tells what becomes of a canary.
type Trial struct {
	Store *models.Store
	// Join joins receipts with their deliveries that came before these were recorded.
	Join func(ctx context.Context) error
	// Intercepted asks the platform how many messages of a broadcast it intercepted.
	Intercepted func(ctx context.Context, b *models.Broadcast) (int64, error)
	Now         func() time.Time
	Log         *slog.Logger
}

// AllTried tells whether nobody of the canary is left but those who were put off: they do
// not hold it up, and are tried after the resume.
func (t *Trial) AllTried(ctx context.Context, id int64) (bool, error) {
	b, err := t.Store.FindBroadcast(ctx, id)
	if err != nil {
		return false, err
	}
	open, err := t.Store.CanaryOpen(ctx, b)
	return !open, err
}

// Await waits until the receipts of a canary that was tried are in, or late, and notes what
// the platform intercepted.
func (t *Trial) Await(ctx context.Context, b *models.Broadcast) error {
	if err := t.awaitReceipts(ctx, b.ID); err != nil {
		return err
	}
	t.askIntercepted(ctx, b)
	return nil
}

// awaitReceipts waits until every message that the platform took was reported on, or the
// last of those that were not was taken long enough ago.
func (t *Trial) awaitReceipts(ctx context.Context, id int64) error {
	for began := t.Now(); ; {
		if err := t.Join(ctx); err != nil {
			return err
		}
		n, last, err := t.Store.Outstanding(ctx, id)
		if err != nil {
			return err
		}
		// It may have been recorded by a clock that is ahead of this one.
		if now := t.Now(); n == 0 || now.Sub(last.Time) >= models.ReceiptsWithin || now.Sub(began) >= models.ReceiptsWithin {
			return nil
		}
		if loop.Sleep(ctx, lookEvery) != nil {
			return context.Cause(ctx)
		}
	}
}

// askIntercepted asks the platform what it intercepted of a broadcast so far. A report
// without it is better than none.
func (t *Trial) askIntercepted(ctx context.Context, b *models.Broadcast) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	n, err := t.Intercepted(ctx, b)
	if err == nil {
		err = t.Store.SetIntercepted(ctx, b.ID, n)
	}
	if err != nil {
		t.Log.WarnContext(ctx, "what the platform intercepted is not known", "broadcast", b.ID, "err", err)
	}
}
