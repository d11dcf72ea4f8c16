package broadcast_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/simulator"
)

// away lets a call find the platform away.
func away(t *testing.T, th *throttle.Throttle) {
	t.Helper()
	p, err := th.Stream().Acquire(t.Context(), throttle.Unclaimed, throttle.Permit{})
	if err != nil {
		t.Fatal(err)
	}
	p.Done(wechat.Result{Verdict: wechat.Away})
}

// The send that was to try whether the platform is there again is not made after
// all: another one does it, and nobody waits for ever.
func TestAProbeThatIsNotMadeKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		message  string
		rate     int
		instead  func(a *account, id int64)
		received int // of 60
	}{
		"the message cannot be filled": {"personal", 0, func(*account, int64) {}, 40},
		"the claim is too old":         {"notice", 0, func(a *account, _ int64) { a.ahead.Store(int64(10 * time.Minute)) }, 60},
		"a pause while it waits its turn": {"notice", 1, func(a *account, id int64) {
			_ = loop.Sleep(a.t.Context(), 600*time.Millisecond)
			for _, move := range []func(id int64){a.pause, a.resume} {
				move(id)
				_ = loop.Sleep(a.t.Context(), time.Second)
			}
		}, 60},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 59}, rate: test.rate})
				a.messages.Set(strings.Replace(messageFile, "{{.Scene}}", "{{.Fields.door}}", 1))
				a.exec(`UPDATE recipients SET fields = '{"door":"north"}'`)
				id := a.ask(test.message, models.AudienceAll)
				a.exec("UPDATE recipients SET fields = '' WHERE id <= 20")
				away(t, a.engine.Throttle())
				a.start()
				_ = loop.Sleep(t.Context(), 100*time.Millisecond)
				test.instead(a, id)
				a.reaches(id, models.Finished)
				a.audit(id)
				if got := a.sim.Stats().Accepted; got != int64(test.received) {
					t.Errorf("%d received it, want %d", got, test.received)
				}
			})
		})
	}
}
