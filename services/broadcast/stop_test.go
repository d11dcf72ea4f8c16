package broadcast_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/planning"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/simulator"
)

func TestAStopRecordsWhatIsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 200, Faults: simulator.Faults{Latency: 2 * time.Second}}})
		stop := a.start()
		id := a.ask("", models.AudienceAll)
		a.received(40)
		begun := time.Now()
		stop()
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("the stop took %s", took)
		}
		calls := a.calls()
		if b := a.broadcast(id); b.State != models.Running {
			t.Errorf("after the stop it is %s", b.State)
		}
		if c := a.counts(id); c.Sending != 0 || c.Accepted != calls {
			t.Errorf("%+v after %d calls", c, calls)
		}
		_ = loop.Sleep(t.Context(), time.Minute)
		if a.calls() != calls {
			t.Errorf("%d calls after the stop", a.calls()-calls)
		}
		a.run(a.newEngine())
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
	})
}

// Calls that hang are cut when the stop takes too long, but then too what is
// known is stored: nobody who surely was not sent to is in doubt at the next
// start, however late that is.
func TestAStopCutsCallsThatHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 200}, rate: 100})
		stop := a.start()
		id := a.ask("", models.AudienceAll)
		a.received(20)
		a.faults(simulator.Faults{Latency: 30 * time.Second})
		a.until("the first calls", func() bool { return a.sim.Stats().InFlight == 16 })
		_ = loop.Sleep(t.Context(), 100*time.Millisecond)
		begun := time.Now()
		stop()
		if took := time.Since(begun); took < 5*time.Second || took > 9500*time.Millisecond {
			t.Errorf("the stop took %s", took)
		}
		if c := a.counts(id); c.Sending != 16 || c.Tried() != 16+c.Accepted {
			t.Errorf("%+v: want only the 16 that hang in doubt", c)
		}
		_ = loop.Sleep(t.Context(), time.Hour)
		if err := a.sim.SetFaults(simulator.Faults{}); err != nil {
			t.Fatal(err)
		}
		a.run(a.newEngine())
		a.reaches(id, models.Finished)
		a.audit(id)
		if c := a.counts(id); c.Uncertain != 16 || c.Accepted != 185 {
			t.Errorf("in the end: %+v", c)
		}
	})
}

// crashed leaves a broadcast as a crash does: planned, and some of its
// recipients begun now, with or without the platform having got them.
func crashed(a *account, people []string, accepted bool) (id int64) {
	t := a.t
	t.Helper()
	ctx := t.Context()
	id = a.ask("", models.AudienceAll)
	b := a.broadcast(id)
	if err := a.store.FreezeAudience(ctx, &b); err != nil {
		t.Fatal(err)
	}
	all, err := a.store.AudienceIDs(ctx, &b, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.store.AddBatches(ctx, planning.Cut(models.Batch{BroadcastID: id}, all)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.store.PlanDone(ctx, id, a.now()); err != nil {
		t.Fatal(err)
	}
	_, err = a.store.MoveBroadcast(ctx, id, models.Move{Event: models.EventDue}, a.now())
	if err != nil {
		t.Fatal(err)
	}
	var begun []int64
	for _, openID := range people {
		begun = append(begun, a.recipient(openID))
	}
	batches, _, err := a.store.IdleBatches(ctx, id, len(all))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches { // the next one to lead ends these leases
		dead, err := a.store.LeaseBatch(ctx, id, b.Seq, broadcast.OwnLeases+"dead", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if b.Seq > 1 {
			continue
		}
		held, err := a.store.StoreClaims(ctx, *dead, models.Claims{{At: models.At(a.now()), Recipients: begun}})
		if err != nil || !held {
			t.Fatalf("claimed: %t, %v", held, err)
		}
	}
	if !accepted {
		return id
	}
	c, err := message.NewContent(a.broadcast(id))
	if err != nil {
		t.Fatal(err)
	}
	for i, openID := range people {
		m, err := c.For(models.Recipient{ID: begun[i], OpenID: openID, Scene: "qr"})
		if err != nil {
			t.Fatal(err)
		}
		if res := a.client.Send(ctx, m); res.Verdict != wechat.Accepted {
			t.Fatalf("send to %s: %+v", openID, res)
		}
	}
	return id
}

func TestAfterACrash(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		age      time.Duration // of the sends that were begun, at the restart
		accepted bool
		want     models.DeliveryState
		received int
	}{
		"begun just now, accepted":          {5 * time.Second, true, models.Accepted, 1},
		"begun just now, not accepted":      {5 * time.Second, false, models.Accepted, 1},
		"begun 8:55 ago, accepted":          {8*time.Minute + 55*time.Second, true, models.Accepted, 1},
		"begun 9:05 ago, accepted":          {9*time.Minute + 5*time.Second, true, models.Uncertain, 1},
		"begun 9:05 ago, not accepted":      {9*time.Minute + 5*time.Second, false, models.Uncertain, 0},
		"begun yesterday":                   {24 * time.Hour, true, models.Uncertain, 1},
		"begun in the near future":          {-30 * time.Second, true, models.Accepted, 1},
		"begun in the future: a set clock":  {-10 * time.Minute, true, models.Uncertain, 1},
		"begun in the future, not accepted": {-10 * time.Minute, false, models.Uncertain, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 60}})
				people := a.people()[10:30]
				id := crashed(a, people, test.accepted)
				// The platform's clock goes on by itself, so only what lies in the past is
				// waited for; the rest is a clock of ours that was set back.
				if test.age > 0 {
					_ = loop.Sleep(t.Context(), test.age)
				} else {
					a.ahead.Store(int64(test.age))
				}
				a.run(a.newEngine())
				a.reaches(id, models.Finished)
				a.audit(id)
				for _, openID := range people {
					got, _ := a.sim.Ledger(openID)
					if d := a.deliveries(id)[openID]; d.State != test.want || len(got) != test.received {
						t.Errorf("%s is %s (%s) and received %d, want %s and %d", openID, d.State, d.Detail, len(got), test.want, test.received)
					}
				}
				if c := a.counts(id); c.Tried() != 61 || c.Failed != 0 || c.Sending != 0 {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

// Whoever left after the crash has lost what the message is filled with, so it
// cannot be asked again.
func TestDoubtOfOneWhoLeftIsUncertain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}})
		a.messages.Set(strings.Replace(messageFile, "default: notice", "default: personal", 1))
		people := a.people()[:2]
		id := crashed(a, people, true)
		a.exec("UPDATE recipients SET subscribed = 0, scene = '' WHERE openid IN (?, ?)", people[0], people[1])
		a.start()
		a.reaches(id, models.Finished)
		a.audit(id)
		if c := a.counts(id); c.Uncertain != 2 || c.Accepted != 19 {
			t.Errorf("%+v", c)
		}
	})
}

