package broadcast_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
	"wechat-broadcast/zone"
)

// The clock of these tests begins at 08:00 in Beijing.
const quietHours = "08:01-08:05"

// clock is a moment of the first day, in Beijing.
func clock(hour, minute int) time.Time {
	return time.Date(2000, 1, 1, hour, minute, 0, 0, zone.Beijing)
}

// until sleeps until a moment.
func sleepUntil(t *testing.T, at time.Time) {
	t.Helper()
	_ = loop.Sleep(t.Context(), time.Until(at))
}

// noCallsBetween fails the test if a message is sent between two moments.
func (a *account) noCallsBetween(from, to time.Time) {
	a.onSend(func(http.ResponseWriter, string) bool {
		if now := time.Now(); !now.Before(from) && now.Before(to) {
			a.t.Errorf("a message is sent at %s", now.In(zone.Beijing))
		}
		return false
	})
}

func TestARunningBroadcastPausesForTheQuietHours(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"as it runs": false, "over a restart within them": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 600}, rate: 7, quiet: quietHours})
				a.noCallsBetween(clock(8, 1), clock(8, 5))
				stop := a.start()
				id := a.ask("", models.AudienceAll)
				if restart { // it is down when they begin
					sleepUntil(t, clock(8, 1).Add(-time.Second))
					stop()
					sleepUntil(t, clock(8, 3))
					a.engine = a.newEngine()
					a.start()
				}
				b := a.reaches(id, models.Paused)
				if b.Reason != models.ReasonQuiet || !b.ResumeAt.Equal(clock(8, 5)) {
					t.Errorf("paused for %q until %s", b.Reason, b.ResumeAt)
				}
				sleepUntil(t, clock(8, 4))
				if c := a.counts(id); c.Tried() < 300 || c.Sending != 0 {
					t.Errorf("within the quiet hours: %+v", c)
				}
				if took := time.Now(); !restart && a.calls() < 400 {
					t.Errorf("%d calls until %s", a.calls(), took)
				}
				a.finishes(id, 601)
				if late := time.Since(clock(8, 5)); late > time.Minute {
					t.Errorf("it ended %s after the quiet hours", late)
				}
				_ = loop.Sleep(t.Context(), receiptsLate)
				if told := a.told(); len(told) != 2 || told[1] != fmt.Sprintf("finished #%d  taken=601 failed=0 uncertain=0", id) {
					t.Errorf("%q", told)
				}
			})
		})
	}
}

// Whatever is asked for within the quiet hours, or planned into them, starts at their end,
// but for tests, and but for what overrules them.
func TestWhatIsAskedForInTheQuietHours(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		to    models.Audience
		now   bool
		asked time.Time
		at    time.Time
		start time.Time
	}{
		"at once":                      {to: models.AudienceAll, asked: clock(8, 3), start: clock(8, 5)},
		"at the last moment before":    {to: models.AudienceAll, asked: clock(8, 1).Add(-5 * time.Second), start: clock(8, 5)},
		"to oneself":                   {to: models.AudienceMe, asked: clock(8, 3), start: clock(8, 3)},
		"to the test list":             {to: models.AudienceTest, asked: clock(8, 3), start: clock(8, 3)},
		"now":                          {to: models.AudienceAll, now: true, asked: clock(8, 3), start: clock(8, 3).Add(10 * time.Second)},
		"planned into them":            {to: models.AudienceAll, asked: clock(8, 0), at: clock(8, 4), start: clock(8, 5)},
		"planned into them, now":       {to: models.AudienceAll, now: true, asked: clock(8, 0), at: clock(8, 4), start: clock(8, 4)},
		"planned for their end":        {to: models.AudienceAll, asked: clock(8, 3), at: clock(8, 5), start: clock(8, 5)},
		"planned for after their end":  {to: models.AudienceAll, asked: clock(8, 3), at: clock(8, 8), start: clock(8, 8)},
		"planned into another day's":   {to: models.AudienceAll, asked: clock(8, 7), at: clock(32, 4), start: clock(32, 5)},
		"a test planned into them":     {to: models.AudienceTest, asked: clock(8, 0), at: clock(8, 4), start: clock(8, 4)},
		"planned, over for a long day": {to: models.AudienceAll, asked: clock(8, 3), at: clock(8, 4), start: clock(8, 5)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 20}, undo: 10 * time.Second, quiet: quietHours})
				a.exec("UPDATE recipients SET tester = 1")
				a.start()
				sleepUntil(t, test.asked)
				asked, err := a.request(broadcast.Request{Audience: test.to, AnyHour: test.now, At: test.at})
				if err != nil {
					t.Fatal(err)
				}
				b := asked.Broadcast
				moved := test.start.Equal(clock(8, 5)) && !test.at.Equal(test.start) || test.start.Equal(clock(32, 5))
				if !b.NotBefore.Equal(test.start) || b.WaitsForQuietEnd() != moved {
					t.Errorf("not before %s, reason %q", b.NotBefore.In(zone.Beijing), b.Reason)
				}
				if far := time.Until(test.start); far > time.Hour {
					a.ahead.Store(int64(far - time.Minute)) // a day of the engine's loops takes minutes
					time.Sleep(time.Minute)
				} else {
					sleepUntil(t, test.start)
				}
				b = a.reaches(b.ID, models.Finished)
				if late := b.StartedAt.Sub(test.start); late < 0 || late > 2*time.Second {
					t.Errorf("it started %s after its time", late)
				}
			})
		})
	}
}

