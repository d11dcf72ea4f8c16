package followers_test

import (
	"context"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// Two processes that pull at once would spend the day's calls twice.
func TestTwoProcessesPullTheListOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		first := h.Service
		second := h.restart(t)
		h.platform.set(people(0, 25)...)
		h.platform.before = func(call int) any {
			if call != 2 {
				return nil
			}
			_, err := second.Sync(t.Context(), nil)
			wantCode(t, err, models.ErrSyncRunning)
			if running, err := second.Syncing(t.Context()); !running || err != nil {
				t.Errorf("the second says that it runs: %v, %v", running, err)
			}
			return nil
		}
		if _, err := first.Sync(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if n := len(h.platform.cursors()); n != 3 {
			t.Errorf("%d calls, want 3", n)
		}
		if running, err := second.Syncing(t.Context()); running || err != nil {
			t.Errorf("it ended and runs: %v, %v", running, err)
		}
		h.platform.before = nil
		h.sync(t) // and the next may run
	})
}

// A process that was killed holds the list until its lease ends, and the next one
// goes on where it was.
func TestTheLeaseOfAKilledProcessEnds(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		h := newHouse(t, store)
		h.platform.set(people(0, 25)...)
		ctx, cancel := context.WithCancel(t.Context())
		h.platform.before = func(call int) any {
			if call == 2 {
				cancel()
			}
			return nil
		}
		if _, err := h.Sync(ctx, nil); err == nil {
			t.Fatal("the sync was not interrupted")
		}
		h.platform.before = nil
		// As a killed process leaves it.
		if ok, err := store.TakeSyncLease(t.Context(), "killed", time.Second); !ok || err != nil {
			t.Fatal(ok, err)
		}
		second := h.restart(t)
		_, err := second.Sync(t.Context(), nil)
		wantCode(t, err, models.ErrSyncRunning)
		for running := true; running; {
			if running, err = second.Syncing(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		got := h.sync(t)
		if !got.Resumed || got.Total != 25 {
			t.Errorf("%+v, want one that goes on", got)
		}
	})
}
