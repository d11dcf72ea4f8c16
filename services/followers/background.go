package followers

import (
	"cmp"
	"context"
	"errors"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
)

// StartSync begins a Sync in the background and returns at once; confirmed makes
// it a SyncConfirmed. ended gets the outcome, unless Close ended the sync. While a
// sync is under way: models.ErrSyncRunning.
func (s *Service) StartSync(ctx context.Context, confirmed bool, ended func(ctx context.Context, res SyncResult, err error)) error {
	if running, err := s.Syncing(ctx); running || err != nil {
		return cmp.Or(err, error(models.NewError(models.Conflict, models.ErrSyncRunning)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.background.Err() != nil {
		return nil
	}
	s.syncs.Go(func() {
		res, err := s.sync(s.background, confirmed, nil)
		if s.background.Err() == nil {
			ended(s.background, res, err)
		}
	})
	return nil
}

// AwaitSync waits until what StartSync began has ended, or ctx.
func (s *Service) AwaitSync(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		s.syncs.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// Close ends what StartSync and Heard began and waits for it.
func (s *Service) Close() {
	s.mu.Lock()
	s.endBackground()
	s.mu.Unlock()
	s.syncs.Wait()
	s.tasks.Wait()
}

// Complete pulls the follower list, or waits for another process that pulls it.
// For a list that is too short to be believed: models.ErrSyncShort. Other errors
// are those of Sync.
func (s *Service) Complete(ctx context.Context) error {
	for {
		res, err := s.Sync(ctx, nil)
		if err == nil && res.Suspicious {
			return models.NewError(models.Conflict, models.ErrSyncShort,
				"Listed", res.Total, "Before", res.Known, "Announced", res.Announced)
		}
		var busy *models.Error
		if !errors.As(err, &busy) || busy.Code != models.ErrSyncRunning {
			return err
		}
		if err := loop.Sleep(ctx, time.Second); err != nil {
			return err
		}
		// The list that the other one completed need not be pulled again.
		if pulled, err := s.EverPulled(ctx); pulled || err != nil {
			return err
		}
	}
}
