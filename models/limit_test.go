package models_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// One of very many stores has few connections. The lock keeps one of them, and the
// other is enough for whatever is asked at once: no transaction waits for a second.
func TestAStoreOfManyWorksWithFewConnections(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		if err := s.Limit(100); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		lock, err := s.TakeSendLock(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lock.Release() }()
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				if err := s.ChangeRecipient(ctx, modelstest.OpenID(i), func(r *models.Recipient) { r.Subscribed = true }); err != nil {
					t.Error(err)
				}
			})
		}
		if err := lock.Check(ctx); err != nil { // while the others wait for connections
			t.Error(err)
		}
		all.Wait()
		if n := s.MaxConns(); n > 2 {
			t.Errorf("it takes %d connections at most", n)
		}
	})
}
