package broadcast_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// askOf asks for a broadcast to some recipients of an earlier one.
func (a *account) askOf(message string, to models.Audience, of int64) (*broadcast.Created, error) {
	a.t.Helper()
	return a.request(broadcast.Request{Message: message, Audience: to, Of: of})
}

// mustAskOf is askOf for what nobody has a reason to refuse.
func (a *account) mustAskOf(message string, to models.Audience, of int64) *broadcast.Created {
	a.t.Helper()
	asked, err := a.askOf(message, to, of)
	if err != nil {
		a.t.Fatalf("ask for %s of %d: %v", to, of, err)
	}
	return asked
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var told *models.Error
	if !errors.As(err, &told) || told.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// However a broadcast was stopped, its rest reaches those whom it did not come to, and a
// correction those whom it reached.
func TestTheRestAndACorrectionAfterEachKindOfStop(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(a *account, id int64) (stopped models.BroadcastState){
		"cancelled": func(a *account, id int64) models.BroadcastState { a.cancel(id); return models.Cancelled },
		"paused":    func(a *account, id int64) models.BroadcastState { a.pause(id); return models.Cancelled },
		"panic": func(a *account, _ int64) models.BroadcastState {
			if _, err := a.engine.PauseAll(a.t.Context(), admin); err != nil {
				a.t.Fatal(err)
			}
			return models.Cancelled
		},
		"failed": func(a *account, id int64) models.BroadcastState {
			a.faults(simulator.Faults{Latency: 20 * time.Millisecond, Codes: map[int]float64{40037: 1}})
			a.reaches(id, models.Failed)
			a.faults(simulator.Faults{Latency: 20 * time.Millisecond})
			return models.Failed
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{rate: 50, undo: time.Second, Options: simulator.Options{
					Followers: 300, Faults: simulator.Faults{Latency: 20 * time.Millisecond},
				}})
				a.start()
				first := a.ask("", models.AudienceAll)
				a.received(40)
				stopped := stop(a, first)
				asked := a.mustAskOf("", models.AudienceRest, first)
				rest := asked.Broadcast.ID
				if b := a.broadcast(first); b.State != stopped || (asked.Instead == first) != (name == "paused" || name == "panic") {
					t.Errorf("the first is %s, instead of %d", b.State, asked.Instead)
				}
				a.reaches(rest, models.Finished)
				rows, tried := a.deliveries(first), a.counts(first)
				for openID := range a.deliveries(rest) {
					if _, both := rows[openID]; both {
						t.Errorf("%s is in both", openID)
					}
				}
				if n := a.counts(rest).Tried(); n != 301-tried.Tried() {
					t.Errorf("%d in the rest, %d tried before", n, tried.Tried())
				}
				if twice := a.sim.Received(2, -1, 5); len(twice) > 0 {
					t.Errorf("received twice: %v", twice)
				}
				if missing := a.sim.Missing(400); int64(len(missing)) != tried.Failed {
					t.Errorf("%d received nothing, %d are failed", len(missing), tried.Failed)
				}
				_, err := a.askOf("", models.AudienceRest, first)
				wantCode(t, err, models.ErrNothingRest)

				got := tried.Taken() + tried.Uncertain
				correction := a.mustAskOf("personal", models.AudienceReached, first)
				if correction.Recipients != got {
					t.Errorf("%d to be corrected, %d got it", correction.Recipients, got)
				}
				a.reaches(correction.Broadcast.ID, models.Finished)
				if n := len(a.sim.Received(2, 2, 400)); int64(n) != got {
					t.Errorf("%d received the correction, %d got the first", n, got)
				}
				_, err = a.askOf("personal", models.AudienceReached, first)
				wantCode(t, err, models.ErrSameMessage)
			})
		})
	}
}

