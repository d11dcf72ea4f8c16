package followers

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"wechat-broadcast/models"
)

// A sync holds a lease in the database: two processes that pulled the list at
// once would spend the day's calls twice. Who was killed frees it when it ends.
const (
	leaseLasts  = 20 * time.Second
	leaseRenew  = 5 * time.Second
	leaseMargin = 3 * time.Second // how long before another may take it who can't renew it stops
)

var errLeaseLost = errors.New("the lease on the follower list is lost")

// alone runs work as the only one, on this database, who pulls the followers. Its
// ctx ends when the lease is lost. While another has it: models.ErrSyncRunning.
func (s *Service) alone(ctx context.Context, work func(ctx context.Context) (SyncResult, error)) (SyncResult, error) {
	owner, began := rand.Text(), time.Now()
	running := models.NewError(models.Conflict, models.ErrSyncRunning)
	taken, err := s.store.TakeSyncLease(ctx, owner, leaseLasts)
	if err != nil {
		return SyncResult{}, err
	}
	if !taken {
		return SyncResult{}, running
	}
	leased, stop := context.WithCancelCause(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() { s.keepLease(leased, owner, began, stop) })
	defer func() {
		stop(nil)
		keeping.Wait()
		endCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseMargin)
		defer cancel()
		if err := s.store.EndSyncLease(endCtx, owner); err != nil {
			s.log.WarnContext(ctx, "the lease on the follower list ends by itself", "within", leaseLasts, "err", err)
		}
	}()
	res, err := work(leased)
	if err != nil && errors.Is(context.Cause(leased), errLeaseLost) {
		return SyncResult{}, running
	}
	return res, err
}

// keepLease renews the lease until ctx ends, and calls lost when it can't.
func (s *Service) keepLease(ctx context.Context, owner string, began time.Time, lost context.CancelCauseFunc) {
	good := began.Add(leaseLasts - leaseMargin)
	for pause := leaseRenew; ; {
		select {
		case <-time.After(min(pause, time.Until(good))):
		case <-ctx.Done():
			return
		}
		tryCtx, cancel := context.WithDeadline(ctx, good)
		began = time.Now()
		taken, err := s.store.TakeSyncLease(tryCtx, owner, leaseLasts)
		cancel()
		switch {
		case err == nil && taken:
			pause, good = leaseRenew, began.Add(leaseLasts-leaseMargin)
		case err != nil && time.Now().Before(good):
			pause = time.Second
		case ctx.Err() == nil:
			s.log.WarnContext(ctx, "the lease on the follower list is lost", "err", err)
			lost(errLeaseLost)
			return
		default:
			return
		}
	}
}
