package followers_test

import (
	"context"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
)

func TestStartSyncTellsTheOutcome(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(0, 25)...)
		type outcome struct {
			res followers.SyncResult
			err error
		}
		ended := make(chan outcome)
		tell := func(_ context.Context, res followers.SyncResult, err error) { ended <- outcome{res, err} }
		h.platform.before = func(int) any {
			wantCode(t, h.StartSync(t.Context(), false, tell), models.ErrSyncRunning)
			return nil
		}
		if err := h.StartSync(t.Context(), false, tell); err != nil {
			t.Fatal(err)
		}
		if got := <-ended; got.err != nil || got.res.Added != 25 {
			t.Errorf("the outcome is %+v, %v", got.res, got.err)
		}
		// A list that became too short is believed only when an admin confirms it.
		h.platform.before = nil
		h.platform.set(people(0, 5)...)
		for i, confirmed := range []bool{false, true} {
			if err := h.StartSync(t.Context(), confirmed, tell); err != nil {
				t.Fatal(err)
			}
			if got := <-ended; got.err != nil || got.res.Suspicious == confirmed {
				t.Errorf("sync %d: %+v, %v", i, got.res, got.err)
			}
		}
	})
}

func TestCloseEndsTheSyncAndTellsNobody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(0, 25)...)
		begun, hold := make(chan struct{}), make(chan struct{})
		h.platform.before = func(call int) any {
			if call == 1 {
				close(begun)
			}
			<-hold
			return nil
		}
		defer close(hold)
		told := func(context.Context, followers.SyncResult, error) { t.Error("the outcome was told") }
		if err := h.StartSync(t.Context(), false, told); err != nil {
			t.Fatal(err)
		}
		<-begun
		h.Close()
		if err := h.StartSync(t.Context(), false, told); err != nil {
			t.Errorf("after Close: %v", err)
		}
		h.Close()
	})
}

func TestCompleteWaitsForAnotherProcess(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		first := h.Service
		second := h.restart(t)
		h.platform.set(people(0, 25)...)
		completed := make(chan error, 1)
		h.platform.before = func(call int) any {
			if call == 2 {
				go func() { completed <- second.Complete(context.Background()) }()
			}
			return nil
		}
		if err := first.Complete(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-completed; err != nil {
			t.Error(err)
		}
		if n := len(h.platform.cursors()); n != 3 {
			t.Errorf("both made %d calls, want the 3 of the first", n)
		}
	})
}

func TestCompleteRefusesAListThatIsTooShort(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(0, 25)...)
		if err := h.Complete(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.platform.set(people(0, 5)...)
		wantCode(t, h.Complete(t.Context()), models.ErrSyncShort)
	})
}
