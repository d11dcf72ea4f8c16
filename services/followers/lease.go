package followers

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/lease"
)

// A sync holds a lease in the database: two processes that pulled the list at
// once would spend the day's calls twice. Who was killed frees it when it ends.
var leaseTimes = lease.Times{Lasts: 20 * time.Second, Renew: 5 * time.Second, Margin: 3 * time.Second}

var errLeaseLost = errors.New("the lease on the follower list is lost")

// alone runs work as the only one, on this database, who pulls the followers. Its
// ctx ends when the lease is lost. While another has it: models.ErrSyncRunning.
func (s *Service) alone(ctx context.Context, work func(ctx context.Context) (SyncResult, error)) (SyncResult, error) {
	owner, began := rand.Text(), time.Now()
	running := models.NewError(models.Conflict, models.ErrSyncRunning)
	take := func(ctx context.Context) (bool, error) { return s.store.TakeSyncLease(ctx, owner, leaseTimes.Lasts) }
	taken, err := take(ctx)
	if err != nil {
		return SyncResult{}, err
	}
	if !taken {
		return SyncResult{}, running
	}
	leased, stop := context.WithCancelCause(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		if err := lease.Keep(leased, leaseTimes, began, take); err != nil {
			s.log.WarnContext(ctx, "the lease on the follower list is lost", "err", err)
			stop(errLeaseLost)
		}
	})
	defer func() {
		stop(nil)
		keeping.Wait()
		endCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimes.Margin)
		defer cancel()
		if err := s.store.EndSyncLease(endCtx, owner); err != nil {
			s.log.WarnContext(ctx, "the lease on the follower list ends by itself", "within", leaseTimes.Lasts, "err", err)
		}
	}()
	res, err := work(leased)
	if err != nil && errors.Is(context.Cause(leased), errLeaseLost) {
		return SyncResult{}, running
	}
	return res, err
}