// After a crash and a restart, those who may have been sent to are in no rest; a
// correction goes to them.
func TestTheRestAfterACrash(t *testing.T) {
	t.Parallel()
	for name, accepted := range map[string]bool{"before the platform had them": false, "after it had them": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 100}})
				begun := []string{a.sim.Follower(3), a.sim.Follower(7), a.sim.Follower(50)}
				first := crashed(a, begun, accepted)
				a.cancel(first)
				a.start()
				rest := a.mustAskOf("", models.AudienceRest, first).Broadcast.ID
				a.reaches(rest, models.Finished)
				if n := a.counts(rest).Tried(); n != 98 {
					t.Errorf("%d in the rest", n)
				}
				if c := a.counts(first); c.Uncertain != 3 || c.Tried() != 3 {
					t.Errorf("%+v", c)
				}
				if twice := a.sim.Received(2, -1, 5); len(twice) > 0 {
					t.Errorf("received twice: %v", twice)
				}
				correction := a.mustAskOf("personal", models.AudienceReached, first).Broadcast.ID
				a.reaches(correction, models.Finished)
				if n := a.counts(correction).Tried(); n != 3 {
					t.Errorf("%d corrected", n)
				}
			})
		})
	}
}

// Those who follow only later were in no audience of the first.
func TestTheRestIsThatOfTheFirstAudience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{rate: 50, Options: simulator.Options{Followers: 300}})
		a.start()
		first := a.ask("", models.AudienceAll)
		a.received(40)
		a.pause(first)
		a.exec("INSERT INTO recipients (openid, subscribed, scene, fields, created_at, updated_at) VALUES ('oLater-0000000000000000000-A', 1, '', '', 1, 1)")
		second := a.mustAskOf("personal", models.AudienceRest, first).Broadcast.ID
		a.until("the rest being sent", func() bool { return a.counts(second).Accepted > 20 })

		_, err := a.askOf("", models.AudienceRest, first)
		wantCode(t, err, models.ErrRestRunning)
		_, err = a.askOf("other", models.AudienceRest, second)
		wantCode(t, err, models.ErrWrongState)
		a.pause(second)
		_, err = a.askOf("", models.AudienceRest, first)
		wantCode(t, err, models.ErrRestRunning)

		// The rest of the rest is that of the first, too.
		third := a.mustAskOf("", models.AudienceRest, second)
		if third.Instead != second || third.Broadcast.OfID != first {
			t.Errorf("instead of %d, of %d", third.Instead, third.Broadcast.OfID)
		}
		a.reaches(third.Broadcast.ID, models.Finished)
		a.everyoneOnce()
		if n := a.counts(first).Tried() + a.counts(second).Tried() + a.counts(third.Broadcast.ID).Tried(); n != 301 {
			t.Errorf("%d tried by the three", n)
		}
	})
}

// What reached some people by one way reaches them by no other without the word again.
func TestTheSameContentByAnotherWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{rate: 50, Options: simulator.Options{Followers: 200}})
		a.start()
		first := a.ask("", models.AudienceAll)
		a.received(20)

		_, err := a.askOf("", models.AudienceReached, first)
		wantCode(t, err, models.ErrWrongState)
		_, err = a.askOf("", models.AudienceRest, first)
		wantCode(t, err, models.ErrWrongState)
		a.cancel(first)
		_ = loop.Sleep(t.Context(), time.Second)

		_, err = a.askOf("", models.AudienceReached, first)
		wantCode(t, err, models.ErrSameMessage)
		if _, err = a.tryAsk("", models.AudienceAll, false); err == nil {
			t.Error("everyone gets it, whoever got it before, too")
		}
		rest := a.mustAskOf("", models.AudienceRest, first).Broadcast.ID
		a.reaches(rest, models.Finished)
		a.everyoneOnce()

		// Everyone got the other message, so no rest and no correction is to repeat it.
		second := a.ask("personal", models.AudienceAll)
		a.reaches(second, models.Finished)
		third := a.ask("", models.AudienceMe)
		a.reaches(third, models.Finished)
		_, err = a.askOf("personal", models.AudienceReached, first)
		wantCode(t, err, models.ErrSameMessage)
		_, err = a.askOf("personal", models.AudienceReached, third)
		wantCode(t, err, models.ErrSameMessage)
	})
}

