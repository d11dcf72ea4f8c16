package broadcast_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

var onceADay = models.Cap{Max: 1, Within: 24 * time.Hour}

// gotBoth asks for two broadcasts at the same moment and fails the test unless everybody
// got one of the two, and was skipped by the other.
func (a *account) gotBoth(people int64) {
	a.t.Helper()
	first, second := a.ask("", models.AudienceAll), a.ask("personal", models.AudienceAll)
	var skipped int64
	for _, id := range []int64{first, second} {
		b := a.reaches(id, models.Finished)
		c := a.counts(id)
		if c.Known() != people || b.Recipients != people || c.Sending != 0 || c.Failed != 0 {
			a.t.Errorf("#%d to %d: %+v", id, b.Recipients, c)
		}
		skipped += c.Skipped
		for openID, d := range a.deliveries(id) {
			if d.State == models.Skipped && (d.Detail != models.DetailCap || d.SentAt != 0 || d.Attempts != 0) {
				a.t.Errorf("%s: %+v", openID, d)
			}
		}
	}
	if skipped != people {
		a.t.Errorf("%d are skipped, want %d", skipped, people)
	}
	a.everyoneOnce()
}

func TestTwoBroadcastsAtOnceKeepTheCapOnEachDatabase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{
			driver: driver, overHTTP: true, concurrency: 32, limit: onceADay,
			Options: simulator.Options{Followers: 1500, Faults: simulator.Faults{Latency: 5 * time.Millisecond}},
		})
		a.start()
		a.gotBoth(1501)
	})
}

func TestReplicasKeepTheCapTogether(t *testing.T) {
	t.Parallel()
	a, engines := replicas(t, setup{
		driver: models.MySQL, limit: onceADay,
		Options: simulator.Options{Followers: 3000, Faults: simulator.Faults{Latency: 5 * time.Millisecond}},
	}, 2)
	for _, e := range engines {
		a.run(e)
	}
	a.gotBoth(3001)
}

// Whoever was claimed before a crash is asked again by the same broadcast, whatever the
// cap, and counts for others.
func TestWhoWasClaimedBeforeACrashIsNotSkipped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 40}, limit: onceADay})
		begun := a.people()[:10]
		id := crashed(a, begun, false)
		a.start()
		a.finishes(id, 41)
		if c := a.counts(id); c.Skipped != 0 {
			t.Errorf("%+v", c)
		}
		second := a.ask("personal", models.AudienceAll)
		a.reaches(second, models.Finished)
		if c := a.counts(second); c.Skipped != 41 || c.Tried() != 0 {
			t.Errorf("%+v", c)
		}
		a.everyoneOnce()
	})
}

// A broadcast that skips everybody is finished; there is nothing in it to retry, and
// nobody is left for a rest.
func TestABroadcastThatSkipsEverybody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 40}, limit: onceADay})
		a.exec("UPDATE recipients SET tester = 1")
		a.start()
		a.reaches(a.ask("", models.AudienceAll), models.Finished)
		a.everyoneReports()
		_ = loop.Sleep(t.Context(), receiptsLate)
		id := a.ask("personal", models.AudienceAll)
		b := a.reaches(id, models.Finished)
		if c := a.counts(id); c.Skipped != 41 || b.Recipients != 41 {
			t.Errorf("%d recipients: %+v", b.Recipients, c)
		}
		for _, to := range []models.Audience{models.AudienceRetry, models.AudienceRest, models.AudienceReached} {
			if asked, err := a.askOf("personal", to, id); models.KindOf(err) != models.Conflict {
				t.Errorf("%s: %+v, %v", to, asked, err)
			}
		}
		if n, err := a.engine.SentToday(t.Context()); err != nil || n != 41 {
			t.Errorf("%d sends today, %v", n, err)
		}
		_ = loop.Sleep(t.Context(), receiptsLate)
		if told := a.told(); len(told) != 2 || told[1] != fmt.Sprintf("finished #%d  taken=0 failed=0 uncertain=0", id) {
			t.Errorf("%q", told)
		}
		a.everyoneOnce()
		// Tests are not skipped, and do not count.
		for _, to := range []models.Audience{models.AudienceMe, models.AudienceTest} {
			id := a.ask("", to)
			a.reaches(id, models.Finished)
			if c := a.counts(id); c.Skipped != 0 || c.Tried() == 0 {
				t.Errorf("%s: %+v", to, c)
			}
		}
	})
}

// Neither "again" nor a correction gets round the cap; time does, and another setting.
func TestWhatGetsRoundTheCap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}, limit: onceADay})
		stop := a.start()
		first := a.ask("", models.AudienceAll)
		a.reaches(first, models.Finished)
		skips := func(id int64, want int64) {
			t.Helper()
			a.reaches(id, models.Finished)
			if c := a.counts(id); c.Skipped != want || c.Known() != 21 {
				t.Errorf("#%d: %+v, want %d skipped", id, c, want)
			}
		}
		again := func() int64 {
			t.Helper()
			asked, err := a.tryAsk("", models.AudienceAll, true)
			if err != nil {
				t.Fatal(err)
			}
			return asked.Broadcast.ID
		}
		skips(again(), 21)
		skips(a.mustAskOf("personal", models.AudienceReached, first).Broadcast.ID, 21)
		a.ahead.Add(int64(24*time.Hour - time.Minute))
		skips(again(), 21)
		stop()
		a.set.limit = models.Cap{Max: 2, Within: 48 * time.Hour}
		a.engine = a.newEngine()
		stop = a.start()
		skips(again(), 0)
		skips(again(), 21)
		stop()
		a.set.limit = onceADay
		a.engine = a.newEngine()
		a.start()
		a.ahead.Add(int64(24*time.Hour + time.Minute))
		skips(again(), 0)
		stop()
		if got := a.sim.Received(3, 3, 100); len(got) != 21 {
			t.Errorf("%d got three messages in all", len(got))
		}
	})
}
