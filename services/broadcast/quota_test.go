package broadcast_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

func TestAMinuteQuotaCostsNoAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 90, Limits: simulator.Limits{SendMinute: 60}}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
		if a.sim.Stats().Codes["45011"] == 0 {
			t.Fatal("the limit was never met")
		}
		for openID, d := range a.deliveries(id) {
			if d.State != models.Accepted || d.Attempts != 1 {
				t.Errorf("%s: %s after %d attempts", openID, d.State, d.Attempts)
			}
		}
	})
}

// beforeMidnight waits until it is 23:59:30 in Beijing.
func beforeMidnight() {
	_ = loop.Sleep(context.Background(), 15*time.Hour+59*time.Minute+30*time.Second)
}

func TestTheUsedUpQuotaIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		beforeMidnight()
		a := newAccount(t, setup{Options: simulator.Options{Followers: 200, Limits: simulator.Limits{SendDaily: 120}}})
		a.start()
		id := a.ask("", models.AudienceAll)
		b := a.reaches(id, models.Paused)
		if b.Reason != models.ReasonQuota || !b.ResumeAt.Equal(time.Date(2000, 1, 1, 16, 0, 0, 0, time.UTC)) {
			t.Errorf("paused: %q until %s", b.Reason, b.ResumeAt)
		}
		_ = loop.Sleep(t.Context(), time.Second)
		refused := a.sim.Stats().Codes["45009"]
		if refused == 0 || refused > 16 {
			t.Errorf("%d calls refused, want at most those in flight", refused)
		}
		if c := a.counts(id); c.Accepted != 120 || c.Tried() != 120 {
			t.Errorf("while paused: %+v, want no claims left", c)
		}
		a.reaches(id, models.Finished)
		if now := time.Now(); now.Sub(b.ResumeAt.Time) > 30*time.Second {
			t.Errorf("it went on %s after the reset", now.Sub(b.ResumeAt.Time))
		}
		a.audit(id)
		a.everyoneOnce()
	})
}

// The platform may reset the quota later than thought: then it is asked with one
// probe, again soon, and not a day later.
func TestALateQuotaResetIsProbed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		beforeMidnight()
		a := newAccount(t, setup{Options: simulator.Options{Followers: 100}})
		refuse, refused := true, 0
		a.onSend(func(w http.ResponseWriter, _ string) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			if refuse {
				refused++
				answer(w, 45009)
			}
			return refuse
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Paused)
		a.mu.Lock()
		before := refused
		a.mu.Unlock()
		_ = loop.Sleep(t.Context(), 45*time.Second)
		a.mu.Lock()
		probes := refused - before
		refuse = false
		a.mu.Unlock()
		if probes != 1 {
			t.Errorf("%d sends to see whether the quota is there again, want 1", probes)
		}
		b := a.reaches(id, models.Paused)
		if wait := time.Until(b.ResumeAt.Time); wait > time.Hour {
			t.Errorf("the next try is in %s", wait)
		}
		a.ahead.Store(int64(9*time.Minute + 30*time.Second))
		a.reaches(id, models.Finished)
		a.everyoneOnce()
	})
}
