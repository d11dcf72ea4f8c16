package throttle

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// shut returns a breaker that a failure just shut.
func shut() *breaker {
	b := newBreaker(time.Second, 5*time.Second)
	b.report(false, false, 0)
	return b
}

func TestAnOpenBreakerLetsEveryonePass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(time.Second, 5*time.Second)
		defer b.stop()
		for range 100 {
			if probe, err := b.pass(t.Context(), Unclaimed); probe || err != nil {
				t.Fatalf("probe %v, %v", probe, err)
			}
			b.report(false, true, 0)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.pass(ctx, Unclaimed); err == nil {
			t.Error("it let one pass whose context had ended")
		}
	})
}

func TestAShutBreakerProbesAloneAndEverMoreSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := shut()
		defer b.stop()
		ctx, cancel := context.WithCancel(t.Context())
		var probes []time.Duration
		var atOnce, most atomic.Int64
		var mu sync.Mutex
		var wg sync.WaitGroup
		begun := time.Now()
		for range 50 {
			wg.Go(func() {
				for {
					probe, err := b.pass(ctx, Unclaimed)
					if err != nil {
						return
					}
					if !probe {
						t.Error("it let one pass that is no probe")
					}
					most.Store(max(most.Load(), atOnce.Add(1)))
					mu.Lock()
					probes = append(probes, time.Since(begun))
					mu.Unlock()
					_ = sleep(t.Context(), 200*time.Millisecond) // the call
					atOnce.Add(-1)
					b.report(true, false, 0)
				}
			})
		}
		_ = sleep(t.Context(), 30*time.Second)
		cancel()
		wg.Wait()
		want := []time.Duration{
			time.Second,
			time.Second + 2200*time.Millisecond,
			time.Second + 2200*time.Millisecond + 4200*time.Millisecond,
			time.Second + 2200*time.Millisecond + 4200*time.Millisecond + 5200*time.Millisecond,
		}
		if most.Load() != 1 {
			t.Errorf("%d probes at once", most.Load())
		}
		if len(probes) < len(want) {
			t.Fatalf("probes at %v", probes)
		}
		for i, at := range want {
			if probes[i] != at {
				t.Errorf("probe %d after %s, want %s", i, probes[i], at)
			}
		}
		for i := 4; i < len(probes); i++ {
			if gap := probes[i] - probes[i-1]; gap != 5200*time.Millisecond {
				t.Errorf("%s between probes, want 5 s at most", gap)
			}
		}
	})
}

func TestAProbeThatSucceedsOpensTheBreakerForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := shut()
		defer b.stop()
		var passed atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				probe, err := b.pass(t.Context(), Unclaimed)
				if err != nil {
					t.Error(err)
				}
				if probe {
					_ = sleep(t.Context(), 100*time.Millisecond)
					if n := passed.Load(); n != 0 {
						t.Errorf("%d passed beside the probe", n)
					}
				}
				passed.Add(1)
				b.report(probe, true, 0)
			})
		}
		wg.Wait()
		if passed.Load() != 20 || !b.passes() {
			t.Errorf("%d passed, open: %v", passed.Load(), b.passes())
		}
		// Shut again, it begins with the short interval.
		b.report(false, false, 0)
		begun := time.Now()
		if _, err := b.pass(t.Context(), Unclaimed); err != nil || time.Since(begun) != time.Second {
			t.Errorf("the first probe after %s, %v", time.Since(begun), err)
		}
	})
}

func TestAnAbandonedProbeLeavesRoomForAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := shut()
		defer b.stop()
		if probe, err := b.pass(t.Context(), Unclaimed); !probe || err != nil {
			t.Fatal(probe, err)
		}
		second := make(chan bool)
		go func() {
			probe, _ := b.pass(t.Context(), Unclaimed)
			second <- probe
		}()
		synctest.Wait()
		select {
		case <-second:
			t.Fatal("two probes at once")
		default:
		}
		b.cancel()
		if !<-second {
			t.Error("the second is no probe")
		}
	})
}

func TestALateFailureDoesNotDelayTheProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := shut()
		defer b.stop()
		begun := time.Now()
		for range 10 { // calls that were in flight when it was shut
			b.report(false, false, 0)
		}
		if _, err := b.pass(t.Context(), Unclaimed); err != nil || time.Since(begun) != time.Second {
			t.Errorf("the probe after %s, %v", time.Since(begun), err)
		}
	})
}

func TestAPauseThatIsOverIsProbedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(time.Second, 5*time.Second)
		defer b.stop()
		b.narrow(false)
		var others atomic.Int64
		if probe, err := b.pass(t.Context(), Unclaimed); !probe || err != nil {
			t.Fatal(probe, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := b.pass(ctx, Unclaimed); err == nil {
					others.Add(1)
				}
			})
		}
		_ = sleep(t.Context(), time.Minute)
		if others.Load() != 0 {
			t.Errorf("%d passed beside the probe", others.Load())
		}
		cancel()
		wg.Wait()
	})
}
