package broadcast_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/approval"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// desk takes approvals for the account.
func (a *account) desk() *approval.Desk {
	return &approval.Desk{Store: a.store, Admins: a.admins, Start: a.engine.StartOf, Wake: a.engine.Wake, Now: a.now, Log: modelstest.Log(a.t)}
}

// approving is an account whose broadcasts take approvals, with further admins who may
// send.
func approving(t *testing.T, set setup) (a *account, others []string) {
	t.Helper()
	set.Options.Followers = max(set.Options.Followers, 20)
	a = newAccount(t, set)
	for i := range 3 {
		others = append(others, a.sim.Follower(i+1))
		a.give(others[i], models.Sender)
		a.writes(others[i])
	}
	return a, others
}

// give gives a person a role; none takes it away.
func (a *account) give(openID string, role models.Role) {
	a.t.Helper()
	var err error
	if role == "" {
		_, err = a.admins.Remove(a.t.Context(), openID)
	} else {
		_, err = a.admins.Add(a.t.Context(), openID, role, admin)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// approve fails unless an admin may approve a broadcast, and it then has that state.
func (a *account) approve(id int64, by string, state models.BroadcastState) {
	a.t.Helper()
	done, err := a.desk().Approve(a.t.Context(), id, by)
	if err != nil || done.Broadcast.State != state {
		a.t.Fatalf("approved by %s: %+v, %v", models.MaskOpenID(by), done, err)
	}
}

// pass lets time pass. Of a long time the clock jumps over most.
func (a *account) pass(lasts time.Duration) {
	if jump := lasts - 10*time.Second; jump > 0 {
		a.ahead.Add(int64(jump))
		lasts -= jump
	}
	_ = loop.Sleep(a.t.Context(), lasts)
}

// nothingSent fails if somebody was sent a broadcast within a while.
func (a *account) nothingSent(lasts time.Duration) {
	a.t.Helper()
	a.pass(lasts)
	if n := a.calls(); n != 0 {
		a.t.Fatalf("%d sends before the approval", n)
	}
}

// A broadcast goes once enough other admins who may send now approved it, on each database.
func TestABroadcastWaitsForItsApprovals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, others := approving(t, setup{approvals: 2, undo: 5 * time.Second})
		a.start()
		id := a.ask("", models.AudienceAll)
		if b := a.broadcast(id); b.State != models.Pending || b.Approvals != 2 {
			t.Fatalf("asked for: %+v", b)
		}
		a.nothingSent(time.Hour)
		_, err := a.desk().Approve(t.Context(), id, admin)
		wantCode(t, err, models.ErrOwnApproval)
		_, err = a.desk().Reject(t.Context(), id, admin, "")
		wantCode(t, err, models.ErrOwnApproval)
		a.approve(id, others[0], models.Pending)
		a.approve(id, others[0], models.Pending) // twice counts once
		a.give(others[0], models.Editor)
		a.approve(id, others[1], models.Pending) // the first may not send any more
		a.nothingSent(time.Minute)
		a.approve(id, others[2], models.Scheduled)
		a.nothingSent(4 * time.Second)
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
		_, err = a.desk().Approve(t.Context(), id, others[1])
		wantCode(t, err, models.ErrNotPending)
	})
}

// What goes to the asker or the test list waits for nobody; all else does.
func TestWhatTakesApprovals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, others := approving(t, setup{approvals: 1})
		a.exec("UPDATE recipients SET tester = 1 WHERE id < 3")
		a.start()
		for _, to := range []models.Audience{models.AudienceMe, models.AudienceTest} {
			a.reaches(a.ask("", to), models.Finished)
		}
		a.faults(simulator.Faults{Latency: 2 * time.Millisecond})
		id := a.ask("", models.AudienceAll)
		_, err := a.request(broadcast.Request{Audience: models.AudienceAll})
		wantCode(t, err, models.ErrSameMessage) // it is on its way already
		_, err = a.askOf("", models.AudienceRest, id)
		wantCode(t, err, models.ErrWrongState)
		a.approve(id, others[0], models.Scheduled)
		a.reaches(id, models.Finished)
		if of := a.mustAskOf("personal", models.AudienceReached, id); of.Broadcast.State != models.Pending {
			t.Errorf("a correction is %s", of.Broadcast.State)
		}
	})
}

