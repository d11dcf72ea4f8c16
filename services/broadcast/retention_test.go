package broadcast_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// told is all that is told of a broadcast in numbers.
type told struct {
	Status   *broadcast.Status
	Listed   []models.Counts
	Failures []models.Failures
	Sends    []models.Sends
}

func (a *account) figuresOf(id int64) told {
	a.t.Helper()
	st, err := a.engine.Status(a.t.Context(), id)
	if err != nil {
		a.t.Fatal(err)
	}
	st.Broadcast.TalliedAt, st.Broadcast.PriceLeft, st.Broadcast.PriceOptedOut, st.Broadcast.Emptied = models.Time{}, 0, 0, false
	st.Broadcast.NotifiedState = "" // it is told of in its time
	list, err := a.engine.List(a.t.Context(), 10)
	if err != nil {
		a.t.Fatal(err)
	}
	x := told{Status: st}
	for _, l := range list {
		if l.Broadcast.ID == id {
			x.Listed = append(x.Listed, l.Counts)
		}
	}
	if x.Failures, err = a.store.CountFailures(a.t.Context(), id); err != nil {
		a.t.Fatal(err)
	}
	if x.Sends, err = a.store.CountSends(a.t.Context(), id, time.Second); err != nil {
		a.t.Fatal(err)
	}
	return x
}

// rows counts the rows of a table that are about a broadcast.
func (a *account) rows(table string, id int64) (n int64) {
	a.t.Helper()
	if err := a.db.QueryRowContext(a.t.Context(), "SELECT COUNT(*) FROM "+table+" WHERE broadcast_id = ?", id).Scan(&n); err != nil {
		a.t.Fatal(err)
	}
	return n
}

// restart ends the engine, and starts another one a while later. A new one looks at once
// for what is to be deleted.
func (a *account) restart(stop func(), later time.Duration) (stopNew func()) {
	a.t.Helper()
	stop()
	a.ahead.Add(int64(later))
	a.engine = a.newEngine()
	stopNew = a.start()
	_ = loop.Sleep(a.t.Context(), time.Minute)
	return stopNew
}

// After its time the deliveries of a broadcast are gone, all that is told of it is as it
// was, and nobody can be sent it again by way of them.
func TestOldDeliveriesGoAndTheirCountsStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{retention: 48 * time.Hour, rate: 100, Options: simulator.Options{
			Followers: 1200, Faults: simulator.Faults{Codes: map[int]float64{40003: .1, 43004: .05}},
		}})
		stop := a.start()
		old := a.ask("", models.AudienceAll)
		a.reaches(old, models.Finished)
		a.faults(simulator.Faults{})
		_ = loop.Sleep(t.Context(), time.Minute)
		if err := a.store.ChangeRecipient(t.Context(), a.openID(7), func(r *models.Recipient) { r.Leave(models.At(a.now())) }); err != nil {
			t.Fatal(err)
		}
		was := a.figuresOf(old)
		if was.Status.Counts.Failed == 0 || was.Status.Price.Left != 1 || len(was.Sends) < 10 || len(was.Failures) < 2 {
			t.Fatalf("too little to tell: %+v", was)
		}
		stop = a.restart(stop, 47*time.Hour)
		young := a.ask("", models.AudienceAll)
		a.reaches(young, models.Finished)
		_ = loop.Sleep(t.Context(), 2*time.Minute)
		if n := a.rows("deliveries", old); n != was.Status.Counts.Known() {
			t.Fatalf("%d deliveries before their time", n)
		}
		others := a.rows("deliveries", young)
		a.restart(stop, time.Hour)
		if d, b := a.rows("deliveries", old), a.rows("batches", old); d != 0 || b != 0 || !a.broadcast(old).Emptied {
			t.Errorf("%d deliveries and %d batches are left", d, b)
		}
		if n := a.rows("deliveries", young); n != others || n == 0 {
			t.Errorf("the younger broadcast has %d deliveries", n)
		}
		if diff := cmp.Diff(was, a.figuresOf(old)); diff != "" {
			t.Errorf("told before and after:\n%s", diff)
		}
		calls := a.calls()
		for _, to := range []models.Audience{models.AudienceRest, models.AudienceRetry, models.AudienceReached} {
			_, err := a.askOf("personal", to, old)
			wantCode(t, err, models.ErrDeliveriesGone)
		}
		_ = loop.Sleep(t.Context(), 5*time.Minute)
		if a.calls() != calls {
			t.Errorf("%d calls for what was refused", a.calls()-calls)
		}
	})
}

// A process deletes by the hour, not only when it starts.
func TestDeliveriesGoWhileTheProgramRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{retention: 48 * time.Hour, Options: simulator.Options{Followers: 30}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		a.ahead.Add(int64(49 * time.Hour))
		_ = loop.Sleep(t.Context(), 61*time.Minute)
		if n := a.rows("deliveries", id); n != 0 || !a.broadcast(id).Emptied {
			t.Errorf("%d deliveries are left", n)
		}
	})
}

