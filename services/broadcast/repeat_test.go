package broadcast_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// refusesTheSame fails unless the same to everyone is refused for a broadcast,
// with where that one stands.
func (a *account) refusesTheSame(when string, id int64, state models.BroadcastState, taken int64) {
	a.t.Helper()
	_, err := a.tryAsk("", models.AudienceAll, false)
	var e *models.Error
	if !errors.As(err, &e) || e.Code != models.ErrSameMessage || e.Args["ID"] != id {
		a.t.Errorf("%s: %v, want a refusal for #%d", when, err, id)
		return
	}
	st, _ := e.Args["Status"].(broadcast.Status)
	if st.Broadcast.State != state || st.Counts.Taken() != taken {
		a.t.Errorf("%s: #%d is said to be %s at %d, want %s at %d", when, id, st.Broadcast.State, st.Counts.Taken(), state, taken)
	}
}

// Days later, too: at the quota's reset all of them would get it twice.
func TestAnUnfinishedBroadcastStandsInTheWayOfTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300, Limits: simulator.Limits{SendDaily: 100}}, undo: 10 * time.Second})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.refusesTheSame("in the undo window", id, models.Scheduled, 0)
		a.reaches(id, models.Paused)
		a.refusesTheSame("paused for the quota", id, models.Paused, 100)
		a.pause(id)
		a.sim.SetLimits(simulator.Limits{})
		a.ahead.Store(int64(72 * time.Hour))
		a.refusesTheSame("three days later", id, models.Paused, 100)
		a.resume(id)
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
	})
}

func TestADayCountsFromTheLastSend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{
			Options: simulator.Options{Followers: 300, Faults: simulator.Faults{Latency: 100 * time.Millisecond}}, rate: 100,
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(100)
		a.pause(id)
		a.ahead.Store(int64(20 * time.Hour))
		a.resume(id)
		a.reaches(id, models.Finished)
		a.ahead.Store(int64(43 * time.Hour))
		a.refusesTheSame("23 hours after its end", id, models.Finished, 301)
		a.ahead.Store(int64(45 * time.Hour))
		a.ask("", models.AudienceAll)
	})
}

// Of one that was paused for days before it was cancelled the last send counts.
func TestTheDayOfACancelledBroadcast(t *testing.T) {
	t.Parallel()
	for name, rests := range map[string]time.Duration{"cancelled at once": 0, "cancelled after two days": 48 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{
					Options: simulator.Options{Followers: 300, Faults: simulator.Faults{Latency: 100 * time.Millisecond}}, rate: 100,
				})
				a.start()
				id := a.ask("", models.AudienceAll)
				a.received(100)
				a.pause(id)
				_ = loop.Sleep(t.Context(), 5*time.Second)
				a.ahead.Store(int64(rests))
				a.cancel(id)
				if rests == 0 {
					a.refusesTheSame("after the cancel", id, models.Cancelled, a.sim.Stats().Accepted)
					return
				}
				a.ask("", models.AudienceAll)
			})
		})
	}
}

// A retry sends the same content, so the ones whom it is for would get it twice.
func TestARetryStandsInTheWayOfTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 50, Faults: simulator.Faults{Codes: map[int]float64{40003: .3}}}})
		a.start()
		first := a.ask("", models.AudienceAll)
		a.reaches(first, models.Finished)
		a.faults(simulator.Faults{})
		a.ahead.Store(int64(23 * time.Hour))
		retry, err := a.engine.Create(t.Context(), broadcast.Request{Audience: models.AudienceRetry, Of: first, AskedBy: admin, RequestKey: "retry"})
		if err != nil {
			t.Fatal(err)
		}
		a.reaches(retry.Broadcast.ID, models.Finished)
		a.ahead.Store(int64(25 * time.Hour))
		a.refusesTheSame("two hours after the retry", retry.Broadcast.ID, models.Finished, a.counts(retry.Broadcast.ID).Taken())
		a.everyoneOnce()
	})
}