// A broadcast that an admin has sent in the quiet hours runs through them.
func TestNowHoldsForTheWholeBroadcast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 600}, rate: 7, quiet: quietHours})
		a.start()
		asked, err := a.request(broadcast.Request{Audience: models.AudienceAll, AnyHour: true})
		if err != nil {
			t.Fatal(err)
		}
		id := asked.Broadcast.ID
		sleepUntil(t, clock(8, 1).Add(5*time.Second))
		a.pause(id)
		a.resume(id) // what was overruled once stays so
		a.finishes(id, 601)
		if !time.Now().Before(clock(8, 3)) {
			t.Errorf("it ended at %s", time.Now())
		}
		// It holds for none that is about it.
		rest, err := a.tryAsk("personal", models.AudienceAll, false)
		if err != nil || !rest.Broadcast.WaitsForQuietEnd() {
			t.Errorf("%+v, %v", rest, err)
		}
	})
}

// A resume within the quiet hours waits for their end, unless the admin says now.
func TestAResumeInTheQuietHours(t *testing.T) {
	t.Parallel()
	now := func(a *account, id int64) {
		b, err := a.engine.ResumeNow(a.t.Context(), id, admin)
		if err != nil || !b.AnyHour || b.WaitsForQuietEnd() {
			a.t.Errorf("%+v, %v", b, err)
		}
	}
	wait := func(a *account, id int64) {
		b, err := a.engine.Resume(a.t.Context(), id, admin)
		if err != nil || !b.WaitsForQuietEnd() || !b.NotBefore.Equal(clock(8, 5)) {
			a.t.Errorf("%+v, %v", b, err)
		}
	}
	tests := map[string]struct {
		asked  time.Time
		before func(a *account, id int64)
		then   func(a *account, id int64)
		end    time.Time
	}{
		"paused by an admin before":      {clock(8, 0), func(a *account, id int64) { a.received(50); a.pause(id) }, wait, clock(8, 5)},
		"paused by an admin before, now": {clock(8, 0), func(a *account, id int64) { a.received(50); a.pause(id) }, now, clock(8, 3)},
		"paused for them":                {clock(8, 0), func(*account, int64) {}, wait, clock(8, 5)},
		"paused for them, now":           {clock(8, 0), func(*account, int64) {}, now, clock(8, 3)},
		"now, and no number":             {clock(8, 0), func(*account, int64) {}, func(a *account, _ int64) { now(a, 0) }, clock(8, 3)},
		"waiting for their end, now":     {clock(8, 2), func(*account, int64) {}, now, clock(8, 3)},
		"waiting, paused":                {clock(8, 2), (*account).pause, wait, clock(8, 5)},
		"waiting, paused, now":           {clock(8, 2), (*account).pause, now, clock(8, 3)},
		"waiting, paused, later": {clock(8, 2), (*account).pause, func(a *account, id int64) {
			sleepUntil(a.t, clock(8, 7))
			a.resume(id)
		}, clock(8, 7)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 600}, rate: 7, undo: 5 * time.Second, quiet: quietHours})
				a.start()
				sleepUntil(t, test.asked)
				id := a.ask("", models.AudienceAll)
				test.before(a, id)
				sleepUntil(t, clock(8, 3))
				calls := a.calls()
				test.then(a, id)
				_ = loop.Sleep(t.Context(), time.Second)
				if goesOn := a.calls() > calls; goesOn != (test.end.Before(clock(8, 5)) || test.end.Equal(clock(8, 7))) {
					t.Errorf("it goes on at once: %t", goesOn)
				}
				a.finishes(id, 601)
				if late := time.Since(test.end); late < 0 || late > 2*time.Minute {
					t.Errorf("it ended %s after it could go on", late)
				}
			})
		})
	}
}

