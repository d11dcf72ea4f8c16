package broadcast_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// The only call of a broadcast that it fails for is told of its recipient.
func TestTheRecipientWhoseCallFailsABroadcastIsFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 30, Faults: simulator.Faults{Codes: map[int]float64{47001: 1}}}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Failed)
		_ = loop.Sleep(t.Context(), 10*time.Second)
		if c := a.counts(id); c.Failed != 1 || c.Tried() != 1 {
			t.Errorf("%+v", c)
		}
	})
}

// A process that sends alone loses no lease to a database that takes no writes.
func TestAnOutageOfTheDatabasePutsNobodyInDoubtWhoWasNotCalled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{rate: 2, Options: simulator.Options{Followers: 100}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(10)
		writes := []string{"INSERT ON deliveries", "UPDATE ON deliveries", "DELETE ON deliveries", "UPDATE ON batches"}
		for _, what := range writes {
			a.exec("CREATE TRIGGER broken_" + strings.ReplaceAll(what, " ", "") + " BEFORE " + what + " BEGIN SELECT RAISE(ABORT, 'away'); END")
		}
		_ = loop.Sleep(t.Context(), 11*time.Minute)
		for _, what := range writes {
			a.exec("DROP TRIGGER broken_" + strings.ReplaceAll(what, " ", ""))
		}
		a.finishes(id, 101)
	})
}

// A disk that is full before the next batch begins is named as the reason, in a few lines.
func TestAFullDiskBetweenBatchesIsNamedInAFewLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		a := newAccount(t, setup{Options: simulator.Options{Followers: 5000}, log: slog.New(slog.NewTextHandler(log, nil))})
		id := crashed(a, []string{a.sim.Follower(3)}, false)
		a.exec("CREATE TRIGGER full BEFORE UPDATE ON batches WHEN new.owner LIKE 'local-_%' BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")
		a.start()
		_ = loop.Sleep(t.Context(), time.Minute)
		if n := log.count("batch interrupted", ""); n == 0 || n > 8*60/5+8 {
			t.Errorf("%d lines in a minute", n)
		}
		_ = loop.Sleep(t.Context(), 4*time.Minute)
		st, err := a.engine.Status(t.Context(), id)
		if err != nil || st.Stall == nil || st.Stall.Reason != broadcast.StallDisk || a.engine.StorageFault() == nil {
			t.Errorf("%+v, %v, storage: %v", st.Stall, err, a.engine.StorageFault())
		}
		a.exec("DROP TRIGGER full")
		a.finishes(id, 5001)
	})
}

// The machine's clock is set back by an hour while a broadcast is paused.
func TestAClockThatIsSetBackKeepsNoBatchWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{rate: 50, Options: simulator.Options{Followers: 300}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(40)
		a.pause(id)
		_ = loop.Sleep(t.Context(), 3*time.Second)
		a.exec("UPDATE batches SET lease_until = lease_until + 3600000 WHERE state = 'todo' AND lease_until > 0")
		a.resume(id)
		_ = loop.Sleep(t.Context(), 2*time.Minute)
		if b := a.broadcast(id); b.State != models.Finished {
			t.Errorf("%s, %+v", b.State, a.counts(id))
		}
	})
}

// The clock is set forward by an hour, or the machine slept, while calls are under way.
func TestAClockThatIsSetForwardBeginsNoBatchTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 60, Faults: simulator.Faults{Latency: 4 * time.Second}}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.until("calls side by side", func() bool { return a.sim.Stats().InFlight == 16 })
		a.ahead.Store(int64(time.Hour))
		a.exec("UPDATE batches SET lease_until = lease_until - 3600000 WHERE state = 'todo' AND lease_until > 0")
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
		if c := a.counts(id); c.Uncertain != 0 {
			t.Errorf("%+v", c)
		}
	})
}

// A broadcast waits for no batch of another one.
func TestASecondBroadcastBeginsBesideTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{rate: 5, Options: simulator.Options{Followers: 5999}})
		a.start()
		a.ask("", models.AudienceAll)
		a.received(100)
		second := a.ask("personal", models.AudienceAll)
		_ = loop.Sleep(t.Context(), time.Minute)
		if c := a.counts(second); c.Tried() == 0 || len(a.told()) > 0 {
			t.Errorf("%+v after a minute; told %q", c, a.told())
		}
	})
}