// A broadcast that has not ended keeps the deliveries that say to whom it goes: nobody
// gets it twice, however long it waits.
func TestDeliveriesStayWhileABroadcastNeedsThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{retention: 48 * time.Hour, rate: 100, undo: time.Second, Options: simulator.Options{Followers: 900}})
		stop := a.start()
		first := a.ask("", models.AudienceAll)
		a.received(100)
		a.cancel(first)
		_ = loop.Sleep(t.Context(), time.Minute)
		rest := a.mustAskOf("", models.AudienceRest, first).Broadcast.ID
		a.received(300)
		a.pause(rest)
		had := a.rows("deliveries", first)
		stop = a.restart(stop, 10*24*time.Hour)
		if n := a.rows("deliveries", first); n != had || n == 0 || !a.broadcast(first).TalliedAt.IsZero() {
			t.Fatalf("%d deliveries are left", n)
		}
		a.resume(rest)
		a.reaches(rest, models.Finished)
		a.everyoneOnce()
		was := a.figuresOf(first).Status
		a.restart(stop, 3*24*time.Hour)
		if n := a.rows("deliveries", first) + a.rows("deliveries", rest); n != 0 {
			t.Errorf("%d deliveries are left", n)
		}
		st := a.figuresOf(first).Status
		if st.TakenOver != was.TakenOver || st.TakenOver == 0 || st.Counts != was.Counts || st.Counts.Tried()+st.TakenOver != 901 {
			t.Errorf("taken over %d, before %d, tried %d", st.TakenOver, was.TakenOver, st.Counts.Tried())
		}
	})
}

// A process that ends in the middle leaves counts as they were, and the next one ends
// the deletion, also if nothing is to be deleted any more by its settings.
func TestAKillWhileDeliveriesAreDeleted(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]time.Duration{"same settings": 48 * time.Hour, "without RETENTION": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{retention: 48 * time.Hour, Options: simulator.Options{
					Followers: 1800, Faults: simulator.Faults{Codes: map[int]float64{40003: .1}},
				}})
				stop := a.start()
				id := a.ask("", models.AudienceAll)
				a.reaches(id, models.Finished)
				_ = loop.Sleep(t.Context(), time.Minute)
				was, had := a.figuresOf(id), a.rows("deliveries", id)
				a.exec("CREATE TRIGGER broken BEFORE INSERT ON tallied_sends BEGIN SELECT RAISE(ABORT, 'killed'); END")
				stop = a.restart(stop, 49*time.Hour)
				if n := a.rows("tallies", id); n != 0 || !a.broadcast(id).TalliedAt.IsZero() || a.rows("deliveries", id) != had {
					t.Errorf("%d counts are kept of a transaction that failed", n)
				}
				a.exec("DROP TRIGGER broken")
				a.exec("CREATE TRIGGER broken BEFORE DELETE ON deliveries WHEN OLD.recipient_id > 700 BEGIN SELECT RAISE(ABORT, 'killed'); END")
				stop = a.restart(stop, time.Hour)
				if n := a.rows("deliveries", id); n == 0 || n == had || a.broadcast(id).Emptied {
					t.Errorf("%d deliveries are left", n)
				}
				if diff := cmp.Diff(was, a.figuresOf(id)); diff != "" {
					t.Errorf("told in the middle:\n%s", diff)
				}
				for _, to := range []models.Audience{models.AudienceRest, models.AudienceRetry, models.AudienceReached} {
					_, err := a.askOf("", to, id)
					wantCode(t, err, models.ErrDeliveriesGone)
				}
				a.exec("DROP TRIGGER broken")
				a.set.retention = keep
				a.restart(stop, time.Hour)
				if n := a.rows("deliveries", id); n != 0 || !a.broadcast(id).Emptied {
					t.Errorf("%d deliveries are left in the end", n)
				}
				if diff := cmp.Diff(was, a.figuresOf(id)); diff != "" {
					t.Errorf("told in the end:\n%s", diff)
				}
			})
		})
	}
}

// Whoever had as many messages as the cap allows gets no further one within its time,
// also if deliveries are to be deleted sooner.
func TestTheCapForgetsNoDeliveries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limit := models.Cap{Max: 1, Within: 72 * time.Hour}
		a := newAccount(t, setup{retention: 48 * time.Hour, limit: limit, Options: simulator.Options{Followers: 300}})
		stop := a.start()
		first := a.ask("", models.AudienceAll)
		a.reaches(first, models.Finished)
		_ = loop.Sleep(t.Context(), time.Minute)
		for _, later := range []time.Duration{49 * time.Hour, 22 * time.Hour} {
			stop = a.restart(stop, later)
			if n := a.rows("deliveries", first); n == 0 {
				t.Fatal("deliveries that the cap counts are gone")
			}
			asked, err := a.tryAsk("personal", models.AudienceAll, true)
			if err != nil {
				t.Fatal(err)
			}
			id := asked.Broadcast.ID
			a.reaches(id, models.Finished)
			if c := a.counts(id); c.Tried() != 0 || c.Skipped == 0 {
				t.Errorf("within the time of the cap: %+v", c)
			}
		}
		a.everyoneOnce()
		a.restart(stop, 2*time.Hour)
		if n := a.rows("deliveries", first); n != 0 {
			t.Errorf("%d deliveries are left after the time of the cap", n)
		}
	})
}
