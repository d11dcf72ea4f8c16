package broadcast_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// following are those who follow, as far as the database knows.
func (a *account) following() (all []string) {
	a.t.Helper()
	rows, err := a.db.QueryContext(context.Background(), "SELECT openid FROM recipients WHERE subscribed = 1")
	if err != nil {
		a.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var openID string
		if err := rows.Scan(&openID); err != nil {
			a.t.Fatal(err)
		}
		all = append(all, openID)
	}
	if err := rows.Err(); err != nil {
		a.t.Fatal(err)
	}
	return all
}

// A platform that calls everybody gone is not believed: the broadcast pauses,
// and the follower list and the test list are as before.
func TestGoneForEverybodyPausesAndMarksNobody(t *testing.T) {
	t.Parallel()
	for code, name := range map[int]string{43004: "require subscribe", 50005: "user is unsubscribed", 40003: "invalid openid"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 300}})
				a.exec("UPDATE recipients SET tester = 1 WHERE id <= 5")
				var sick atomic.Bool
				var calls atomic.Int64
				sick.Store(true)
				a.onSend(func(w http.ResponseWriter, _ string) bool {
					if sick.Load() {
						calls.Add(1)
						_ = loop.Sleep(t.Context(), 40*time.Millisecond)
						answer(w, code)
					}
					return sick.Load()
				})
				if code == 40003 { // which alone is not believed: user/info says the same
					for _, openID := range a.people()[:300] {
						_ = a.sim.Unfollow(t.Context(), openID)
					}
				}
				a.start()
				id := a.ask("", models.AudienceAll)
				b := a.reaches(id, models.Paused)
				if b.Reason != models.ReasonGone || !b.ResumeAt.IsZero() {
					t.Errorf("paused: %q until %s", b.Reason, b.ResumeAt)
				}
				a.until("the notice", func() bool { return len(a.told()) > 0 })
				if told := a.told(); len(told) != 1 || !strings.HasPrefix(told[0], "paused #1 gone ") {
					t.Errorf("told %q", told)
				}
				if n := calls.Load(); n < goneStreak || n > goneStreak+16 {
					t.Errorf("%d calls: want none after those in flight at the 20th", n)
				}
				if n := len(a.following()); n != 301 {
					t.Errorf("%d follow, want all 301", n)
				}
				if n, err := a.store.CountAudience(t.Context(), &models.Broadcast{Audience: models.AudienceTest}); n != 5 || err != nil {
					t.Errorf("%d on the test list can be sent to, %v, want 5", n, err)
				}
				if code == 40003 {
					return
				}
				sick.Store(false)
				a.resume(id)
				a.reaches(id, models.Finished)
				a.audit(id)
				failed := a.counts(id).Failed
				if failed < goneStreak || failed > goneStreak+16 {
					t.Errorf("%d failed, want those of the streak", failed)
				}
				again, err := a.engine.Create(t.Context(), broadcast.Request{Audience: models.AudienceRetry, Of: id, AskedBy: admin, RequestKey: "retry"})
				if err != nil || again.Recipients != failed {
					t.Fatalf("retry: %+v, %v, want %d recipients", again, err, failed)
				}
				a.reaches(again.Broadcast.ID, models.Finished)
				a.everyoneOnce()
				if n := len(a.following()); n != 301 {
					t.Errorf("%d follow, want all 301", n)
				}
			})
		})
	}
}

// Answers that were on their way when the platform failed prove nothing of the
// refusals that overtake them.
func TestAcceptedBeforeTheFaultProvesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}})
		var calls atomic.Int64
		a.onSend(func(w http.ResponseWriter, _ string) bool {
			if n := calls.Add(1); n <= 10 {
				_ = loop.Sleep(t.Context(), time.Duration(n)*10*time.Millisecond)
				return false
			}
			answer(w, 43004)
			return true
		})
		a.start()
		b := a.reaches(a.ask("", models.AudienceAll), models.Paused)
		if b.Reason != models.ReasonGone {
			t.Errorf("paused: %q", b.Reason)
		}
		a.received(10)
		if n := len(a.following()); n != 301 {
			t.Errorf("%d follow, want all 301", n)
		}
	})
}

