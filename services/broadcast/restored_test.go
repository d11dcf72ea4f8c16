package broadcast_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// A server that was down for longer than a message can be sent again asks before it goes
// on with what was under way; a short while, or one with nothing to send, changes nothing.
func TestRestoredOrLongDownAsks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		begin func(a *account) int64
		down  time.Duration
		asks  bool
	}{
		{"running, for minutes", (*account).underWay, 8 * time.Minute, false},
		{"running, for an hour", (*account).underWay, time.Hour, true},
		{"running, for days", (*account).underWay, 50 * time.Hour, true},
		{"resting until then, for an hour", (*account).rests, time.Hour, true},
		{"paused by an admin, for an hour", (*account).stopped, time.Hour, false},
		{"planned for later, for an hour", (*account).plannedLater, time.Hour, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 100, signs: true})
				stop := a.start()
				id := test.begin(a)
				stop()
				was, calls := a.broadcast(id), a.calls()
				_ = loop.Sleep(t.Context(), test.down)
				a.letNoticesIn()
				a.engine = a.newEngine()
				a.start()
				if !test.asks {
					if was.State == models.Paused {
						_ = loop.Sleep(t.Context(), 20*time.Second)
						if b := a.broadcast(id); b.Reason != was.Reason {
							t.Errorf("paused for %q, was %q", b.Reason, was.Reason)
						}
						a.resume(id)
					}
					a.finishes(id, 301)
					return
				}
				a.reaches(id, models.Paused)
				_ = loop.Sleep(t.Context(), 20*time.Second)
				b := a.broadcast(id)
				if b.Reason != models.ReasonRestored || !b.ResumeAt.IsZero() || a.calls() != calls {
					t.Errorf("%s %q until %s, %d calls, %d before", b.State, b.Reason, b.ResumeAt, a.calls(), calls)
				}
				if gap := b.Gap(); gap.Restored || time.Since(gap.Since) < test.down || time.Since(gap.Since) > test.down+time.Minute {
					t.Errorf("known until %s: %+v", gap.Since, gap)
				}
				told := false
				for _, text := range a.worded() {
					told = told || strings.HasPrefix(text, "paused #1 restored")
				}
				if !told {
					t.Errorf("told %q", a.worded())
				}
				a.resume(id)
				a.finishes(id, 301)
			})
		})
	}
}

// underWay has a broadcast sent to some.
func (a *account) underWay() int64 {
	a.t.Helper()
	id := a.ask("", models.AudienceAll)
	a.received(100)
	return id
}

// stopped has one paused by an admin.
func (a *account) stopped() int64 {
	a.t.Helper()
	id := a.underWay()
	a.pause(id)
	a.reaches(id, models.Paused)
	return id
}

// rests has one paused for half an hour.
func (a *account) rests() int64 {
	a.t.Helper()
	id := a.stopped()
	_ = loop.Sleep(a.t.Context(), time.Second)
	a.exec("UPDATE broadcasts SET reason = 'quota', resume_at = ? WHERE id = ?", time.Now().Add(30*time.Minute).UnixMilli(), id)
	return id
}

func (a *account) plannedLater() int64 {
	a.t.Helper()
	return a.plan(models.AudienceAll, time.Now().Add(90*time.Minute))
}
