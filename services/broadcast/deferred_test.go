package broadcast_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// Whatever comes between, whoever is written to too often has one rest of the
// full length and one more call after it.
func TestARecipientWhoIsWrittenToTooOftenIsTriedOnceMoreLater(t *testing.T) {
	t.Parallel()
	const second = time.Second
	tests := map[string]struct {
		restart        bool          // a restart, not a pause
		from, to       time.Duration // when, after the start
		awayAt, backAt time.Duration // when the platform is away
	}{
		"nothing between":                         {},
		"a restart in the rest":                   {restart: true, from: 10 * second, to: 11 * second},
		"a pause in the rest":                     {from: 10 * second, to: 20 * second},
		"a pause over the end of the rest":        {from: 10 * second, to: 90 * second},
		"a restart over the end of the rest":      {restart: true, from: 10 * second, to: 20 * time.Minute},
		"a pause after the rest, before a call":   {from: 75 * second, to: 80 * second, awayAt: 60 * second, backAt: 78 * second},
		"a restart after the rest, before a call": {restart: true, from: 75 * second, to: 80 * second, awayAt: 60 * second, backAt: 78 * second},
		"a restart long after, before a call":     {restart: true, from: 75 * second, to: 20 * time.Minute, awayAt: 60 * second, backAt: 78 * second},
		"the platform is away at the rest's end":  {awayAt: 60 * second, backAt: 100 * second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 3}})
				always, once := a.sim.Follower(0), a.sim.Follower(1)
				tries := map[string][]time.Time{}
				a.onSend(func(w http.ResponseWriter, openID string) bool {
					a.mu.Lock()
					defer a.mu.Unlock()
					tries[openID] = append(tries[openID], time.Now())
					if openID == always || openID == once && len(tries[openID]) == 1 {
						answer(w, 43117)
						return true
					}
					return false
				})
				stop := a.start()
				id := a.ask("", models.AudienceAll)
				if test.awayAt > 0 {
					time.AfterFunc(test.awayAt, func() { a.wire.down.Store(true) })
					time.AfterFunc(test.backAt, func() { a.wire.down.Store(false) })
				}
				if test.to > 0 {
					_ = loop.Sleep(t.Context(), test.from)
					a.interrupt(id, test.restart, stop, test.to-test.from)
				}
				a.reaches(id, models.Finished)
				a.audit(id)
				rows := a.deliveries(id)
				if d := rows[always]; d.State != models.FailedFor || d.Code != 43117 || d.Attempts != 2 || len(tries[always]) != 2 {
					t.Errorf("refused twice: %+v, %d calls", d, len(tries[always]))
				}
				if d := rows[once]; d.State != models.Accepted || d.Attempts != 2 {
					t.Errorf("refused once: %+v", d)
				}
				for _, at := range tries {
					if len(at) == 2 && at[1].Sub(at[0]) < laterAfter {
						t.Errorf("tried again after %s", at[1].Sub(at[0]))
					}
				}
				if c := a.counts(id); c.Accepted != 3 || c.Failed != 1 {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

// interrupt pauses a broadcast for a while, or ends the program and starts it
// again.
func (a *account) interrupt(id int64, restart bool, stop func(), lasts time.Duration) {
	a.t.Helper()
	if restart {
		stop()
		_ = loop.Sleep(a.t.Context(), lasts)
		a.run(a.newEngine())
		return
	}
	a.pause(id)
	_ = loop.Sleep(a.t.Context(), lasts)
	a.resume(id)
}

// While some are put off, the status says how many and until when, and does not
// count them in the time left.
func TestTheStatusTellsOfThosePutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 10}, rate: 2})
		refused := map[string]time.Time{a.sim.Follower(0): {}, a.sim.Follower(1): {}}
		a.onSend(func(w http.ResponseWriter, openID string) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			at, ok := refused[openID]
			if ok && at.IsZero() {
				refused[openID] = time.Now()
				answer(w, 40241)
				return true
			}
			return false
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.until("all but two sent to", func() bool { c := a.counts(id); return c.Accepted == 9 && c.Deferred == 2 })
		st, err := a.engine.Status(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		first := refused[a.sim.Follower(0)]
		if other := refused[a.sim.Follower(1)]; other.Before(first) {
			first = other
		}
		rest := st.Again.Sub(first) - laterAfter
		if st.Counts.Deferred != 2 || st.Counts.Sending != 2 || st.Left != 0 || rest < 0 || rest > time.Second {
			t.Errorf("%+v, %s left, again %s late", st.Counts, st.Left, rest)
		}
		a.reaches(id, models.Finished)
		if st, err = a.engine.Status(t.Context(), id); err != nil || st.Counts.Deferred != 0 || !st.Again.IsZero() {
			t.Errorf("at the end: %+v, again %s, %v", st.Counts, st.Again, err)
		}
	})
}

// While nothing goes out because the platform asks to go slower, the status says so.
func TestTheStatusTellsThatThePlatformAsksToGoSlower(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 200}, rate: 50})
		status := func() *broadcast.Status {
			st, err := a.engine.Status(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		begun := time.Now()
		a.onSend(func(w http.ResponseWriter, _ string) bool {
			slow := time.Since(begun) > time.Second && time.Since(begun) < 90*time.Second
			if slow {
				answer(w, 45011)
			}
			return slow
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(20)
		if status().Slowed {
			t.Error("it says so before it is")
		}
		for _, after := range []time.Duration{3 * time.Second, 30 * time.Second, 80 * time.Second} {
			_ = loop.Sleep(t.Context(), after-time.Since(begun))
			if st := status(); !st.Slowed || st.Left != 0 {
				t.Errorf("after %s: slowed %t, %s left", after, st.Slowed, st.Left)
			}
		}
		a.reaches(id, models.Finished)
		if status().Slowed {
			t.Error("it says so at the end")
		}
		a.everyoneOnce()
	})
}