// A platform that stays away after a crash for longer than it may be asked again.
func TestDoubtThatIsNotSettledInTimeIsUncertain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 60}})
		people := a.people()[10:30]
		id := crashed(a, people, true)
		a.wire.down.Store(true)
		a.start()
		_ = loop.Sleep(t.Context(), 10*time.Second)
		if c := a.counts(id); c.Uncertain != 0 {
			t.Errorf("given up at once: %+v", c)
		}
		a.ahead.Store(int64(9 * time.Minute))
		_ = loop.Sleep(t.Context(), 10*time.Second)
		a.wire.down.Store(false)
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
		if c := a.counts(id); c.Uncertain != 20 || c.Accepted != 41 {
			t.Errorf("%+v", c)
		}
	})
}

// While the database is away nothing is forgotten and nobody is sent twice.
func TestADatabaseThatFailsForAWhileLosesNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"outcomes": "BEFORE INSERT ON deliveries",
		"claims":   "BEFORE UPDATE OF claims ON batches WHEN NEW.claims <> ''",
		"batches":  "BEFORE UPDATE ON batches",
		"releases": "BEFORE UPDATE OF claims ON batches WHEN LENGTH(NEW.claims) < LENGTH(OLD.claims)",
		"moves":    "BEFORE UPDATE ON broadcasts",
		"receipts": "BEFORE INSERT ON receipts",
	}
	for name, when := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 200, Faults: simulator.Faults{Latency: 20 * time.Millisecond}}})
				a.start()
				id := a.ask("", models.AudienceAll)
				a.received(60)
				a.exec("CREATE TRIGGER broken " + when + " BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
				_ = loop.Sleep(t.Context(), 5*time.Second)
				if name == "releases" {
					if _, err := a.engine.Pause(t.Context(), id, admin); err == nil {
						_ = loop.Sleep(t.Context(), 5*time.Second)
						_, _ = a.engine.Resume(t.Context(), id, admin)
					}
				}
				_ = loop.Sleep(t.Context(), 30*time.Second)
				a.exec("DROP TRIGGER broken")
				a.finishes(id, 201)
			})
		})
	}
}

// A stop must not wait for a database that does not come back.
func TestAStopWhileTheDatabaseFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 200, Faults: simulator.Faults{Latency: 20 * time.Millisecond}}})
		stop := a.start()
		id := a.ask("", models.AudienceAll)
		a.received(60)
		a.exec("CREATE TRIGGER broken BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
		_ = loop.Sleep(t.Context(), 3*time.Second)
		begun := time.Now()
		stop()
		if took := time.Since(begun); took > 9500*time.Millisecond {
			t.Errorf("the stop took %s", took)
		}
		a.exec("DROP TRIGGER broken")
		a.run(a.newEngine())
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
	})
}

// The right to send is lost while calls hang, and had again after that.
func TestSendingGoesOnAfterTheLockWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 200, Faults: simulator.Faults{Latency: 9 * time.Second}}})
		id := a.ask("", models.AudienceAll)
		lock, err := a.store.TakeSendLock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, lose := context.WithCancel(t.Context())
		led := make(chan struct{})
		go func() { defer close(led); a.engine.Lead(ctx, lock) }()
		a.until("calls side by side", func() bool { return a.sim.Stats().InFlight == 16 })
		lose()
		<-led
		if c := a.counts(id); c.Accepted != 17 || c.Sending != 0 {
			t.Errorf("%+v: want the calls in flight ended and recorded", c)
		}
		if err := a.sim.SetFaults(simulator.Faults{}); err != nil {
			t.Fatal(err)
		}
		a.start()
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
	})
}

// Of a broadcast that goes on after a crash one call goes first. Those who were begun
// before it are more than may be under way at a time, and wait for that call as well
// as those who are new: whoever makes it, all go on.
func TestManyWhoWereBegunKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 4000}})
		var begun []string
		for i := range 1200 { // some of their batches come after some of new ones
			begun = append(begun, a.sim.Follower(2600+i))
		}
		id := crashed(a, begun, false)
		_ = loop.Sleep(t.Context(), 10*time.Second)
		a.wire.thinks.Store(int64(time.Second)) // meanwhile all come to wait for it
		a.start()
		a.finishes(id, 4001)
	})
}
