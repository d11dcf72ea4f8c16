package broadcast

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// closed returns a gate that a failure just closed.
func closed() *Gate {
	g := NewGate(time.Second, 5*time.Second)
	g.Report(false, false, 0)
	return g
}

func TestAnOpenGateLetsEveryonePass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(time.Second, 5*time.Second)
		defer g.Stop()
		for range 100 {
			if probe, err := g.Pass(t.Context()); probe || err != nil {
				t.Fatalf("probe %v, %v", probe, err)
			}
			g.Report(false, true, 0)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.Pass(ctx); err == nil {
			t.Error("it let one pass whose context had ended")
		}
	})
}

func TestAClosedGateProbesAloneAndEverMoreSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := closed()
		defer g.Stop()
		ctx, cancel := context.WithCancel(t.Context())
		var probes []time.Duration
		var atOnce, most atomic.Int64
		var mu sync.Mutex
		var wg sync.WaitGroup
		begun := time.Now()
		for range 50 {
			wg.Go(func() {
				for {
					probe, err := g.Pass(ctx)
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
					g.Report(true, false, 0)
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

func TestAProbeThatSucceedsOpensTheGateForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := closed()
		defer g.Stop()
		var passed atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				probe, err := g.Pass(t.Context())
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
				g.Report(probe, true, 0)
			})
		}
		wg.Wait()
		if passed.Load() != 20 || !g.Open() {
			t.Errorf("%d passed, open: %v", passed.Load(), g.Open())
		}
		// Closed again, it begins with the short interval.
		g.Report(false, false, 0)
		begun := time.Now()
		if _, err := g.Pass(t.Context()); err != nil || time.Since(begun) != time.Second {
			t.Errorf("the first probe after %s, %v", time.Since(begun), err)
		}
	})
}

func TestAnAbandonedProbeLeavesRoomForAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := closed()
		defer g.Stop()
		if probe, err := g.Pass(t.Context()); !probe || err != nil {
			t.Fatal(probe, err)
		}
		second := make(chan bool)
		go func() {
			probe, _ := g.Pass(t.Context())
			second <- probe
		}()
		synctest.Wait()
		select {
		case <-second:
			t.Fatal("two probes at once")
		default:
		}
		g.Abandon()
		if !<-second {
			t.Error("the second is no probe")
		}
	})
}

func TestALateFailureDoesNotDelayTheProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := closed()
		defer g.Stop()
		begun := time.Now()
		for range 10 { // calls that were in flight when it closed
			g.Report(false, false, 0)
		}
		if _, err := g.Pass(t.Context()); err != nil || time.Since(begun) != time.Second {
			t.Errorf("the probe after %s, %v", time.Since(begun), err)
		}
	})
}

func TestAPauseThatIsOverIsProbedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(time.Second, 5*time.Second)
		defer g.Stop()
		g.Probe()
		var others atomic.Int64
		if probe, err := g.Pass(t.Context()); !probe || err != nil {
			t.Fatal(probe, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := g.Pass(ctx); err == nil {
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
