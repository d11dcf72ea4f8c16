package broadcast_test

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// However the platform and the network behave, everyone receives it once.
func TestEveryoneOnceThroughFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{
			Followers: 400,
			Faults: simulator.Faults{
				SystemError: .03, SystemErrorAccepted: .03, BadGateway: .03, Cut: .03, CutAccepted: .03, HTML: .03, Empty: .03,
				TextCode: .03, TokenRevoked: .01, TokenExpired: .01, Slow: .02, SlowFor: time.Second,
				Codes: map[int]float64{45011: .01},
			},
		}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
	})
}

// An answer that says "you sent that already" proves nothing about the first
// send, so the recipient is uncertain: not failed, and not sent to again.
func TestARefusedRepetitionIsUncertain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{
			Followers: 100, DuplicateAnswer: simulator.DuplicateError, Faults: simulator.Faults{CutAccepted: .2},
		}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(101)
		a.until("a repetition being refused", func() bool { return a.sim.Stats().Codes["40241"] > 0 })
		_ = loop.Sleep(t.Context(), 10*time.Second)
		// Whoever were put off would be sent to again after this, when the platform
		// no longer knows the client_msg_id.
		if _, err := a.engine.Pause(t.Context(), id, admin); err == nil {
			_ = loop.Sleep(t.Context(), 11*time.Minute)
			a.resume(id)
		}
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
		if c := a.counts(id); c.Uncertain == 0 || c.Taken()+c.Uncertain != 101 {
			t.Errorf("%+v: want all taken or uncertain, and some uncertain", c)
		}
	})
}

// The same holds for any other refusal: it came too late to be about the first
// send. Who is gone is still marked as such.
func TestARefusalAfterACutCallIsUncertain(t *testing.T) {
	t.Parallel()
	tests := map[int]bool{43004: true, 50005: true, 43019: false, 43101: false, 47003: false, 49003: false, 43117: false}
	for code, gone := range tests {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 5, Faults: simulator.Faults{CutAccepted: 1}}})
				calls := 0
				a.onSend(func(w http.ResponseWriter, _ string) bool {
					a.mu.Lock()
					defer a.mu.Unlock()
					if calls++; calls == 1 {
						return false // taken, and cut
					}
					answer(w, code)
					return true
				})
				a.start()
				id := a.ask("", models.AudienceMe)
				a.reaches(id, models.Finished)
				a.audit(id)
				got, _ := a.sim.Ledger(admin)
				if d := a.deliveries(id)[admin]; len(got) != 1 || calls != 2 || d.State != models.Uncertain || d.Code != code || d.Attempts != 2 {
					t.Errorf("received %d, %d calls: %+v", len(got), calls, d)
				}
				var subscribed bool
				if err := a.db.QueryRowContext(t.Context(), "SELECT subscribed FROM recipients WHERE openid = ?", admin).Scan(&subscribed); err != nil {
					t.Fatal(err)
				}
				if subscribed == gone {
					t.Errorf("known as a follower: %t", subscribed)
				}
			})
		})
	}
}

// An OpenID that is called invalid is asked about and, unless its person is gone,
// called once more: what is said then counts, and a follower stays one.
func TestAnInvalidOpenIDIsCalledOnceMore(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		refusals, calls int
		left, deaf      bool // the person left; the platform does not tell
		state           models.DeliveryState
	}{
		"refused once":           {refusals: 1, calls: 2, state: models.Accepted},
		"refused twice":          {refusals: 9, calls: 2, state: models.FailedFor},
		"refused, and not asked": {refusals: 9, calls: 2, deaf: true, state: models.FailedFor},
		"left":                   {refusals: 9, calls: 1, left: true, state: models.FailedFor},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 3}})
				person, calls := a.sim.Follower(0), 0
				if test.left {
					if err := a.sim.Unfollow(t.Context(), person); err != nil {
						t.Fatal(err)
					}
				}
				a.wire.deaf.Store(test.deaf)
				a.onSend(func(w http.ResponseWriter, openID string) bool {
					a.mu.Lock()
					defer a.mu.Unlock()
					if openID != person {
						return false
					}
					if calls++; calls > test.refusals {
						return false
					}
					answer(w, codeInvalidOpenID)
					return true
				})
				a.start()
				id := a.ask("", models.AudienceAll)
				a.reaches(id, models.Finished)
				a.audit(id)
				if d := a.deliveries(id)[person]; d.State != test.state || d.Attempts != test.calls || calls != test.calls {
					t.Errorf("%d calls: %+v", calls, d)
				}
				var follows bool
				if err := a.db.QueryRowContext(t.Context(), "SELECT subscribed FROM recipients WHERE openid = ?", person).Scan(&follows); err != nil {
					t.Fatal(err)
				}
				if follows == test.left {
					t.Errorf("known as a follower: %t", follows)
				}
			})
		})
	}
}