// Two who approve at the same moment start it once.
func TestTwoApproveAtOnce(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a, others := approving(t, setup{approvals: 1, driver: driver, overHTTP: true})
		a.start()
		id := a.ask("", models.AudienceAll)
		var at sync.WaitGroup
		var mu sync.Mutex
		done := 0
		for _, by := range others {
			at.Go(func() {
				_, err := a.desk().Approve(t.Context(), id, by)
				mu.Lock()
				defer mu.Unlock()
				var told *models.Error
				switch {
				case err == nil:
					done++
				case !errors.As(err, &told) || told.Code != models.ErrNotPending:
					t.Errorf("%v", err)
				}
			})
		}
		at.Wait()
		if done != 1 {
			t.Errorf("%d of three at once started it", done)
		}
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
	})
}

// An approval outlasts the process that took it, and so does the wait for one.
func TestApprovalsOverARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, others := approving(t, setup{approvals: 2, undo: 10 * time.Second})
		stop := a.start()
		id := a.ask("", models.AudienceAll)
		a.approve(id, others[0], models.Pending)
		stop()
		a.set.approvals = 0 // it keeps its number
		a.engine = a.newEngine()
		stop = a.start()
		a.nothingSent(time.Minute)
		a.approve(id, others[1], models.Scheduled)
		stop()
		a.engine = a.newEngine()
		a.start()
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
	})
}

// Who rejected it and why is told to who asked for it; nobody gets it.
func TestARejectedBroadcast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, others := approving(t, setup{approvals: 1})
		a.start()
		id := a.ask("", models.AudienceAll)
		if _, err := a.desk().Reject(t.Context(), id, others[0], "wrong date"); err != nil {
			t.Fatal(err)
		}
		b := a.reaches(id, models.Cancelled)
		if b.Reason != models.ReasonRejected || b.Detail != others[0]+" wrong date" {
			t.Errorf("%s %q", b.Reason, b.Detail)
		}
		_, err := a.desk().Approve(t.Context(), id, others[1])
		wantCode(t, err, models.ErrNotPending)
		a.nothingSent(time.Minute)
		a.wantTold(fmt.Sprintf("cancelled #%d rejected taken=0 failed=0 uncertain=0", id))
	})
}

// What waited for a day is cancelled, also by a process that began later.
func TestApprovalsThatDoNotCome(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a, others := approving(t, setup{approvals: 1})
			stop := a.start()
			id := a.ask("", models.AudienceAll)
			if restart {
				stop()
			}
			a.nothingSent(models.ApprovalWithin - time.Minute)
			if b := a.broadcast(id); b.State != models.Pending {
				t.Fatalf("before its time: %s", b.State)
			}
			a.pass(time.Minute)
			_, err := a.desk().Approve(t.Context(), id, others[0])
			wantCode(t, err, models.ErrNotPending)
			if restart {
				a.engine = a.newEngine()
				a.start()
			}
			b := a.reaches(id, models.Cancelled)
			if b.Reason != models.ReasonExpired {
				t.Errorf("cancelled: %s", b.Reason)
			}
			a.letNoticesIn() // two days may have passed since the last word
			a.nothingSent(2 * time.Minute)
			if got := a.told(); len(got) != 1 || !strings.HasPrefix(got[0], "cancelled #1 expired") {
				t.Errorf("told: %q", got)
			}
		})
	}
}

// Those who may approve are told of it once, by a message or with their next word, and who
// asked is told that it was approved.
func TestApproversAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, others := approving(t, setup{approvals: 1, undo: time.Minute})
		silent := a.sim.Follower(7)
		a.give(silent, models.Sender) // never wrote, so no message to them is taken
		stop := a.start()
		id := a.ask("", models.AudienceAll)
		_ = loop.Sleep(t.Context(), 10*time.Second)
		stop()
		a.engine = a.newEngine()
		a.start()
		_ = loop.Sleep(t.Context(), 10*time.Second)
		for _, openID := range others {
			a.wantToldTo(openID, "pending #1…")
		}
		a.wantTold()
		kept, err := a.store.KeptNotices(t.Context(), silent, "m:1", 10)
		if err != nil || len(kept) != 1 || kept[0].ID != id {
			t.Errorf("kept: %+v, %v", kept, err)
		}
		a.approve(id, others[0], models.Scheduled)
		_ = loop.Sleep(t.Context(), 10*time.Second)
		a.wantTold("approved #1  taken=0 failed=0 uncertain=0")
		a.reaches(id, models.Finished)
		a.pass(2 * time.Minute)
		if got := a.told(); len(got) != 2 || !strings.HasPrefix(got[1], "finished #1") {
			t.Errorf("told: %q", got)
		}
		for _, openID := range others {
			a.wantToldTo(openID, "pending #1…")
		}
	})
}

