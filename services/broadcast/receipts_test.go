package broadcast_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// receipt has the platform report on what someone received.
func (a *account) receipt(openID, status string) {
	a.t.Helper()
	got, _ := a.sim.Ledger(openID)
	if len(got) != 1 {
		a.t.Fatalf("%s received %d", openID, len(got))
	}
	if err := a.engine.Receipt(a.t.Context(), got[0].MsgID, status); err != nil {
		a.t.Fatal(err)
	}
}

func TestReceiptsCountOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 40}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		statuses := []string{"success", "failed:user block", "failed: system failed", "failed:freq limit"}
		// All at the same moment, three times over, and once more contradicting the first.
		var wg sync.WaitGroup
		for range 3 {
			for i, openID := range a.people()[:40] {
				wg.Go(func() { a.receipt(openID, statuses[i%4]) })
			}
		}
		wg.Wait()
		for _, openID := range a.people()[:40] {
			a.receipt(openID, "success")
		}
		want := models.Counts{Accepted: 1, Delivered: 10, Blocked: 10, Failed: 20}
		if c := a.counts(id); c != want {
			t.Errorf("%+v, want %+v", c, want)
		}
		for i, openID := range a.people()[:40] {
			if d := a.deliveries(id)[openID]; i%4 == 3 && d.Detail != "failed: freq limit" || d.MsgID == 0 {
				t.Errorf("%+v", d)
			}
		}
	})
}

// Those that come before their send is recorded are kept and joined, once, also
// over a restart.
func TestEarlyReceiptsAreJoined(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"in the same process": false, "after a restart": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 60}})
				stop := a.start()
				a.exec("CREATE TRIGGER broken BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'away'); END")
				id := a.ask("", models.AudienceAll)
				a.received(16)
				_ = loop.Sleep(t.Context(), time.Second)
				early := 0
				for _, openID := range a.people() {
					if got, _ := a.sim.Ledger(openID); len(got) == 1 {
						a.receipt(openID, "failed:user block")
						a.receipt(openID, "failed:user block")
						early++
					}
				}
				if early < 16 || a.counts(id).Accepted != 0 {
					t.Fatalf("%d receipts, %+v: nothing is early", early, a.counts(id))
				}
				if restart {
					stop()
				}
				a.exec("DROP TRIGGER broken")
				if restart {
					a.run(a.newEngine())
				}
				a.reaches(id, models.Finished)
				_ = loop.Sleep(t.Context(), 5*time.Second)
				if c := a.counts(id); c.Blocked != int64(early) || c.Accepted != 61-int64(early) {
					t.Errorf("%+v, want %d blocked", c, early)
				}
				var kept int
				if err := a.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM receipts").Scan(&kept); err != nil || kept != 0 {
					t.Errorf("%d receipts kept, %v", kept, err)
				}
			})
		})
	}
}

// The platform is answered only once a receipt is stored; what cannot be stored
// in time is an error, so that the platform sends it again.
func TestAReceiptIsCommittedOrAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 1}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		a.exec("CREATE TRIGGER broken BEFORE UPDATE ON deliveries BEGIN SELECT RAISE(ABORT, 'away'); END")
		got, _ := a.sim.Ledger(admin)
		if err := a.engine.Receipt(t.Context(), got[0].MsgID, "success"); err == nil {
			t.Error("a receipt that could not be stored was taken")
		}
		a.exec("DROP TRIGGER broken")
		a.receipt(admin, "success")
		if d := a.deliveries(id)[admin]; d.State != models.Delivered {
			t.Errorf("%s", d.State)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.engine.Receipt(ctx, 1, "success"); err == nil {
			t.Error("a receipt whose request had ended was taken")
		}
	})
}

// A receipt of another program's message is kept for a while, and then dropped.
func TestForeignReceiptsAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 1}})
		count := func() (n int) {
			if err := a.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM receipts").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if err := a.engine.Receipt(t.Context(), 4711, "success"); err != nil || count() != 1 {
			t.Fatalf("%d kept, %v", count(), err)
		}
		a.engine.Purge(t.Context())
		if count() != 1 {
			t.Error("dropped at once")
		}
		a.ahead.Store(int64(broadcast.KeepReceipts + time.Minute))
		a.engine.Purge(t.Context())
		if count() != 0 {
			t.Error("kept for ever")
		}
	})
}
