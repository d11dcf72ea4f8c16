package delivery

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/services/loop"
)

// groups collects what a grouper hands on.
type groups struct {
	mu  sync.Mutex
	all [][]int
	at  []time.Time
}

func (g *groups) flush(took time.Duration) func([]int) {
	return func(group []int) {
		g.mu.Lock()
		g.all = append(g.all, slices.Clone(group))
		g.at = append(g.at, time.Now())
		g.mu.Unlock()
		_ = loop.Sleep(context.Background(), took)
	}
}

func TestAGroupIsHandedOnWhenItLingeredOrIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got groups
		g := newGrouper(3, 5*time.Millisecond, got.flush(0))
		begun := time.Now()
		for i := range 4 {
			if err := g.put(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		_ = loop.Sleep(t.Context(), time.Second)
		if len(got.all) != 2 || !slices.Equal(got.all[0], []int{0, 1, 2}) || !slices.Equal(got.all[1], []int{3}) {
			t.Fatalf("%v", got.all)
		}
		if full, rest := got.at[0].Sub(begun), got.at[1].Sub(begun); full != 0 || rest != 5*time.Millisecond {
			t.Errorf("the full one after %s, the rest after %s", full, rest)
		}
		g.close()
	})
}

// While one group is written, those who come meanwhile share the next.
func TestAGroupGrowsWhileTheOneBeforeIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got groups
		g := newGrouper(100, 5*time.Millisecond, got.flush(time.Second))
		for i := range 20 {
			if err := g.put(t.Context(), i); err != nil {
				t.Fatal(err)
			}
			_ = loop.Sleep(t.Context(), 40*time.Millisecond)
		}
		g.close()
		if len(got.all) != 2 || len(got.all[0]) != 1 || len(got.all[1]) != 19 {
			t.Errorf("%v", got.all)
		}
	})
}

func TestAGroupIsNeverTooLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got groups
		g := newGrouper(10, 5*time.Millisecond, got.flush(50*time.Millisecond))
		var wg sync.WaitGroup
		for i := range 95 {
			wg.Go(func() {
				if err := g.put(t.Context(), i); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		g.close()
		var all []int
		for _, group := range got.all {
			if len(group) > 10 {
				t.Errorf("a group of %d", len(group))
			}
			all = append(all, group...)
		}
		slices.Sort(all)
		if len(all) != 95 || len(slices.Compact(all)) != 95 {
			t.Errorf("%d of 95 handed on", len(all))
		}
	})
}

func TestACloseHandsOnWhatIsThereAndTakesNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got groups
		g := newGrouper(100, time.Hour, got.flush(time.Second))
		for i := range 5 {
			if err := g.put(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		g.close()
		if len(got.all) != 1 || len(got.all[0]) != 5 {
			t.Errorf("%v", got.all)
		}
		if err := g.put(t.Context(), 6); !errors.Is(err, errClosed) {
			t.Errorf("after the close: %v", err)
		}
	})
}

func TestAPutEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got groups
		g := newGrouper(1, 0, got.flush(time.Minute))
		for i := range 2 {
			if err := g.put(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.put(ctx, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		g.close()
	})
}