// What does not wait for the quiet hours can't be resumed.
func TestNowIsForWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}, undo: 10 * time.Second, quiet: quietHours})
		a.start()
		if _, err := a.engine.ResumeNow(t.Context(), 0, admin); models.KindOf(err) != models.NotFound {
			t.Error(err)
		}
		// The undo window holds for what is sent now.
		sleepUntil(t, clock(8, 3))
		id := a.ask("", models.AudienceAll)
		if _, err := a.engine.ResumeNow(t.Context(), id, admin); err != nil {
			t.Fatal(err)
		}
		_ = loop.Sleep(t.Context(), 9*time.Second)
		if a.calls() > 0 {
			t.Error("it started within the undo window")
		}
		if _, err := a.engine.ResumeNow(t.Context(), id, admin); models.KindOf(err) != models.Conflict {
			t.Error(err)
		}
		a.finishes(id, 21)
		if _, err := a.engine.ResumeNow(t.Context(), id, admin); models.KindOf(err) != models.Conflict {
			t.Error(err)
		}
	})
}

func TestRescheduledIntoTheQuietHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}, quiet: quietHours})
		a.noCallsBetween(clock(8, 0), clock(8, 8))
		a.start()
		id := a.plan(models.AudienceAll, clock(12, 0))
		for at, want := range map[time.Time]time.Time{clock(32, 4): clock(32, 5), clock(11, 0): clock(11, 0), clock(8, 3): clock(8, 5), clock(8, 8): clock(8, 8)} {
			b, err := a.engine.Reschedule(t.Context(), id, at, admin)
			if err != nil || !b.NotBefore.Equal(want) || b.WaitsForQuietEnd() == want.Equal(at) {
				t.Errorf("%s: not before %s, reason %q, %v", at, b.NotBefore, b.Reason, err)
			}
		}
		if _, err := a.engine.Reschedule(t.Context(), id, clock(8, 8), admin); err != nil {
			t.Fatal(err)
		}
		a.finishes(id, 21)
	})
}

// A pause for another reason that ends in the quiet hours lasts until theirs.
func TestAQuotaThatIsResetInTheQuietHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		beforeMidnight()
		a := newAccount(t, setup{Options: simulator.Options{Followers: 200, Limits: simulator.Limits{SendDaily: 120}}, quiet: "00:00-00:30"})
		a.noCallsBetween(clock(24, 0), clock(24, 30))
		a.start()
		id := a.ask("", models.AudienceAll)
		if b := a.reaches(id, models.Paused); b.Reason != models.ReasonQuota {
			t.Fatalf("paused for %q", b.Reason)
		}
		sleepUntil(t, clock(24, 1))
		if b := a.broadcast(id); b.State != models.Paused || b.Reason != models.ReasonQuiet || !b.ResumeAt.Equal(clock(24, 30)) {
			t.Errorf("%s for %q until %s", b.State, b.Reason, b.ResumeAt)
		}
		sleepUntil(t, clock(24, 30))
		a.finishes(id, 201)
	})
}