// A panic word stops what runs and what is about to, and leaves alone what starts later.
func TestAPanicWordStopsWhatRunsAndWhatIsAboutTo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{rate: 20, undo: time.Minute, Options: simulator.Options{Followers: 500}})
		a.start()
		running := a.ask("", models.AudienceAll)
		a.received(40)
		waiting := a.ask("personal", models.AudienceAll)
		done, err := a.engine.PauseAll(t.Context(), admin)
		if err != nil || len(done.Paused) != 2 || len(done.Later) != 0 {
			t.Fatalf("%+v, %v", done, err)
		}
		if st := done.Paused[1]; st.Broadcast.ID != running || st.Counts.Taken() < 40 {
			t.Errorf("%+v", st)
		}
		_ = loop.Sleep(t.Context(), 2*time.Second)
		calls := a.calls()
		_ = loop.Sleep(t.Context(), 10*time.Minute)
		if n := a.calls() - calls; n != 0 {
			t.Errorf("%d calls although all is paused", n)
		}
		for _, id := range []int64{running, waiting} {
			if b := a.broadcast(id); b.State != models.Paused || b.Reason != models.ReasonAdmin {
				t.Errorf("#%d is %s (%s)", id, b.State, b.Reason)
			}
		}
		if again, err := a.engine.PauseAll(t.Context(), admin); err != nil || len(again.Paused) != 0 {
			t.Errorf("%+v, %v", again, err)
		}
		a.resume(running)
		a.finishes(running, 501)
	})
}

// The same on each database, over a network.
func TestTheRestOnEachDatabase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{driver: driver, overHTTP: true, rate: 200, Options: simulator.Options{
			Followers: 600, Faults: simulator.Faults{Latency: 20 * time.Millisecond},
		}})
		a.start()
		first := a.ask("", models.AudienceAll)
		a.received(100)
		a.pause(first)
		second := a.mustAskOf("", models.AudienceRest, first).Broadcast.ID
		a.until("the rest being sent", func() bool { return a.counts(second).Taken() > 100 })
		if _, err := a.engine.PauseAll(t.Context(), admin); err != nil {
			t.Fatal(err)
		}
		third := a.mustAskOf("", models.AudienceRest, second).Broadcast.ID
		a.reaches(third, models.Finished)
		a.everyoneOnce()
		correction := a.mustAskOf("personal", models.AudienceReached, second)
		a.reaches(correction.Broadcast.ID, models.Finished)
		if n := a.counts(correction.Broadcast.ID).Tried(); n != a.counts(second).Taken() {
			t.Errorf("%d corrected, %d got it", n, a.counts(second).Taken())
		}
	})
}

// Calls are under way, and more people claimed, when the rest is asked for: it waits until
// it is known who was tried.
func TestTheRestWaitsForTheCallsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 200, Faults: simulator.Faults{Latency: 4 * time.Second}}})
		a.start()
		first := a.ask("", models.AudienceAll)
		a.until("calls side by side", func() bool { return a.sim.Stats().InFlight == 16 })
		a.pause(first)
		rest := a.mustAskOf("", models.AudienceRest, first).Broadcast.ID
		a.reaches(rest, models.Finished)
		a.everyoneOnce()
		if n := a.counts(first).Tried() + a.counts(rest).Tried(); n != 201 {
			t.Errorf("%d tried by both", n)
		}
	})
}

// failing has a finished broadcast look as if the platform had refused all its recipients.
func (a *account) failing(id int64) {
	a.t.Helper()
	a.exec(fmt.Sprintf("UPDATE deliveries SET state = 'failed', errcode = 50001 WHERE broadcast_id = %d", id))
}

