package models_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// addBatches stores n batches of broadcast 1.
func addBatches(t *testing.T, s *models.Store, n int64) {
	t.Helper()
	var list []models.Batch
	for seq := range n {
		list = append(list, models.Batch{BroadcastID: 1, Seq: seq + 1, AfterID: 10 * seq, ThroughID: 10 * (seq + 1), Size: 10, State: models.BatchTodo})
	}
	if err := s.AddBatches(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	runs(t, s)
}

// runs stores a broadcast that runs, the first of its store.
func runs(t *testing.T, s *models.Store) *models.Broadcast {
	t.Helper()
	b := newBroadcast("runs", t0)
	b.State = models.Running
	if create(t, s, b); b.ID != 1 {
		t.Fatalf("the first broadcast has the number %d", b.ID)
	}
	return b
}

func lease(t *testing.T, s *models.Store, seq int64, owner string, lasts time.Duration) *models.Batch {
	t.Helper()
	b, err := s.LeaseBatch(t.Context(), 1, seq, owner, lasts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestALeaseHasOneOwner(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		addBatches(t, s, 1)
		var got atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				b, err := s.LeaseBatch(t.Context(), 1, 1, modelstest.OpenID(i), time.Minute)
				if err != nil {
					t.Error(err)
				}
				if b != nil {
					got.Add(1)
				}
			})
		}
		all.Wait()
		if got.Load() != 1 {
			t.Errorf("%d of 8 got the batch, want one", got.Load())
		}
	})
}

func TestALeaseEnds(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		addBatches(t, s, 1)
		first := lease(t, s, 1, "first", time.Millisecond)
		if first == nil || first.LeaseCount != 1 || first.ThroughID != 10 {
			t.Fatalf("first lease: %+v", first)
		}
		if b := lease(t, s, 2, "first", time.Minute); b != nil {
			t.Errorf("a batch that is not there is leased: %+v", b)
		}
		var second *models.Batch
		for second == nil { // the database's clock is not ours to move
			second = lease(t, s, 1, "second", time.Minute)
		}
		if second.LeaseCount != 2 {
			t.Errorf("%d leases, want 2", second.LeaseCount)
		}
		if mine, err := s.RenewBatch(ctx, *first, time.Minute); err != nil || mine {
			t.Errorf("who lost the lease renews it: %v, %v", mine, err)
		}
		if err := s.LeaveBatch(ctx, *first, 0); err != nil {
			t.Error(err)
		}
		if err := s.FinishBatch(ctx, *first); err != nil {
			t.Error(err)
		}
		if b := lease(t, s, 1, "third", time.Minute); b != nil {
			t.Error("who lost the lease ended that of another")
		}
		if mine, err := s.RenewBatch(ctx, *second, 2*time.Minute); err != nil || !mine {
			t.Errorf("renew: %v, %v", mine, err)
		}
		if leased, err := s.Leased(ctx, 1); err != nil || !leased {
			t.Errorf("leased: %v, %v", leased, err)
		}
		if err := s.FinishBatch(ctx, *second); err != nil {
			t.Fatal(err)
		}
		if leased, err := s.Leased(ctx, 1); err != nil || leased {
			t.Errorf("leased when done: %v, %v", leased, err)
		}
		if b := lease(t, s, 1, "fourth", time.Minute); b != nil {
			t.Error("a batch that is done is leased")
		}
	})
}

func TestIdleBatches(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		addBatches(t, s, 6)
		if err := s.FinishBatch(ctx, *lease(t, s, 1, "a", time.Minute)); err != nil {
			t.Fatal(err)
		}
		lease(t, s, 2, "b", time.Minute)
		if err := s.LeaveBatch(ctx, *lease(t, s, 3, "c", time.Minute), time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := s.LeaveBatch(ctx, *lease(t, s, 4, "d", time.Minute), 0); err != nil {
			t.Fatal(err)
		}
		idle, left, err := s.IdleBatches(ctx, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(idle) != 2 || idle[0].Seq != 4 || idle[1].Seq != 5 || left != 5 {
			t.Errorf("idle %+v, %d left, want 4 and 5, and 5 left", idle, left)
		}
		if idle, left, err = s.IdleBatches(ctx, 2, 2); err != nil || len(idle) != 0 || left != 0 {
			t.Errorf("of another broadcast: %+v, %d, %v", idle, left, err)
		}
	})
}

// A lease that runs out while batches are counted leaves its batch counted: a
// broadcast of which nothing is left would end, and its people get nothing.
func TestABatchIsLeftWhileItsLeaseRunsOut(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		addBatches(t, s, 1)
		for range 200 {
			if err := s.LeaveBatch(t.Context(), *lease(t, s, 1, "a", time.Minute), 3*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			for idle := []models.Batch(nil); len(idle) == 0; {
				var left int64
				var err error
				if idle, left, err = s.IdleBatches(t.Context(), 1, 10); err != nil || left != 1 {
					t.Fatalf("idle %+v, %d left, %v; want one left", idle, left, err)
				}
			}
		}
	})
}

// A process that has the right to send alone ends the leases of the one before it,
// and has what was left for later be taken up; a replica's lease stays.
func TestLeasesOfTheDeadEnd(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		addBatches(t, s, 4)
		lease(t, s, 1, "local-a", time.Minute)
		lease(t, s, 2, "another", time.Minute)
		if err := s.LeaveBatch(ctx, *lease(t, s, 3, "local-b", time.Minute), time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := s.FinishBatch(ctx, *lease(t, s, 4, "local-c", time.Minute)); err != nil {
			t.Fatal(err)
		}
		if err := s.EndLeases(ctx, "local-"); err != nil {
			t.Fatal(err)
		}
		idle, left, err := s.IdleBatches(ctx, 1, 10)
		if err != nil || left != 3 || len(idle) != 2 || idle[0].Seq != 1 || idle[1].Seq != 3 {
			t.Errorf("idle %+v of %d, %v; want 1 and 3 of 3", idle, left, err)
		}
	})
}

// Whoever ends a broadcast need not wait for those who are about to take a batch of it.
func TestABroadcastThatDoesNotRunLeasesNothing(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		addBatches(t, s, 1)
		b := &models.Broadcast{ID: 1}
		move(t, s, b, models.EventPause)
		if got := lease(t, s, 1, "a", time.Minute); got != nil {
			t.Errorf("leased while it is paused: %+v", got)
		}
		move(t, s, b, models.EventResume)
		move(t, s, b, models.EventDue)
		if got := lease(t, s, 1, "a", time.Minute); got == nil {
			t.Error("not leased although it runs again")
		}
	})
}

// A rest ends by the clock, and that may be set back: a rest is never long.
func TestARestThatNeverEndsIsOver(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		addBatches(t, s, 2)
		if err := s.LeaveBatch(ctx, *lease(t, s, 1, "a", time.Minute), time.Hour); err != nil { // as if it was set back since
			t.Fatal(err)
		}
		lease(t, s, 2, "b", 24*time.Hour) // its owner may still be at work
		idle, _, err := s.IdleBatches(ctx, 1, 10)
		if err != nil || len(idle) != 1 || idle[0].Seq != 1 {
			t.Errorf("idle: %+v, %v", idle, err)
		}
		if lease(t, s, 1, "c", time.Minute) == nil {
			t.Error("it can't be leased")
		}
	})
}
