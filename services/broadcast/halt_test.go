package broadcast_test

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

func TestAnAccountAtStakeStopsAtOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []int{40249, 43116, 48004} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 200, Faults: simulator.Faults{Latency: 40 * time.Millisecond}}})
				calls := 0
				a.onSend(func(w http.ResponseWriter, _ string) bool {
					a.mu.Lock()
					defer a.mu.Unlock()
					calls++
					if calls == 50 {
						answer(w, code)
						return true
					}
					return false
				})
				a.start()
				id := a.ask("", models.AudienceAll)
				a.received(20)
				// Also while it cannot be stored.
				a.exec("CREATE TRIGGER broken BEFORE UPDATE ON broadcasts BEGIN SELECT RAISE(ABORT, 'away'); END")
				_ = loop.Sleep(t.Context(), 5*time.Second)
				a.exec("DROP TRIGGER broken")
				b := a.reaches(id, models.Paused)
				if b.Reason != models.ReasonAccount || !b.ResumeAt.IsZero() {
					t.Errorf("paused: %q until %s", b.Reason, b.ResumeAt)
				}
				_ = loop.Sleep(t.Context(), 15*time.Second)
				if calls > 50+16 {
					t.Errorf("%d calls: want none after those in flight at the 50th", calls)
				}
				a.resume(id)
				a.reaches(id, models.Finished)
				a.audit(id)
				a.everyoneOnce()
			})
		})
	}
}

// The account is at stake, so no other broadcast goes on or begins either, not
// even one that waits for the quota.
func TestAnAccountAtStakeStopsEveryBroadcast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		beforeMidnight()
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 50, undo: 5 * time.Second})
		code := 45009
		a.onSend(func(w http.ResponseWriter, _ string) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			if code != 0 {
				answer(w, code)
			}
			return code != 0
		})
		set := func(c int) {
			a.mu.Lock()
			defer a.mu.Unlock()
			code = c
		}
		a.start()
		waits := a.ask("", models.AudienceMe)
		a.reaches(waits, models.Paused)
		set(0)
		goes := a.ask("", models.AudienceAll)
		a.received(50)
		later := a.ask("personal", models.AudienceAll)
		set(48004)
		a.reaches(goes, models.Paused)
		_ = loop.Sleep(t.Context(), 5*time.Second)
		calls := a.calls()
		set(0)
		_ = loop.Sleep(t.Context(), 40*time.Second)
		for _, id := range []int64{waits, goes, later} {
			if b := a.broadcast(id); b.State != models.Paused || b.Reason != models.ReasonAccount || !b.ResumeAt.IsZero() {
				t.Errorf("#%d is %s (%s) until %s", id, b.State, b.Reason, b.ResumeAt)
			}
		}
		if a.calls() != calls {
			t.Errorf("%d calls with the account at stake", a.calls()-calls)
		}
	})
}

// The template is deleted after the broadcast was asked for.
func TestATemplateThatDoesNotExistFailsTheBroadcast(t *testing.T) {
	t.Parallel()
	for name, refusing := range map[string]int{"everyone follows": 0, "one in ten left": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				deleted := simulator.Faults{Codes: map[int]float64{40037: 1}}
				a := newAccount(t, setup{Options: simulator.Options{Followers: 1000, Refusing: refusing, Faults: deleted}, rate: 50})
				a.start()
				id := a.ask("", models.AudienceAll)
				b := a.reaches(id, models.Failed)
				if b.Reason != models.ReasonContent {
					t.Errorf("reason %q", b.Reason)
				}
				// Refusals for 2 s at 50 a second, and those in flight.
				if calls := a.calls(); calls > 150 {
					t.Errorf("%d calls before it stopped", calls)
				}
				a.audit(id)
			})
		})
	}
}

// Valid templates have been refused for a moment; that must not end a broadcast.
func TestABurstOfTemplateRefusalsIsSurvived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 200, Faults: simulator.Faults{Latency: 20 * time.Millisecond}}})
		var since time.Time
		a.onSend(func(w http.ResponseWriter, _ string) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			if since.IsZero() {
				since = time.Now()
			}
			burst := time.Since(since) < contentFor-500*time.Millisecond
			if burst {
				answer(w, 40037)
			}
			return burst
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
	})
}

func TestOneCodeForEveryonePausesTheBroadcast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{
			Options: simulator.Options{Followers: 300, Faults: simulator.Faults{Codes: map[int]float64{43019: 1}}}, rate: 20,
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		b := a.reaches(id, models.Paused)
		if b.Reason != models.ReasonStreak || a.calls() > 100 {
			t.Errorf("paused %q after %d calls", b.Reason, a.calls())
		}
	})
}

func TestRefusalsHereAndThereStopNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{
			Options: simulator.Options{Followers: 300, Faults: simulator.Faults{Codes: map[int]float64{43019: .3}}}, rate: 50,
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		a.audit(id)
		if c := a.counts(id); c.Failed < 60 || c.Accepted+c.Failed != 301 {
			t.Errorf("%+v", c)
		}
	})
}

func TestAWrongSecretPausesWithWhatToDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 50, Faults: simulator.Faults{RefuseIP: true}}})
		a.start()
		id := a.ask("", models.AudienceAll)
		b := a.reaches(id, models.Paused)
		if b.Reason != models.ReasonCredentials || a.calls() != 0 {
			t.Errorf("paused %q (%s) after %d sends", b.Reason, b.Detail, a.calls())
		}
		if c := a.counts(id); c.Tried() != 0 {
			t.Errorf("%+v: nobody was sent anything", c)
		}
	})
}
