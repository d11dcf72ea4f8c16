package broadcast_test

import (
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

func TestASecondEngineStandsBy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 250, Faults: simulator.Faults{Latency: 100 * time.Millisecond}}, rate: 100})
		stop := a.start()
		_ = loop.Sleep(t.Context(), time.Second)
		second := a.newEngine()
		a.run(second)
		id := a.ask("", models.AudienceAll)
		a.received(100)
		if second.Leads() {
			t.Error("the one that stands by sends")
		}
		// It takes the chat's commands all the same.
		if _, err := second.Pause(t.Context(), 0, admin); err != nil {
			t.Fatal(err)
		}
		_ = loop.Sleep(t.Context(), 2*time.Second)
		calls := a.calls()
		_ = loop.Sleep(t.Context(), 5*time.Second)
		if a.calls() != calls {
			t.Errorf("%d calls after a pause by the one that stands by", a.calls()-calls)
		}
		if _, err := second.Resume(t.Context(), 0, admin); err != nil {
			t.Fatal(err)
		}
		a.received(150)
		stop()
		calls = a.calls()
		a.until("the second one taking over", func() bool { return a.calls() > calls })
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
	})
}

// Receipts come to any process; those that come early to one that does not send
// are joined too.
func TestAReceiptThatComesEarlyToTheOneThatStandsBy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 1}})
		a.start()
		_ = loop.Sleep(t.Context(), 3*time.Minute) // the one that sends saw no early receipts for long
		second := a.newEngine()
		a.run(second)
		id := a.ask("", models.AudienceAll)
		a.exec("CREATE TRIGGER broken BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'away'); END")
		a.received(2)
		got, _ := a.sim.Ledger(admin)
		if err := second.Receipt(t.Context(), got[0].MsgID, "failed:user block"); err != nil {
			t.Fatal(err)
		}
		a.exec("DROP TRIGGER broken")
		a.reaches(id, models.Finished)
		_ = loop.Sleep(t.Context(), 10*time.Second)
		if d := a.deliveries(id)[admin]; d.State != models.Blocked {
			t.Errorf("%s is %s, want blocked", admin, d.State)
		}
	})
}
