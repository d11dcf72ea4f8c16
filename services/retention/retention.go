// Package retention deletes the deliveries of broadcasts that ended long ago. What they
// come to is kept.
package retention

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
)

const (
	// every is how often broadcasts are looked for that ended long enough ago.
	every = time.Hour
	// group is how many rows one transaction deletes.
	group = 500
	// late is how long after the end of a broadcast the last of its sends may have been
	// begun, by a process that had not heard of the end. Such a send counts for the cap on
	// messages per person for as long after.
	late = time.Minute

	// While a broadcast runs, the pause after each group is this many times as long as
	// the group took, and no shorter than leastPause.
	whileSending = 20
	leastPause   = 100 * time.Millisecond
)

// Cleaner deletes. All of it is required, but for Keep and Cap.
type Cleaner struct {
	Store *models.Store
	// Keep is how long after the end of a broadcast its deliveries stay; 0 for ever. They
	// stay no shorter than Cap counts them, whatever Keep says.
	Keep time.Duration
	Cap  models.Cap
	// Counted tells whether the deliveries of a broadcast have the outcomes that stay.
	Counted func(ctx context.Context, b models.Broadcast) (bool, error)
	// Sending tells whether a broadcast runs.
	Sending func() bool
	Now     func() time.Time
	Log     *slog.Logger
}

// Run deletes what is due, every hour, until ctx ends.
func (c *Cleaner) Run(ctx context.Context) {
	c.warn(ctx)
	loop.Every(ctx, every, func() {
		if err := c.Clean(ctx); err != nil && ctx.Err() == nil {
			c.Log.WarnContext(ctx, "delete the deliveries of old broadcasts, trying again in an hour", "err", err)
		}
	})
}

// warn tells of a cap that counts further back than deliveries are kept: its time was
// shorter when they were deleted.
func (c *Cleaner) warn(ctx context.Context) {
	if c.Cap.None() {
		return
	}
	b, err := c.Store.LastUncounted(ctx, c.Cap, c.Now())
	switch {
	case err != nil && ctx.Err() == nil:
		c.Log.WarnContext(ctx, "ask what the cap on messages per person can't count", "err", err)
	case b != nil:
		c.Log.WarnContext(ctx, "MAX_PER_FOLLOWER does not count this broadcast and those before it: their deliveries were deleted while it had a shorter time",
			"broadcast", b.ID, "ended", b.FinishedAt, "counts_all_from", b.FinishedAt.Add(c.Cap.Within+late))
	}
}

// Clean deletes what is due now. What an earlier one began it ends, also if nothing new is
// due. A broadcast that can't be emptied leaves the others as they are due.
func (c *Cleaner) Clean(ctx context.Context) error {
	before := time.Time{}
	if c.Keep > 0 {
		before = c.Now().Add(-max(c.Keep, c.Cap.Within) - late)
	}
	ids, err := c.Store.Ended(ctx, before)
	if err != nil {
		return err
	}
	var faults []error
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		faults = append(faults, c.empty(ctx, id))
	}
	return errors.Join(faults...)
}

// empty deletes the deliveries of a broadcast, unless they are still needed.
func (c *Cleaner) empty(ctx context.Context, id int64) error {
	b, err := c.Store.FindBroadcast(ctx, id)
	if err != nil {
		return err
	}
	if b.TalliedAt.IsZero() {
		if counted, err := c.Counted(ctx, *b); err != nil || !counted {
			return err
		}
		kept, err := c.Store.TallyBroadcast(ctx, id, c.Now())
		if err != nil || !kept {
			return err
		}
		c.Log.InfoContext(ctx, "counts kept, so the deliveries of a broadcast are deleted", "broadcast", id, "ended", b.FinishedAt)
	}
	for last := int64(0); ; {
		began := time.Now()
		if last, err = c.Store.DropDeliveries(ctx, id, last, group); err != nil {
			return err
		}
		if last == 0 {
			break
		}
		if err := c.pause(ctx, time.Since(began)); err != nil {
			return err
		}
	}
	for more := true; more; {
		began := time.Now()
		if more, err = c.Store.DropBatches(ctx, id, group); err != nil {
			return err
		}
		if err := c.pause(ctx, time.Since(began)); err != nil {
			return err
		}
	}
	return c.Store.MarkEmptied(ctx, id)
}

// pause lets others write after a group that took so long.
func (c *Cleaner) pause(ctx context.Context, took time.Duration) error {
	if c.Sending() {
		took = max(whileSending*took, leastPause)
	}
	return loop.Sleep(ctx, took)
}