// What completes an earlier broadcast is one like any other.
func TestARetryAndARestWaitForTheEndOfTheQuietHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 600}, rate: 7, quiet: quietHours})
		a.noCallsBetween(clock(8, 1), clock(8, 5))
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(100)
		a.cancel(id)
		sleepUntil(t, clock(8, 3))
		a.exec("UPDATE deliveries SET state = 'failed' WHERE recipient_id <= 3")
		rest := a.mustAskOf("", models.AudienceRest, id).Broadcast
		retry := a.mustAskOf("", models.AudienceRetry, id).Broadcast
		for _, b := range []models.Broadcast{rest, retry} {
			if !b.WaitsForQuietEnd() || !b.NotBefore.Equal(clock(8, 5)) {
				t.Errorf("#%d: %q, not before %s", b.ID, b.Reason, b.NotBefore)
			}
		}
		a.reaches(rest.ID, models.Finished)
		a.reaches(retry.ID, models.Finished)
	})
}

// What was told holds after a restart with other hours, but for hours that last longer.
func TestOtherQuietHoursAfterARestart(t *testing.T) {
	t.Parallel()
	for hours, end := range map[string]time.Time{
		"": clock(8, 5), "08:01-08:04": clock(8, 5), "08:01-08:07": clock(8, 7), "08:04-08:08": clock(8, 8), "20:00-21:00": clock(8, 5),
	} {
		t.Run("now "+hours, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 600}, rate: 7, quiet: quietHours})
				a.noCallsBetween(clock(8, 1), end)
				stop := a.start()
				running := a.ask("", models.AudienceAll)
				sleepUntil(t, clock(8, 3))
				stop()
				a.set.quiet = hours
				a.engine = a.newEngine()
				a.start()
				b := a.reaches(running, models.Finished)
				if late := b.FinishedAt.Sub(end); late < 0 || late > time.Minute {
					t.Errorf("it ended %s after %s", late, end)
				}
				a.everyoneOnce()
			})
		})
	}
}

// Each replica stops by itself, at the moment when the quiet hours begin.
func TestReplicasKeepTheQuietHours(t *testing.T) {
	t.Parallel()
	begin := time.Now().In(zone.Beijing).Truncate(time.Minute).Add(2 * time.Minute)
	hours := zone.Hours{From: begin.Sub(zone.Midnight(begin, 0)), To: begin.Add(time.Hour).Sub(zone.Midnight(begin.Add(time.Hour), 0))}
	a, engines := replicas(t, setup{
		Options: simulator.Options{Followers: 20_000, Faults: simulator.Faults{Latency: 5 * time.Millisecond}}, rate: 500, quiet: hours.String(),
	}, 2)
	a.ahead.Store(int64(time.Until(begin) - 10*time.Second))
	for _, e := range engines {
		a.run(e)
	}
	id := a.ask("", models.AudienceAll)
	a.received(100)
	_ = loop.Sleep(t.Context(), begin.Add(200*time.Millisecond).Sub(a.now()))
	calls := a.calls()
	_ = loop.Sleep(t.Context(), 2*time.Second)
	if more := a.calls() - calls; more > 0 || calls < 500 {
		t.Errorf("%d calls before the quiet hours, %d in them", calls, more)
	}
	if b := a.broadcast(id); b.State != models.Paused || b.Reason != models.ReasonQuiet || !b.ResumeAt.Equal(begin.Add(time.Hour)) {
		t.Errorf("%s for %q until %s", b.State, b.Reason, b.ResumeAt)
	}
	a.pause(id)
	if b, err := engines[1].ResumeNow(t.Context(), id, admin); err != nil || !b.AnyHour {
		t.Errorf("%+v, %v", b, err)
	}
	a.received(calls + 500)
	a.ahead.Add(int64(time.Hour))
	a.pause(id)
	a.cancel(id)
	a.until("what was on its way being settled", func() bool { return a.counts(id).Sending == 0 })
	a.audit(id)
}
