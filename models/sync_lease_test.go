package models_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func TestOneHasTheLeaseOnTheFollowerList(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		take := func(owner string, lasts time.Duration) bool {
			t.Helper()
			ok, err := s.TakeSyncLease(ctx, owner, lasts)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		leased := func() bool {
			t.Helper()
			ok, err := s.SyncLeased(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		if leased() {
			t.Error("a fresh database has a lease")
		}
		var wg sync.WaitGroup
		var got atomic.Int64
		for _, owner := range []string{"a", "b", "c", "d", "e", "f"} {
			wg.Go(func() {
				if ok, err := s.TakeSyncLease(ctx, owner, time.Minute); err != nil {
					t.Error(err)
				} else if ok {
					got.Add(1)
				}
			})
		}
		wg.Wait()
		if got.Load() != 1 || !leased() {
			t.Fatalf("%d have it, want one", got.Load())
		}
		for _, owner := range []string{"a", "b", "c", "d", "e", "f"} {
			if err := s.EndSyncLease(ctx, owner); err != nil {
				t.Fatal(err)
			}
		}
		switch {
		case leased():
			t.Error("it was ended")
		case !take("a", time.Minute), !take("a", 50*time.Millisecond):
			t.Error("its owner can't renew it")
		}
		if err := s.EndSyncLease(ctx, "b"); err != nil {
			t.Fatal(err)
		}
		for leased() { // by the database's clock
		}
		if !take("b", time.Minute) || take("a", time.Minute) {
			t.Error("who comes after the end has it alone")
		}
	})
}