// A planned one starts at its time; approved late it starts at once, or too late not by
// itself.
func TestAnApprovalAndAPlannedStart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		approved time.Duration // after it was asked for; it is planned for two hours after
		state    models.BroadcastState
		after    time.Duration // of the start
	}{
		{"before its time", time.Hour, models.Finished, 2 * time.Hour},
		{"half an hour late", 150 * time.Minute, models.Finished, 150*time.Minute + 10*time.Second},
		{"two hours late", 4 * time.Hour, models.Paused, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, others := approving(t, setup{approvals: 1, undo: 10 * time.Second})
				a.start()
				asked := a.now()
				id := a.plan(models.AudienceAll, asked.Add(2*time.Hour))
				a.nothingSent(tt.approved)
				a.approve(id, others[0], models.Scheduled)
				b := a.reaches(id, tt.state)
				if tt.state == models.Paused {
					if b.Reason != models.ReasonMissed || a.calls() > 0 {
						t.Errorf("paused for %q, %d calls", b.Reason, a.calls())
					}
					a.isApprovedLate(id)
					return
				}
				if late := b.StartedAt.Sub(asked.Add(tt.after)); late < -time.Millisecond || late > 2*time.Second {
					t.Errorf("started %s after the time that it should", late)
				}
				a.everyoneOnce()
			})
		})
	}
}

// isApprovedLate checks that a broadcast goes on by no resume, and waits for approvals again
// with another time.
func (a *account) isApprovedLate(id int64) {
	a.t.Helper()
	_, err := a.engine.Resume(a.t.Context(), id, admin)
	wantCode(a.t, err, models.ErrApprovalLate)
	_, err = a.engine.ResumeNow(a.t.Context(), id, admin)
	wantCode(a.t, err, models.ErrApprovalLate)
	calls := a.calls()
	time.Sleep(time.Minute)
	if a.calls() > calls {
		a.t.Error("it was sent to somebody")
	}
	b, err := a.engine.Reschedule(a.t.Context(), id, a.now().Add(time.Hour), admin)
	if err != nil || b.State != models.Pending {
		a.t.Errorf("another time: %+v, %v", b, err)
	}
}

// An approval is for one time: who pauses a broadcast until long after it does not choose
// another so. One that began goes on whenever an admin says so.
func TestAnApprovedBroadcastThatIsResumedLate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		rests time.Duration // from its time on
		begun bool
	}{
		{name: "before its time", rests: -time.Minute},
		{name: "within the hour", rests: 58 * time.Minute},
		{name: "after the hour", rests: 62 * time.Minute},
		{name: "after it began", rests: 62 * time.Minute, begun: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, others := approving(t, setup{approvals: 1, undo: 10 * time.Second, rate: 10})
				a.start()
				at := a.now().Add(10 * time.Minute)
				id := a.plan(models.AudienceAll, at)
				a.approve(id, others[0], models.Scheduled)
				if tt.begun {
					time.Sleep(time.Until(at))
					a.received(2)
				}
				a.pause(id)
				a.ahead.Store(int64(time.Until(at.Add(tt.rests))))
				if tt.rests > models.StartsWithin && !tt.begun {
					a.isApprovedLate(id)
					return
				}
				if _, err := a.engine.Resume(t.Context(), id, admin); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute)
				a.reaches(id, models.Finished)
				a.everyoneOnce()
			})
		})
	}
}

