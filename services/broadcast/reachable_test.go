package broadcast_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// Whoever says stop, or leaves, is not sent to any more, however long ago their
// batch was read and their row written; and the counts still add up.
func TestWhoSaysStopMeanwhileIsNotSentTo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		rate int
		away time.Duration // how long the platform is away after they said so
	}{
		"at a slow rate":                  {rate: 5},
		"while the batch has its turn":    {rate: 100},
		"while the platform is away":      {away: time.Minute},
		"while it is away for very long":  {away: 15 * time.Minute},
		"while it is away at a slow rate": {rate: 5, away: time.Minute},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const followers = 400
				a := newAccount(t, setup{
					Options: simulator.Options{Followers: followers - 1, Faults: simulator.Faults{Latency: 20 * time.Millisecond}},
					rate:    test.rate,
				})
				called := map[string]time.Time{}
				a.onSend(func(_ http.ResponseWriter, openID string) bool {
					a.mu.Lock()
					defer a.mu.Unlock()
					called[openID] = time.Now()
					return false
				})
				a.start()
				id := a.ask("", models.AudienceAll)
				a.received(30)
				a.wire.down.Store(test.away > 0)
				_ = loop.Sleep(t.Context(), 50*time.Millisecond)
				stopped := time.Now()
				a.exec("UPDATE recipients SET opted_out = 1 WHERE id % 3 = 0")
				a.exec("UPDATE recipients SET subscribed = 0 WHERE id % 3 = 1")
				_ = loop.Sleep(t.Context(), test.away)
				a.wire.down.Store(false)
				a.reaches(id, models.Finished)
				a.audit(id)

				late := 0
				for _, openID := range a.people() {
					if after := called[openID].Sub(stopped); a.recipient(openID)%3 == 2 || after < 0 {
						continue
					} else if late++; after > reachableFor {
						t.Errorf("%s was sent to %s after they said stop or left", openID, after)
					}
				}
				if most := min(32, int(reachableFor/time.Second)*test.rate); late > most {
					t.Errorf("%d who said stop or left were sent to, want %d at most", late, most)
				}
				st, err := a.engine.Status(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if c := st.Counts; st.Broadcast.Recipients != c.Accepted || c.Tried() != c.Accepted || st.Remaining() != 0 ||
					c.Accepted < followers/3 || c.Accepted > followers/3+60 {
					t.Errorf("%d recipients, %+v", st.Broadcast.Recipients, c)
				}
			})
		})
	}
}

// Whoever says stop while they wait for another call gets no other: what came of
// the calls that were made is their outcome.
func TestWhoSaysStopBetweenTwoCallsIsNotCalledAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault    simulator.Faults
		between  string // what comes between the call and the stop, and after it
		to       models.Audience
		state    models.DeliveryState
		code     int
		calls    int
		received int
	}{
		"was written to too often":             {simulator.Faults{Codes: map[int]float64{43117: 1}}, "", models.AudienceTest, models.FailedFor, 43117, 1, 0},
		"the same and a restart":               {simulator.Faults{Codes: map[int]float64{43117: 1}}, "restart", models.AudienceTest, models.FailedFor, 43117, 1, 0},
		"was refused for a reason that is new": {simulator.Faults{Codes: map[int]float64{40264: 1}}, "", models.AudienceTest, models.FailedFor, 40264, 3, 0},
		"the same, and away after the rest":    {simulator.Faults{Codes: map[int]float64{43117: 1}}, "away", models.AudienceTest, models.FailedFor, 43117, 1, 0},
		"was not called for want of a token":   {simulator.Faults{}, "tokenless", models.AudienceTest, "", 0, 0, 0},
		"got it and the answer was lost":       {simulator.Faults{CutAccepted: 1}, "", models.AudienceTest, models.Uncertain, 0, 3, 1},
		"the same and a restart, in doubt":     {simulator.Faults{CutAccepted: 1}, "restart", models.AudienceTest, models.Uncertain, 0, 3, 1},
		"asked for it":                         {simulator.Faults{Codes: map[int]float64{43117: 1}}, "", models.AudienceMe, models.Accepted, 0, 2, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 5, Faults: test.fault}})
				a.exec("UPDATE recipients SET tester = 1 WHERE openid = ?", admin)
				calls := 0
				a.onSend(func(http.ResponseWriter, string) bool {
					a.mu.Lock()
					defer a.mu.Unlock()
					calls++
					return false
				})
				a.wire.tokenless.Store(test.between == "tokenless")
				stop := a.start()
				id := a.ask("", test.to)
				_ = loop.Sleep(t.Context(), 3*time.Second) // the fourth call comes after three and a half
				if test.between == "away" {
					a.wire.down.Store(true)
					_ = loop.Sleep(t.Context(), laterAfter+10*time.Second)
				}
				a.exec("UPDATE recipients SET opted_out = 1 WHERE openid = ?", admin)
				a.faults(simulator.Faults{})
				a.wire.down.Store(false)
				a.wire.tokenless.Store(false)
				if test.between == "restart" {
					a.interrupt(id, true, stop, time.Second)
				}
				a.until("the end", func() bool { return a.broadcast(id).State.Final() })
				a.audit(id)
				got, _ := a.sim.Ledger(admin)
				if d := a.deliveries(id)[admin]; d.State != test.state || d.Code != test.code || calls != test.calls || len(got) != test.received {
					t.Errorf("received %d with %d calls: %+v", len(got), calls, d)
				}
			})
		})
	}
}
