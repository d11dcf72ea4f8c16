// Package lifesign writes signs of life of the process that sends into the database. With
// them it finds out when the database was put back to an older state, and has everything
// that would send wait for an admin's word: it might go out a second time.
package lifesign

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
)

const (
	every   = 5 * time.Second
	lastFor = 2 * time.Second // how long the last sign may take
)

// Keeper keeps the signs of life of one process in one database. Check and Lead are
// not called at the same time.
type Keeper struct {
	Store *models.Store
	Log   *slog.Logger

	own int64 // the number of the last sign that was written here
}

// Check looks, before anything is sent, whether it is known what was sent until now, and
// pauses what would send if it is not. It waits for a database that is away; an error is
// that of ctx.
func (k *Keeper) Check(ctx context.Context) error { return k.persist(ctx, false) }

// Lead does the same for a process that leads from now on, and writes a sign of life then
// and every few seconds until ctx ends. last, which must be called when nothing is sent
// any more, writes the last one, as long as its ctx lasts.
func (k *Keeper) Lead(ctx context.Context) (last func(ctx context.Context), err error) {
	if err := k.persist(ctx, true); err != nil {
		return nil, err
	}
	var signing sync.WaitGroup
	signing.Go(func() {
		for loop.Sleep(ctx, every) == nil {
			k.sign(ctx)
		}
	})
	return func(ctx context.Context) {
		signing.Wait()
		ctx, cancel := context.WithTimeout(ctx, lastFor)
		defer cancel()
		k.sign(ctx)
	}, nil
}

func (k *Keeper) persist(ctx context.Context, leads bool) error {
	return loop.Persist(ctx, k.Log, "sign of life", func(ctx context.Context) error { return k.write(ctx, leads) })
}

// sign writes one, if the database takes it. Nothing is sent while that can't be written to.
func (k *Keeper) sign(ctx context.Context) {
	if err := k.write(ctx, true); err != nil {
		k.Log.DebugContext(ctx, "no sign of life", "err", err)
	}
}

func (k *Keeper) write(ctx context.Context, leads bool) error {
	number, gap, err := k.Store.SignOfLife(ctx, k.own, leads)
	if err != nil {
		return err
	}
	k.own = number
	switch {
	case gap == nil:
	case gap.Restored:
		k.Log.WarnContext(ctx, "the database is older than the last process left it: what would send waits for an admin's word",
			"known_until", gap.Since, "paused", gap.Paused)
	case gap.Paused > 0:
		k.Log.WarnContext(ctx, "nothing is known of the time since the last sign of life: what would send now waits for an admin's word",
			"known_until", gap.Since, "paused", gap.Paused)
	}
	return nil
}