// Those who truly left are marked, in the middle of a broadcast and at its end.
func TestWhoLeftIsMarkedAmongThoseWhoDidNot(t *testing.T) {
	t.Parallel()
	for name, leaves := range map[string]func(i int) bool{
		"here and there": func(i int) bool { return i%3 == 0 },
		"at the end":     func(i int) bool { return i >= 100-goneStreak+2 },
		"in rows":        func(i int) bool { return i%20 > 3 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 100}, rate: 25})
				a.exec("UPDATE recipients SET tester = 1")
				stay := []string{admin}
				for i := range 100 {
					openID := a.sim.Follower(i)
					if !leaves(i) {
						stay = append(stay, openID)
					} else if err := a.sim.Unfollow(t.Context(), openID); err != nil {
						t.Fatal(err)
					}
				}
				a.start()
				id := a.ask("", models.AudienceAll)
				a.reaches(id, models.Finished)
				a.audit(id)
				slices.Sort(stay)
				got := a.following()
				slices.Sort(got)
				if !slices.Equal(got, stay) {
					t.Errorf("%d follow, want the %d who stayed", len(got), len(stay))
				}
				// The test list is the admin's: it names them all, also who left.
				if testers, err := a.store.Testers(t.Context()); len(testers) != 101 || err != nil {
					t.Errorf("%d testers, %v, want 101", len(testers), err)
				}
			})
		})
	}
}

// Who comes back between the refusal and the acceptance after it follows.
func TestWhoComesBackMeanwhileIsNotMarked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 10}, rate: 1})
		gone := a.sim.Follower(0)
		a.onSend(func(w http.ResponseWriter, openID string) bool {
			switch {
			case openID == gone:
				answer(w, 43004)
				return true
			default:
				_ = loop.Sleep(t.Context(), 5*time.Second)
				err := a.store.ChangeRecipient(t.Context(), gone, func(r *models.Recipient) {
					r.Subscribed, r.UpdatedAt = true, models.At(time.Now())
				})
				if err != nil {
					t.Error(err)
				}
				return false
			}
		})
		a.start()
		a.reaches(a.ask("", models.AudienceAll), models.Finished)
		if !slices.Contains(a.following(), gone) {
			t.Error("one who came back is marked as having left")
		}
	})
}

// Each replica counts for itself; the first with a streak pauses the broadcast
// for all, and none marks anybody.
func TestReplicasMarkNobodyForAStreak(t *testing.T) {
	t.Parallel()
	a, engines := replicas(t, setup{Options: simulator.Options{Followers: 3000, Faults: simulator.Faults{
		Latency: 10 * time.Millisecond, Codes: map[int]float64{43004: 1},
	}}}, 2)
	for _, e := range engines {
		a.run(e)
	}
	b := a.reaches(a.ask("", models.AudienceAll), models.Paused)
	if b.Reason != models.ReasonGone {
		t.Errorf("paused: %q", b.Reason)
	}
	if n := len(a.following()); n != 3001 {
		t.Errorf("%d follow, want all 3,001", n)
	}
}

// The last ones of a broadcast, with no acceptance after them, are marked by the
// replica that sent to them.
func TestReplicasMarkWhoLeftLast(t *testing.T) {
	t.Parallel()
	a, engines := replicas(t, setup{Options: simulator.Options{Followers: 1200}}, 2)
	gone := []string{a.sim.Follower(3), a.sim.Follower(1198), a.sim.Follower(1199)}
	for _, openID := range gone {
		if err := a.sim.Unfollow(t.Context(), openID); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range engines {
		a.run(e)
	}
	a.reaches(a.ask("", models.AudienceAll), models.Finished)
	a.until("the marking", func() bool { return len(a.following()) == 1201-len(gone) })
}