// An approval is for one time: another one takes all approvals again.
func TestAnotherTimeTakesApprovalsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, others := approving(t, setup{approvals: 2, undo: 10 * time.Second})
		a.start()
		id := a.plan(models.AudienceAll, a.now().Add(40*time.Hour))
		a.approve(id, others[0], models.Pending)
		a.approve(id, others[1], models.Scheduled)
		a.pass(30 * time.Hour)
		b, err := a.engine.Reschedule(t.Context(), id, a.now().Add(20*time.Hour), admin)
		if err != nil || b.State != models.Pending {
			t.Fatalf("another time: %+v, %v", b, err)
		}
		a.nothingSent(15 * time.Hour) // longer than a day after it was asked for
		a.approve(id, others[0], models.Pending)
		a.approve(id, others[2], models.Scheduled)
		a.pass(6 * time.Hour)
		a.reaches(id, models.Finished)
		a.everyoneOnce()
	})
}

// A pause, and going on, take no further approval; a cancel and a panic word do what they
// say.
func TestCommandsOnWhatTakesApprovals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, others := approving(t, setup{approvals: 1, undo: 10 * time.Second})
		a.start()
		id := a.ask("", models.AudienceAll)
		_, err := a.engine.Pause(t.Context(), id, admin)
		wantCode(t, err, models.ErrWrongState)
		halted, err := a.engine.PauseAll(t.Context(), admin)
		if err != nil || len(halted.Paused) > 0 || len(halted.Pending) != 1 || halted.Pending[0].ID != id {
			t.Fatalf("a panic word: %+v, %v", halted, err)
		}
		a.cancel(0) // the latest that has not ended
		if b := a.broadcast(id); b.State != models.Cancelled || b.Reason != models.ReasonAdmin {
			t.Fatalf("cancelled: %+v", b)
		}
		id = a.ask("", models.AudienceAll)
		a.approve(id, others[0], models.Scheduled)
		a.pause(id)
		a.nothingSent(time.Minute)
		a.resume(id)
		a.reaches(id, models.Finished)
		a.everyoneOnce()
	})
}

// While the account is at stake nothing is approved.
func TestNothingIsApprovedWhileTheAccountIsAtStake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, others := approving(t, setup{approvals: 1})
		a.start()
		first := a.ask("", models.AudienceAll)
		second := a.ask("personal", models.AudienceAll)
		a.refuseAfter(1, 48004)
		a.approve(first, others[0], models.Scheduled)
		a.reaches(first, models.Paused)
		_, err := a.desk().Approve(t.Context(), second, others[0])
		wantCode(t, err, models.ErrHalted)
		if b := a.broadcast(second); b.State != models.Pending {
			t.Errorf("it is %s", b.State)
		}
	})
}

// The very same content must have gone to the asker or the test list within a day.
func TestABroadcastTakesATest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}, requireTest: true})
		a.exec("UPDATE recipients SET tester = 1 WHERE id < 3")
		a.start()
		refused := func(what string, q broadcast.Request) {
			t.Helper()
			created, err := a.request(q)
			var told *models.Error
			if !errors.As(err, &told) || told.Code != models.ErrUntested {
				t.Errorf("%s: %+v, %v", what, created, err)
			}
		}
		all := broadcast.Request{Audience: models.AudienceAll}
		refused("never tested", all)
		all.Again = true
		refused("again", all)
		all.Again = false
		a.reaches(a.ask("personal", models.AudienceTest), models.Finished)
		refused("other content tested", all)
		a.refuseAfter(1, 43004)
		a.reaches(a.ask("", models.AudienceMe), models.Finished)
		refused("nobody got the test", all)
		a.onSend(func(http.ResponseWriter, string) bool { return false })
		a.reaches(a.ask("", models.AudienceTest), models.Finished)
		a.pass(25 * time.Hour)
		refused("tested yesterday", all)
		a.reaches(a.ask("", models.AudienceMe), models.Finished)
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		refused("a correction that was tested yesterday", broadcast.Request{Audience: models.AudienceReached, Of: id, Message: "personal"})
		a.pass(25 * time.Hour)
		refused("the same a day after its test", broadcast.Request{Audience: models.AudienceReached, Of: id, Again: true})
	})
}

// The admins in a request's answer are those who could approve it.
func TestTheAnswerNamesWhoMayApprove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, others := approving(t, setup{approvals: 4})
		asked, err := a.request(broadcast.Request{Audience: models.AudienceAll})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(others)
		if !slices.Equal(asked.Approvers, others) {
			t.Errorf("%q, want %q", asked.Approvers, others)
		}
	})
}
