package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/cache"
)

// counting loads after a second and counts the loads. The value tells which load it was.
func counting(n *atomic.Int64) func(context.Context, string) (string, error) {
	return func(_ context.Context, key string) (string, error) {
		time.Sleep(time.Second)
		return fmt.Sprint(key, n.Add(1)), nil
	}
}

func want(t *testing.T, c *cache.Cache[string, string], key, value string) {
	t.Helper()
	if got, err := c.Get(t.Context(), key); got != value || err != nil {
		t.Errorf("Get(%q) = %q, %v; want %q", key, got, err, value)
	}
}

func TestAValueIsLoadedOnceWhileItLasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		c := cache.New(2, cache.For[string](10*time.Second), counting(&n))
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { want(t, c, "a", "a1") })
		}
		wg.Wait()
		time.Sleep(9 * time.Second)
		want(t, c, "a", "a1")
		time.Sleep(time.Second)
		want(t, c, "a", "a2")
		want(t, c, "b", "b3")
		want(t, c, "c", "c4") // there is room for two
		want(t, c, "b", "b3")
		want(t, c, "a", "a5")
	})
}

func TestTheTimeThatAValueLastsDependsOnItsLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		load := counting(&n)
		c := cache.New(1, func(_ string, took time.Duration) time.Duration { return 20 * took }, load)
		want(t, c, "a", "a1")
		time.Sleep(19 * time.Second)
		want(t, c, "a", "a1")
		time.Sleep(time.Second)
		want(t, c, "a", "a2")
		c = cache.New(1, cache.For[string](0), load)
		want(t, c, "a", "a3")
		want(t, c, "a", "a4")
	})
}

func TestAnErrorIsNotKept(t *testing.T) {
	t.Parallel()
	fail := errors.New("away")
	c := cache.New(1, cache.For[string](time.Hour), func(context.Context, string) (string, error) {
		err := fail
		fail = nil
		return "back", err
	})
	if _, err := c.Get(t.Context(), "a"); err == nil {
		t.Error("the error is lost")
	}
	want(t, c, "a", "back")
}

func TestWhoStopsWaitingDoesNotEndTheLoadOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(1, cache.For[string](time.Hour), func(ctx context.Context, _ string) (string, error) {
			time.Sleep(time.Second)
			return "loaded", ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			asked := time.Now()
			if _, err := c.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || time.Since(asked) > 100*time.Millisecond {
				t.Errorf("who went away got %v after %v", err, time.Since(asked))
			}
		})
		synctest.Wait() // it has begun the load
		want(t, c, "a", "loaded")
		wg.Wait()
	})
}

func TestAnOldValueIsLoadedAnewForWhoNeedsAFreshOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		c := cache.New(1, cache.For[string](time.Hour), counting(&n))
		within := func(age time.Duration, value string) {
			t.Helper()
			asked := time.Now()
			got, began, err := c.GetWithin(t.Context(), "a", age)
			if got != value || err != nil || asked.Sub(began) >= max(age, time.Nanosecond) {
				t.Errorf("got %q, loaded %v ago, %v; want %q", got, asked.Sub(began), err, value)
			}
		}
		within(time.Minute, "a1")
		time.Sleep(30 * time.Second)
		within(time.Minute, "a1")
		time.Sleep(30 * time.Second)
		within(time.Minute, "a2")
		within(0, "a3")
		want(t, c, "a", "a3")
	})
}

func TestAPanicReachesWhoWaits(t *testing.T) {
	t.Parallel()
	c := cache.New(1, cache.For[int](time.Hour), func(context.Context, int) (int, error) { panic("oh") })
	defer func() {
		if recover() == nil {
			t.Error("the panic is lost")
		}
	}()
	_, _ = c.Get(t.Context(), 1)
}
