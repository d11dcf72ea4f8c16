// Package loop has the ways to wait and to try again that the services share.
package loop

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Sleep waits for d or until ctx ends, whose error it returns then.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Every runs f at once and then at intervals until ctx ends.
func Every(ctx context.Context, d time.Duration, f func()) {
	for {
		f()
		if Sleep(ctx, d) != nil {
			return
		}
	}
}

// Persist runs f until it succeeds or ctx ends, whose error it returns then: what it
// does must not be lost to a database that is away for a while.
func Persist(ctx context.Context, log *slog.Logger, what string, f func(context.Context) error) error {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 100*time.Millisecond, 3*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, f(ctx) },
		backoff.WithBackOff(b), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, wait time.Duration) {
			log.WarnContext(ctx, "storage is away, trying again", "what", what, "err", err, "wait", wait)
		}))
	return err
}
