package broadcast

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/simulator"
)

// However the platform and the network behave, everyone receives it once.
func TestEveryoneOnceThroughFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{
			Followers: 400,
			Faults: simulator.Faults{
				SystemError: .03, SystemErrorAccepted: .03, BadGateway: .03, Cut: .03, CutAccepted: .03, HTML: .03, Empty: .03,
				TextCode: .03, TokenRevoked: .01, TokenExpired: .01, Slow: .02, SlowFor: time.Second,
				Codes: map[int]float64{45011: .01},
			},
		}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
	})
}

// An answer that says "you sent that already" proves nothing about the first
// send, so the recipient is uncertain: not failed, and not sent to again.
func TestARefusedRepetitionIsUncertain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{
			Followers: 100, DuplicateAnswer: simulator.DuplicateError, Faults: simulator.Faults{CutAccepted: .2},
		}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(101)
		a.until("a repetition being refused", func() bool { return a.sim.Stats().Codes["40241"] > 0 })
		_ = sleep(t.Context(), 10*time.Second)
		// Whoever were put off would be sent to again after this, when the platform
		// no longer knows the client_msg_id.
		if _, err := a.engine.Pause(t.Context(), id, admin); err == nil {
			_ = sleep(t.Context(), 11*time.Minute)
			if _, err := a.engine.Resume(t.Context(), id, admin); err != nil {
				t.Fatal(err)
			}
		}
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
		if c := a.counts(id); c.Uncertain == 0 || c.Taken()+c.Uncertain != 101 {
			t.Errorf("%+v: want all taken or uncertain, and some uncertain", c)
		}
	})
}

func TestTheUnreachableAreMarkedAndLeftOutNextTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 200, Refusing: 20, Left: 10}})
		optedOut, gone := a.sim.Follower(0), a.sim.Follower(1)
		a.exec("UPDATE recipients SET opted_out = 1 WHERE openid = ?", optedOut)
		a.exec("UPDATE recipients SET subscribed = 0 WHERE openid = ?", gone)
		a.start()
		first := a.ask("", models.AudienceAll)
		a.reaches(first, models.Finished)
		a.audit(first)
		if c := a.counts(first); c.Failed != 30 || c.Accepted != 201-30-2 {
			t.Errorf("first: %+v", c)
		}
		for openID, d := range a.deliveries(first) {
			if d.State == models.FailedFor && d.Code != 43004 {
				t.Errorf("%s failed with %d", openID, d.Code)
			}
		}
		for _, openID := range []string{optedOut, gone} {
			if got, tries := a.sim.Ledger(openID); len(got) > 0 || tries > 0 {
				t.Errorf("%s asked to be left alone: received %d, tried %d times", openID, len(got), tries)
			}
		}

		second := a.ask("personal", models.AudienceAll)
		a.reaches(second, models.Finished)
		if b, c := a.broadcast(second), a.counts(second); b.Recipients != 169 || c.Accepted != 169 || c.Tried() != 169 {
			t.Errorf("second: %d recipients, %+v", b.Recipients, c)
		}
	})
}

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

func TestARecipientWhoIsWrittenToTooOftenIsTriedOnceMoreLater(t *testing.T) {
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
		_ = sleep(t.Context(), 10*time.Second)
		stop() // the rest lasts over a restart
		a.run(a.newEngine())
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
}

// beforeMidnight waits until it is 23:59:30 in Beijing.
func beforeMidnight() { _ = sleep(context.Background(), 15*time.Hour+59*time.Minute+30*time.Second) }

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
		_ = sleep(t.Context(), time.Second)
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
		_ = sleep(t.Context(), 45*time.Second)
		a.mu.Lock()
		probes := refused - before
		refuse = false
		a.mu.Unlock()
		if probes != 1 {
			t.Errorf("%d sends to see whether the quota is there again, want 1", probes)
		}
		b := a.reaches(id, models.Paused)
		if wait := b.ResumeAt.Sub(time.Now()); wait > time.Hour {
			t.Errorf("the next try is in %s", wait)
		}
		a.ahead.Store(int64(9*time.Minute + 30*time.Second))
		a.reaches(id, models.Finished)
		a.everyoneOnce()
	})
}

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
				_ = sleep(t.Context(), 5*time.Second)
				a.exec("DROP TRIGGER broken")
				b := a.reaches(id, models.Paused)
				if b.Reason != models.ReasonAccount || !b.ResumeAt.IsZero() {
					t.Errorf("paused: %q until %s", b.Reason, b.ResumeAt)
				}
				_ = sleep(t.Context(), 15*time.Second)
				if calls > 50+16 {
					t.Errorf("%d calls: want none after those in flight at the 50th", calls)
				}
				if _, err := a.engine.Resume(t.Context(), id, admin); err != nil {
					t.Fatal(err)
				}
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
		_ = sleep(t.Context(), 5*time.Second)
		calls := a.calls()
		set(0)
		_ = sleep(t.Context(), 40*time.Second)
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

func TestATemplateThatDoesNotExistFailsTheBroadcast(t *testing.T) {
	t.Parallel()
	for name, refusing := range map[string]int{"everyone follows": 0, "one in ten left": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 1000, Refusing: refusing}, rate: 50})
				a.start()
				id := a.ask("gone", models.AudienceAll)
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

// Those who left come in rows, and are no fault of the broadcast.
func TestManyWhoLeftStopNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 100}, rate: 25})
		for i := range 60 {
			if err := a.sim.Unfollow(t.Context(), a.sim.Follower(i)); err != nil {
				t.Fatal(err)
			}
		}
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		a.audit(id)
		if c := a.counts(id); c.Failed != 60 || c.Accepted != 41 {
			t.Errorf("%+v", c)
		}
	})
}

func TestAPlatformThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(100)
		a.wire.down.Store(true)
		_ = sleep(t.Context(), 20*time.Second)
		a.wire.down.Store(false)
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
		if c := a.counts(id); c.Accepted != 301 {
			t.Errorf("%+v", c)
		}
	})
}

// A platform that answers nothing of use for a while, on whichever side of it the
// fault is, costs nobody the message and makes hardly anyone uncertain.
func TestAPlatformThatTalksNonsenseIsWaitedFor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		begin, end func(a *account)
		uncertain  int64
	}{
		"no token": {
			func(a *account) { a.wire.tokenless.Store(true); a.sim.RevokeTokens() },
			func(a *account) { a.wire.tokenless.Store(false) }, 0,
		},
		"bad gateway": {
			func(a *account) { a.faults(simulator.Faults{BadGateway: 1}) },
			func(a *account) { a.faults(simulator.Faults{}) }, 1,
		},
		"connections that are cut after acceptance": {
			func(a *account) { a.faults(simulator.Faults{CutAccepted: 1}) },
			func(a *account) { a.faults(simulator.Faults{}) }, 1,
		},
		"busy": {
			func(a *account) { a.faults(simulator.Faults{SystemError: 1}) },
			func(a *account) { a.faults(simulator.Faults{}) }, 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 100})
				a.start()
				id := a.ask("", models.AudienceAll)
				a.received(100)
				test.begin(a)
				_ = sleep(t.Context(), 25*time.Second)
				test.end(a)
				a.reaches(id, models.Finished)
				a.audit(id)
				if c := a.counts(id); c.Failed != 0 || c.Uncertain > test.uncertain {
					t.Errorf("%+v", c)
				}
			})
		})
	}
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
