package throttle

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// flood sends with many workers until ctx ends and returns the moments.
func flood(ctx context.Context, l *limiter, workers int) []time.Time {
	var mu sync.Mutex
	var sent []time.Time
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for l.wait(ctx) == nil {
				mu.Lock()
				sent = append(sent, time.Now())
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return sent
}

// fullest returns how many of the moments lie in the fullest second.
func fullest(sent []time.Time) int {
	most, from := 0, 0
	for i, at := range sent {
		for at.Sub(sent[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func TestTheCeilingHoldsInEverySecond(t *testing.T) {
	t.Parallel()
	for _, ceiling := range []int{1, 7, 50, 100, 1000} {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(ceiling, time.Now)
			_ = sleep(t.Context(), time.Minute) // what was not sent is not saved up
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			sent := flood(ctx, l, 64)
			if most := fullest(sent); most > ceiling+max(1, ceiling/10) {
				t.Errorf("%d in one second, the ceiling is %d", most, ceiling)
			}
			if len(sent) < 10*ceiling*9/10 {
				t.Errorf("%d in 10 s, the ceiling is %d a second", len(sent), ceiling)
			}
		})
	}
}

func TestNoCeiling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(0, time.Now)
		if l.current() != 0 {
			t.Errorf("limit %v", l.current())
		}
		begun := time.Now()
		for range 10_000 {
			if err := l.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("10,000 sends waited for %s", took)
		}
	})
}

func TestARefusalCutsTheRateOnceAndItGrowsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(100, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { flood(ctx, l, 32) })
		_ = sleep(ctx, 3*time.Second)
		for range 4 { // of calls that were in flight together
			l.refused()
		}
		cut := l.current()
		if cut < 50 || cut > 80 {
			t.Errorf("cut to %.1f, want about 70", cut)
		}
		_ = sleep(ctx, 2*time.Second)
		if l.current() > cut {
			t.Errorf("it grew within 2 s, to %.1f", l.current())
		}
		l.answered()
		l.refused()
		if again := l.current(); again >= cut {
			t.Errorf("a later refusal left it at %.1f", again)
		}
		_ = sleep(ctx, 20*time.Second)
		if l.current() <= cut*.7 {
			t.Errorf("after a calm of 20 s it is still %.1f", l.current())
		}
		_ = sleep(ctx, 3*time.Minute)
		if l.current() != 100 {
			t.Errorf("after a calm of three minutes it is %.1f", l.current())
		}
		cancel()
		done.Wait()
	})
}

func TestTheRateNeverFallsToNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(100, time.Now)
		for range 60 {
			if err := l.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.refused()
			l.answered()
			_ = sleep(t.Context(), 2*time.Second)
		}
		if l := l.current(); l < slowestRate {
			t.Errorf("%.2f a second", l)
		}
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		var failed atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if errors.Is(l.wait(ctx), context.Canceled) {
					failed.Add(1)
				}
			})
		}
		_ = sleep(ctx, 500*time.Millisecond)
		begun := time.Now()
		cancel()
		wg.Wait()
		if failed.Load() != 19 || time.Since(begun) > 0 {
			t.Errorf("%d of 20 ended with the context, after %s", failed.Load(), time.Since(begun))
		}
		// Those who gave up took nothing with them.
		if err := l.wait(t.Context()); err != nil || time.Since(begun) > time.Second {
			t.Errorf("the next one waited %s: %v", time.Since(begun), err)
		}
	})
}

// A refusal among the very first sends says little of the speed that the platform
// takes, and must not slow the account for minutes.
func TestPacerRecoversFromAnEarlyRefusal(t *testing.T) {
	t.Parallel()
	for name, ceiling := range map[string]int{"ceiling": 100, "none": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLimiter(ceiling, time.Now)
				began := time.Now()
				for i := 0; l.current() == 0 || l.current() < 90; i++ {
					if err := l.wait(t.Context()); err != nil {
						t.Fatal(err)
					}
					if i == 0 {
						l.refused()
					}
					if time.Since(began) > 90*time.Second {
						t.Fatalf("at %.1f a second after %v", l.current(), time.Since(began))
					}
				}
			})
		})
	}
}

func TestLimitersLearnFromOneAnother(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	clock := func() time.Time { return now }
	a, b := newLimiter(100, clock), newLimiter(100, clock)
	if got := a.learn(Pace{}); got != (Pace{}) {
		t.Errorf("with nothing learnt: %+v", got)
	}
	a.all = 100
	a.refused()
	known := a.learn(Pace{})
	if want := (Pace{Limit: 70, Edge: 100, Cut: now.UnixMilli()}); known != want {
		t.Errorf("after a cut: %+v, want %+v", known, want)
	}
	if got := b.learn(known); got != known || b.current() != 70 {
		t.Errorf("the other: %+v, %.0f a second", got, b.current())
	}
	if got := a.learn(known); got != known {
		t.Errorf("its own news: %+v", got)
	}
	now = now.Add(5 * time.Second)
	b.count()
	grown := b.learn(known)
	if grown.Limit <= 70 || grown.Step != now.UnixMilli() {
		t.Errorf("after a step: %+v", grown)
	}
	if got := a.learn(grown); got != grown || a.current() != grown.Limit {
		t.Errorf("the first has not followed: %+v, %.1f", got, a.current())
	}
	if got := b.learn(known); got != grown {
		t.Errorf("old news undid a step: %+v", got)
	}
	now = now.Add(5 * time.Second)
	a.all = 50
	a.refused()
	if got := b.learn(a.learn(grown)); got.Limit != 35 || b.current() != 35 {
		t.Errorf("a later cut: %+v, %.1f", got, b.current())
	}
}
