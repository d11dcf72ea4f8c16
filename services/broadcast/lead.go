package broadcast

import (
	"context"
	"errors"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
)

const (
	retakeLock = 2 * time.Second
	joinEvery  = 2 * time.Second // how often early receipts are joined
)

// The engine has four duties, each a loop until its ctx ends: this process leads
// (Run, lead), starts what is due (schedule), looks whether broadcasts get on (watch)
// and tidies up (tidy). What admins are told of it, package notify does.

// Run sends broadcasts until ctx ends: as the one process of the database that
// does, or standing by until that one dies. In a cluster all send, and that one
// decides what. When ctx ends nothing new is sent, what is in flight is
// recorded, and the rest goes on at the next start. If the database became one from which
// nothing may be sent, since another took its place, Run ends with a *models.Unusable.
func (e *Engine) Run(ctx context.Context) error {
	// Only the end of the program is in a hurry. When the right to send is lost,
	// calls end by themselves, and what came of them waits for the database.
	defer context.AfterFunc(ctx, e.hurry)()
	ctx, end := context.WithCancel(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer end()
	// Receipts come to every process, to those that stand by too.
	parts.Go(func() {
		loop.Every(ctx, joinEvery, func() {
			if err := e.sender.Receipts.Join(ctx); err != nil && ctx.Err() == nil {
				e.log.WarnContext(ctx, "join receipts, trying again", "err", err)
			}
		})
	})
	parts.Go(func() { e.sender.Receipts.LogCounts(ctx) })
	parts.Go(func() { e.watch(ctx) })
	if e.cluster != nil {
		parts.Go(func() { e.cluster.Run(ctx, e.worker.Meters) })
		parts.Go(func() { e.worker.Run(ctx, e.queue) })
	}
	standby := false
	for ctx.Err() == nil {
		lock, err := e.store.TakeSendLock(ctx)
		switch {
		case err == nil:
			e.sayRole(ctx, true)
			standby = false
			e.lead(ctx, lock)
			continue
		case errors.Is(err, models.ErrLocked):
			if !standby {
				e.sayRole(ctx, false)
			}
			standby = true
			_ = e.reading.Note(nil)
		case ctx.Err() == nil:
			_ = e.reading.Note(err)
			e.log.WarnContext(ctx, "take the right to send, trying again", "err", err)
		}
		// It is copied by a process that has the lock.
		var unusable *models.Unusable
		if err := e.store.CheckPlace(ctx); errors.As(err, &unusable) {
			return err
		}
		_ = loop.Sleep(ctx, retakeLock)
	}
	return nil
}

// sayRole logs what this process does from now on.
func (e *Engine) sayRole(ctx context.Context, leads bool) {
	switch {
	case e.cluster != nil && leads:
		e.log.InfoContext(ctx, "coordinating the replicas")
	case e.cluster != nil:
		e.log.InfoContext(ctx, "working: another replica coordinates")
	case leads:
		e.log.InfoContext(ctx, "sending for this database")
	default:
		e.log.InfoContext(ctx, "standing by: another process sends for this database")
	}
}

// lead runs broadcasts for as long as the lock is held and ctx lasts, and gives the
// lock back.
func (e *Engine) lead(ctx context.Context, lock *models.SendLock) {
	defer func() {
		if err := lock.Release(); err != nil {
			e.log.Debug("release the lock", "err", err)
		}
	}()
	e.metrics.leads.Set(1)
	e.leads.Store(true)
	defer func() {
		e.leads.Store(false)
		e.metrics.leads.Set(0)
	}()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var parts sync.WaitGroup
	var lastSign func(ctx context.Context)
	defer func() {
		parts.Wait()
		if lastSign != nil {
			lastSign(e.storing)
		}
	}()
	parts.Go(func() {
		loop.Every(ctx, retakeLock, func() {
			if err := lock.Check(ctx); err != nil && ctx.Err() == nil {
				e.log.WarnContext(ctx, "the right to send may be lost, stopping until it is back", "err", err)
				stop(err)
			}
		})
	})
	if e.life != nil {
		var err error
		if lastSign, err = e.life.Lead(ctx); err != nil {
			return
		}
	}
	parts.Go(func() { e.tidy(ctx) })
	if e.cluster == nil {
		parts.Go(func() { e.worker.Run(ctx, e.queue) })
	}
	// The leases of a process that sent alone are those of the last holder of the lock:
	// it is dead, or has lost it. What it began is asked about again.
	err := loop.Persist(ctx, e.log, "end leases", func(ctx context.Context) error { return e.store.EndLeases(ctx, ownLeases) })
	if err == nil {
		e.schedule(ctx)
	}
}