// The rest of a retry and another retry are for the same people: nobody is in both,
// whichever comes first.
func TestTheRestOfARetry(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][2]models.Audience{
		"the rest, and then a retry": {models.AudienceRest, models.AudienceRetry},
		"a retry, and then the rest": {models.AudienceRetry, models.AudienceRest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{rate: 20, Options: simulator.Options{Followers: 200}})
				a.start()
				first := a.ask("", models.AudienceAll)
				a.reaches(first, models.Finished)
				a.failing(first)
				retry := a.mustAskOf("", models.AudienceRetry, first).Broadcast.ID
				a.until("the retry being sent", func() bool { return a.counts(retry).Tried() >= 40 })
				a.cancel(retry)

				of := map[models.Audience]int64{models.AudienceRest: retry, models.AudienceRetry: first}
				second := a.mustAskOf("", ways[0], of[ways[0]]).Broadcast.ID
				a.until("the next being sent", func() bool { return a.counts(second).Tried() >= 40 })
				if _, err := a.askOf("", ways[1], of[ways[1]]); err == nil {
					t.Error("two are sent to the same people at once")
				}
				a.cancel(second)
				third := a.mustAskOf("", ways[1], of[ways[1]]).Broadcast.ID
				a.reaches(third, models.Finished)
				if twice := a.sim.Received(3, -1, 5); len(twice) > 0 {
					t.Errorf("received by more than one of them: %v", twice)
				}
				if n := a.counts(retry).Tried() + a.counts(second).Tried() + a.counts(third).Tried(); n != 201 {
					t.Errorf("%d tried by the three", n)
				}
			})
		})
	}
}

// A retry may say something else, as the rest may; what everyone got is refused then, too.
func TestTheRestOfARetryWithOtherWords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{rate: 50, Options: simulator.Options{Followers: 100}})
		a.start()
		first := a.ask("", models.AudienceAll)
		a.reaches(first, models.Finished)
		a.failing(first)
		retry := a.mustAskOf("", models.AudienceRetry, first).Broadcast.ID
		a.until("the retry being sent", func() bool { return a.counts(retry).Tried() >= 20 })
		a.pause(retry)
		asked := a.mustAskOf("personal", models.AudienceRest, retry)
		if asked.Instead != retry || a.broadcast(retry).State != models.Cancelled {
			t.Errorf("instead of %d", asked.Instead)
		}
		a.reaches(asked.Broadcast.ID, models.Finished)
		if n := a.counts(retry).Tried() + a.counts(asked.Broadcast.ID).Tried(); n != 101 {
			t.Errorf("%d tried by both", n)
		}
		if _, err := a.tryAsk("personal", models.AudienceAll, false); err == nil {
			t.Error("some get it twice within a day")
		}
		a.failing(retry)
		a.exec(fmt.Sprintf("DELETE FROM deliveries WHERE broadcast_id = %d", asked.Broadcast.ID))
		_, err := a.askOf("personal", models.AudienceRest, retry)
		wantCode(t, err, models.ErrSameMessage)
	})
}

// Another retry waits for the calls of the one before it, too.
func TestARetryWaitsForTheCallsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 200}})
		a.start()
		first := a.ask("", models.AudienceAll)
		a.reaches(first, models.Finished)
		a.failing(first)
		a.faults(simulator.Faults{Latency: 4 * time.Second})
		retry := a.mustAskOf("", models.AudienceRetry, first).Broadcast.ID
		a.until("calls side by side", func() bool { return a.sim.Stats().InFlight == 16 })
		a.cancel(retry)
		second := a.mustAskOf("", models.AudienceRetry, first).Broadcast.ID
		a.reaches(second, models.Finished)
		if n := a.counts(retry).Tried() + a.counts(second).Tried(); n != 201 {
			t.Errorf("%d tried by both", n)
		}
	})
}