// An admin's pause has no end, whatever paused the broadcast before.
func TestAPauseWinsOverTheQuotas(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]int64{"by its number": 1, "without a number": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				beforeMidnight()
				a := newAccount(t, setup{Options: simulator.Options{Followers: 200, Limits: simulator.Limits{SendDaily: 120}}})
				a.start()
				a.reaches(a.ask("", models.AudienceAll), models.Paused)
				b, err := a.engine.Pause(t.Context(), id, admin)
				if err != nil || b.Reason != models.ReasonAdmin || !b.ResumeAt.IsZero() {
					t.Fatalf("%+v, %v", b, err)
				}
				_ = loop.Sleep(t.Context(), 5*time.Minute) // past the reset
				if b := a.broadcast(1); b.State != models.Paused || a.sim.Stats().Accepted != 120 {
					t.Errorf("%s after the reset, %d sent", b.State, a.sim.Stats().Accepted)
				}
				a.resume(id)
				a.reaches(1, models.Finished)
				a.audit(1)
				a.everyoneOnce()
			})
		})
	}
}

// What stopped for the account's sake keeps its reason, which forbids new
// broadcasts.
func TestAPauseKeepsWhyNothingMayGoOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 50, Faults: simulator.Faults{Codes: map[int]float64{48004: 1}}}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Paused)
		if b, err := a.engine.Pause(t.Context(), id, admin); err != nil || b.Reason != models.ReasonAccount {
			t.Errorf("%+v, %v", b, err)
		}
		if _, err := a.tryAsk("personal", models.AudienceMe, false); errorCode(err) != models.ErrHalted {
			t.Errorf("another broadcast: %v", err)
		}
	})
}

// What an admin is told after a cancel is what stays: recipients who were claimed and not
// called count as not sent to, and calls that were under way as what came of them.
func TestACancelTellsWhatStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 900, Faults: simulator.Faults{Latency: 100 * time.Millisecond}}, concurrency: 32})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.until("a part being sent", func() bool { return a.sim.Stats().Accepted > 200 })
		done, err := a.engine.Cancel(t.Context(), id, admin)
		if err != nil {
			t.Fatal(err)
		}
		_ = loop.Sleep(t.Context(), 5*time.Second)
		st, err := a.engine.Status(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if done.Taken != st.Counts.Taken() || done.Left != st.Remaining() || done.OnTheWay != 0 || done.Left == 0 {
			t.Errorf("told %+v, it came to %d taken and %d left", done, st.Counts.Taken(), st.Remaining())
		}
		a.audit(id)
	})
}

// Whoever cancels is told of the calls that can't be called back.
func TestACancelTellsWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, concurrency: 32})
		a.sim.HoldAnswers(100)
		a.start()
		id := a.ask("", models.AudienceAll)
		a.until("all calls being held", func() bool { return a.sim.Stats().Held == 32 })
		_ = loop.Sleep(t.Context(), time.Second)
		done, err := a.engine.Cancel(t.Context(), id, admin)
		if err != nil {
			t.Fatal(err)
		}
		if !done.Counted || done.Taken != 100 || done.OnTheWay != 32 {
			t.Errorf("%+v, want 100 taken and 32 on their way", done)
		}
		a.sim.ReleaseAnswers()
		_ = loop.Sleep(t.Context(), 5*time.Second)
		if got := a.sim.Stats().Accepted; got != 132 {
			t.Errorf("%d received it, want 132", got)
		}
		a.audit(id)
	})
}

func TestATemplateThatTheAccountDoesNotHaveIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 5}})
		a.wire.bare.Store(true)
		refused := func(when, message string) {
			t.Helper()
			if _, err := a.tryAsk(message, models.AudienceMe, false); errorCode(err) != models.ErrTemplateUnknown {
				t.Errorf("%s: %v", when, err)
			}
		}
		refused("an account without templates", "notice")
		// The template was added a moment ago: the list is looked at once more.
		a.wire.bare.Store(false)
		a.ask("notice", models.AudienceMe)
		refused("a template of another account", "gone")
		if a.calls() != 0 {
			t.Errorf("%d calls for what was refused", a.calls())
		}
	})
}

// Whoever leaves between the asking and the sending is accounted for.
func TestThoseWhoOptedOutMeanwhileAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 99}, undo: 10 * time.Second})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.exec("UPDATE recipients SET opted_out = 1 WHERE id % 3 = 0 AND openid <> ?", admin)
		b := a.reaches(id, models.Finished)
		if b.AskedFor != 100 || b.Recipients+b.Withdrawn() != 100 || b.Withdrawn() < 30 {
			t.Errorf("of %d asked for %d got it and %d left", b.AskedFor, b.Recipients, b.Withdrawn())
		}
	})
}
