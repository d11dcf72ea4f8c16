package throttle

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/services/wechat"
)

// edge is a platform with a limit, and what it was asked for.
type edge struct {
	mu      sync.Mutex
	takes   func(now time.Time) bool // tells whether it takes a call, and counts it then
	taken   []time.Time
	refused []time.Time
}

// perMinute takes so many calls in each minute of the clock, moved by skew.
func perMinute(n int, skew time.Duration) func(time.Time) bool {
	var minute time.Time
	left := 0
	return func(now time.Time) bool {
		if m := now.Add(skew).Truncate(time.Minute); m != minute {
			minute, left = m, n
		}
		left--
		return left >= 0
	}
}

// perSecond takes so many calls in each second.
func perSecond(n int) func(time.Time) bool {
	var second int64
	left := 0
	return func(now time.Time) bool {
		if now.Unix() != second {
			second, left = now.Unix(), n
		}
		left--
		return left >= 0
	}
}

// sliding takes so many calls in any minute.
func sliding(n int) func(time.Time) bool {
	var last []time.Time
	return func(now time.Time) bool {
		for len(last) > 0 && now.Sub(last[0]) >= time.Minute {
			last = last[1:]
		}
		if len(last) >= n {
			return false
		}
		last = append(last, now)
		return true
	}
}

// fromFirst takes so many calls in a minute that begins with its first call.
func fromFirst(n int) func(time.Time) bool {
	var began time.Time
	left := 0
	return func(now time.Time) bool {
		if now.Sub(began) >= time.Minute {
			began, left = now, n
		}
		left--
		return left >= 0
	}
}

// call is one call to the platform.
func (p *edge) call() wechat.Result {
	time.Sleep(20 * time.Millisecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.takes(now) {
		p.taken = append(p.taken, now)
		return wechat.Result{Verdict: wechat.Accepted}
	}
	p.refused = append(p.refused, now)
	return wechat.Result{Verdict: wechat.Slow, Code: 45011}
}

// press sends for as long as it lasts, as whoever sends does.
func (p *edge) press(ctx context.Context, perSecond int, lasts time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	t := New(nil, perSecond, time.Now)
	defer t.Close()
	t.breaker.most = 5 * time.Second
	var workers sync.WaitGroup
	for range 64 {
		workers.Go(func() {
			for {
				probe, err := t.breaker.pass(ctx, Unclaimed)
				if err != nil || t.limiter.wait(ctx) != nil {
					return
				}
				t.answered(probe, false, p.call())
			}
		})
	}
	workers.Wait()
}

// Whatever the platform counts by, and whether or not there is a ceiling above
// its limit, nearly all that it takes is used, and little more is asked for.
func TestAtTheEdgeOfALimitNearlyAllOfItIsUsed(t *testing.T) {
	t.Parallel()
	tests := map[string]func() func(time.Time) bool{
		"a minute of the clock":        func() func(time.Time) bool { return perMinute(3000, 0) },
		"a minute of a clock ahead":    func() func(time.Time) bool { return perMinute(3000, 20*time.Second) },
		"a minute from its first call": func() func(time.Time) bool { return fromFirst(3000) },
		"any minute":                   func() func(time.Time) bool { return sliding(3000) },
		"a second":                     func() func(time.Time) bool { return perSecond(50) },
	}
	for name, takes := range tests {
		for _, ceiling := range []int{100, 0} {
			t.Run(fmt.Sprintf("%s, ceiling %d", name, ceiling), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					const lasts = 20 * time.Minute
					p := &edge{takes: takes()}
					p.press(t.Context(), ceiling, lasts)
					if speed := float64(len(p.taken)) / lasts.Seconds(); speed < 44 {
						t.Errorf("%.1f a second of 50 were taken", speed)
					}
					if refused := float64(len(p.refused)) / float64(len(p.taken)); refused > 0.04 {
						t.Errorf("%.1f%% were refused", 100*refused)
					}
				})
			})
		}
	}
}

// A refusal of everything that lasts is answered with a call a minute, and after
// it the sends go slower than before, faster again only in time.
func TestARefusalThatLastsIsAskedAboutOnceAMinute(t *testing.T) {
	t.Parallel()
	for _, ceiling := range []int{100, 0} {
		t.Run(fmt.Sprint(ceiling), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const lasts = 9 * time.Minute
				from := time.Now().Add(20 * time.Second)
				to := from.Add(lasts)
				p := &edge{takes: func(now time.Time) bool { return now.Before(from) || now.After(to) }}
				p.press(t.Context(), ceiling, lasts+5*time.Minute)
				within := func(list []time.Time, from time.Time, d time.Duration) (n int) {
					for _, at := range list {
						if !at.Before(from) && at.Sub(from) < d {
							n++
						}
					}
					return n
				}
				if n := within(p.refused, from, time.Second); n > 64+slowStreak {
					t.Errorf("%d calls before nothing more was sent", n)
				}
				if n := within(p.refused, from.Add(time.Second), lasts); n > 10 {
					t.Errorf("%d calls in %s of refusals", n, lasts)
				}
				before := within(p.taken, from.Add(-2*time.Second), time.Second)
				again := to
				for _, at := range p.taken {
					if at.After(to) {
						again = at
						break
					}
				}
				if again.Sub(to) > time.Minute+2*ClockSlack {
					t.Errorf("it went on %s after the last refusal", again.Sub(to))
				}
				first := within(p.taken, again, time.Second)
				if first > before*3/4 {
					t.Errorf("%d in the first second, %d before", first, before)
				}
				if n := within(p.taken, again.Add(3*time.Minute), time.Second); n < before*9/10 {
					t.Errorf("%d a second after three minutes, %d before", n, before)
				}
			})
		})
	}
}

// A platform that took nothing is gone up to with care, and the calls that ask
// whether it still refuses bring no growth.
func TestAfterAStartThatIsRefusedTheRateGrowsFromNearlyNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := time.Now().Add(150 * time.Second)
		p := &edge{takes: func(now time.Time) bool { return now.After(to) }}
		p.press(t.Context(), 0, 4*time.Minute)
		if most := fullest(p.taken[:min(len(p.taken), 50)]); most > 15 {
			t.Errorf("%d in one second after a start that was refused", most)
		}
		if most := fullest(p.taken); most < 30 {
			t.Errorf("a minute later %d a second at most", most)
		}
	})
}

// What is in flight at the start is no speed to begin a cut with.
func TestWithoutACeilingTheFirstSendsAreNoSpeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newLimiter(0, time.Now)
		for range 64 {
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		_ = sleep(t.Context(), 20*time.Millisecond)
		p.refused()
		if l := p.current(); l < 40 || l > 64 {
			t.Errorf("cut to %.1f a second after 64 sends", l)
		}
	})
}
