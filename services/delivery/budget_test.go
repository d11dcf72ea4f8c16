package delivery

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/services/loop"
)

// endPerSecond has rows end at a rate for a second.
func endPerSecond(t *testing.T, b *budget, rate int) {
	t.Helper()
	for range 100 {
		if err := b.Acquire(t.Context(), int64(rate/100)); err != nil {
			t.Fatal(err)
		}
		_ = loop.Sleep(t.Context(), 10*time.Millisecond)
		b.Release(int64(rate / 100))
	}
}

// free is how many rows the budget gives out at once.
func free(b *budget) (n int) {
	for b.TryAcquire(1) {
		n++
	}
	b.Weighted.Release(int64(n))
	return n
}

func TestBudgetFollowsTheSpeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(64, time.Now)
		for _, step := range []struct{ rate, group int }{
			{100, 32}, {1200, 32}, {4000, 100}, {12_000, 300}, {12_000, 300}, {8_000, 200}, {100, 32},
		} {
			endPerSecond(t, b, step.rate)
			if got := b.group; got != step.group {
				t.Errorf("at %d a second a group has %d, want %d", step.rate, got, step.group)
			}
			if got, want := free(b), 64+2*step.group; got != want {
				t.Errorf("at %d a second %d rows at most, want %d", step.rate, got, want)
			}
		}
	})
}

func TestBudgetHasAnEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(8, time.Now)
		for range 100 {
			if err := b.Acquire(t.Context(), 1); err != nil {
				break
			}
			_ = loop.Sleep(t.Context(), 10*time.Microsecond)
			b.Release(1)
			// Far more than one row ends at a time.
			b.mu.Lock()
			b.ended += 1_000_000
			b.mu.Unlock()
			_ = loop.Sleep(t.Context(), budgetEvery)
		}
		if b.group != mostAhead {
			t.Errorf("a group has %d, want %d", b.group, mostAhead)
		}
	})
}

// What is in use is not taken back.
func TestBudgetShrinksWhenItCan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(64, time.Now)
		endPerSecond(t, b, 12_000)
		held := int64(64 + 2*300)
		if err := b.Acquire(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		_ = loop.Sleep(t.Context(), time.Second)
		b.Release(1)
		if b.group != 300 {
			t.Errorf("a group has %d while all is in use, want 300", b.group)
		}
		b.Release(held - 1)
		_ = loop.Sleep(t.Context(), time.Minute)
		if err := b.Acquire(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		b.Release(1)
		if b.group != 32 || free(b) != 64+2*32 {
			t.Errorf("a group has %d and %d rows are free, want 32 and 128", b.group, free(b))
		}
	})
}

// A group that waits for room is never larger than what there can be.
func TestAGroupFitsTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(64, time.Now)
		endPerSecond(t, b, 12_000)
		endPerSecond(t, b, 20_000)
		held := int64(64 + 2*mostAhead)
		if err := b.Acquire(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		taken := make(chan int)
		go func() {
			n, err := b.take(t.Context(), 1000)
			if err != nil {
				t.Error(err)
			}
			taken <- n
		}()
		for range held { // slowly, so that the group would shrink
			_ = loop.Sleep(t.Context(), budgetEvery)
			b.Release(1)
		}
		if n := <-taken; n != mostAhead {
			t.Errorf("a group of %d", n)
		}
	})
}
