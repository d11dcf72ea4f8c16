// Package lease keeps a lease that is stored in the database alive while its
// holder works.
package lease

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Times are those of a lease.
type Times struct {
	Lasts  time.Duration
	Renew  time.Duration // how often it is renewed
	Margin time.Duration // how long before another may take it who can't renew it stops
}

// retry is how soon a renewal that failed is tried again.
const retry = time.Second

// What ends a lease before its holder does.
var (
	ErrExpired = errors.New("the lease was not renewed in time")
	ErrTaken   = errors.New("another has the lease")
)

// Keep renews a lease that its holder asked for at a moment, until ctx ends: then
// it returns nil. It returns ErrExpired, with the last fault, when another may soon
// have the lease, and ErrTaken when another has it. renew has it last anew from now
// on and tells whether it is still the holder's.
func Keep(ctx context.Context, t Times, asked time.Time, renew func(context.Context) (bool, error)) error {
	good := asked.Add(t.Lasts - t.Margin)
	var fault error
	for pause := t.Renew; ; {
		select {
		case <-time.After(min(pause, time.Until(good))):
		case <-ctx.Done():
			return nil
		}
		asked = time.Now()
		if !asked.Before(good) {
			if fault == nil {
				return ErrExpired
			}
			return fmt.Errorf("%w: %w", ErrExpired, fault)
		}
		tryCtx, cancel := context.WithDeadline(ctx, good)
		var held bool
		held, fault = renew(tryCtx)
		cancel()
		switch {
		case fault != nil:
			pause = retry
		case !held:
			return ErrTaken
		default:
			pause, good = t.Renew, asked.Add(t.Lasts-t.Margin)
		}
	}
}
