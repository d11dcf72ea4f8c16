package importing

import (
	"context"
	"errors"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/lease"
)

// openTimes are those of an import. It counts as open for a while after its end: another
// may be under way.
var openTimes = lease.Times{Lasts: 2 * time.Minute, Renew: 20 * time.Second, Margin: 20 * time.Second}

// whileOpen runs work while an import is open, and gives it the number of the import. When it
// can't be kept open, the ctx of work ends and the error is models.ErrImportLapsed.
func (s *Service) whileOpen(ctx context.Context, work func(ctx context.Context, number int64) error) error {
	began := time.Now()
	number, err := s.Store.OpenImport(ctx, openTimes.Lasts)
	if err != nil {
		return err
	}
	renew := func(ctx context.Context) (bool, error) {
		now, err := s.Store.OpenImport(ctx, openTimes.Lasts)
		return now == number, err
	}
	open, stop := context.WithCancelCause(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		if err := lease.Keep(open, openTimes, began, renew); err != nil {
			stop(errors.Join(models.ErrImportLapsed, err))
		}
	})
	defer keeping.Wait()
	defer stop(nil)
	err = work(open, number)
	if lapsed := context.Cause(open); err != nil && errors.Is(lapsed, models.ErrImportLapsed) {
		return errors.Join(lapsed, err)
	}
	return err
}