func TestTheUnreachableAreMarkedAndLeftOutNextTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 200, Refusing: 20, Left: 10}})
		optedOut, gone := a.sim.Follower(0), a.sim.Follower(1)
		a.exec("UPDATE recipients SET opted_out = 1 WHERE openid = ?", optedOut)
		a.exec("UPDATE recipients SET subscribed = 0 WHERE openid = ?", gone)
		a.start()
		first := a.ask("", models.AudienceAll)
		a.reaches(first, models.Finished)
		a.audit(first)
		if c := a.counts(first); c.Failed != 30 || c.Accepted != 201-30-2 {
			t.Errorf("first: %+v", c)
		}
		for openID, d := range a.deliveries(first) {
			if d.State == models.FailedFor && d.Code != 43004 {
				t.Errorf("%s failed with %d", openID, d.Code)
			}
		}
		for _, openID := range []string{optedOut, gone} {
			if got, tries := a.sim.Ledger(openID); len(got) > 0 || tries > 0 {
				t.Errorf("%s asked to be left alone: received %d, tried %d times", openID, len(got), tries)
			}
		}

		second := a.ask("personal", models.AudienceAll)
		a.reaches(second, models.Finished)
		if b, c := a.broadcast(second), a.counts(second); b.Recipients != 169 || c.Accepted != 169 || c.Tried() != 169 {
			t.Errorf("second: %d recipients, %+v", b.Recipients, c)
		}
	})
}

// A machine before the platform names a wait that is longer than the platform
// may be asked again about a send: whoever it told so is not given up for it.
func TestALongWaitThatIsAskedForIsNotWaitedOut(t *testing.T) {
	t.Parallel()
	for _, seconds := range []string{"60", "3600", "86400"} {
		t.Run(seconds, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 50}})
				told := map[string]bool{}
				a.onSend(func(w http.ResponseWriter, openID string) bool {
					a.mu.Lock()
					defer a.mu.Unlock()
					if told[openID] || openID != a.sim.Follower(3) && openID != a.sim.Follower(30) {
						return false
					}
					told[openID] = true
					w.Header().Set("Retry-After", seconds)
					w.WriteHeader(http.StatusServiceUnavailable)
					return true
				})
				a.start()
				begun := time.Now()
				id := a.ask("", models.AudienceAll)
				a.reaches(id, models.Finished)
				a.audit(id)
				a.everyoneOnce()
				// If the very first call is answered so, all wait with that person.
				if took := time.Since(begun); took < time.Minute || took > 2*restAtMost+10*time.Second {
					t.Errorf("it took %s", took)
				}
				if c := a.counts(id); c.Accepted != 51 {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

func TestAPlatformThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(100)
		a.wire.down.Store(true)
		_ = loop.Sleep(t.Context(), 20*time.Second)
		a.wire.down.Store(false)
		a.finishes(id, 301)
	})
}

// A platform that answers nothing of use for a while, on whichever side of it the
// fault is, costs nobody the message and makes hardly anyone uncertain.
func TestAPlatformThatTalksNonsenseIsWaitedFor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		begin, end func(a *account)
		uncertain  int64
	}{
		"no token": {
			func(a *account) { a.wire.tokenless.Store(true); a.sim.RevokeTokens() },
			func(a *account) { a.wire.tokenless.Store(false) }, 0,
		},
		"bad gateway": {
			func(a *account) { a.faults(simulator.Faults{BadGateway: 1}) },
			func(a *account) { a.faults(simulator.Faults{}) }, 1,
		},
		"connections that are cut after acceptance": {
			func(a *account) { a.faults(simulator.Faults{CutAccepted: 1}) },
			func(a *account) { a.faults(simulator.Faults{}) }, 1,
		},
		"busy": {
			func(a *account) { a.faults(simulator.Faults{SystemError: 1}) },
			func(a *account) { a.faults(simulator.Faults{}) }, 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 100})
				a.start()
				id := a.ask("", models.AudienceAll)
				a.received(100)
				test.begin(a)
				_ = loop.Sleep(t.Context(), 25*time.Second)
				test.end(a)
				a.reaches(id, models.Finished)
				a.audit(id)
				if c := a.counts(id); c.Failed != 0 || c.Uncertain > test.uncertain {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}
