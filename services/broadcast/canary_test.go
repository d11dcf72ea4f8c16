package broadcast_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/canary"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/planning"
	"wechat-broadcast/simulator"
)

// askCanary asks for a broadcast that tries a few first.
func (a *account) askCanary(q broadcast.Request) models.Broadcast {
	a.t.Helper()
	q.Canary = true
	if q.Audience == "" {
		q.Audience = models.AudienceAll
	}
	asked, err := a.request(q)
	if err != nil {
		a.t.Fatal(err)
	}
	return asked.Broadcast
}

// awaitsWord waits until a broadcast is paused after its canary, and fails unless so many
// were tried by then.
func (a *account) awaitsWord(id, tried int64) {
	a.t.Helper()
	b := a.reaches(id, models.Paused)
	if b.Reason != models.ReasonCanary || b.CanaryAt.IsZero() || !b.ResumeAt.IsZero() || !b.PlannedAt.IsZero() {
		a.t.Fatalf("paused: %+v", b)
	}
	if c := a.counts(id); c.Tried() != tried {
		a.t.Fatalf("%+v were tried, want %d", c, tried)
	}
}

// got returns the row numbers of those who received something, in order.
func (a *account) got() (ids []int64) {
	a.t.Helper()
	for _, c := range a.sim.Received(1, -1, 100_000) {
		ids = append(ids, a.recipient(c.OpenID))
	}
	slices.Sort(ids)
	return ids
}

// quiet fails if a send is made within a while.
func (a *account) quiet(lasts time.Duration) {
	a.t.Helper()
	calls := a.calls()
	_ = loop.Sleep(a.t.Context(), lasts)
	if more := a.calls() - calls; more > 0 {
		a.t.Fatalf("%d sends before an admin's word", more)
	}
}

// As many as wanted are tried, from all over the audience. Nobody else is sent to before
// an admin resumes it, and everyone gets it once.
func TestACanaryIsSpreadOutAndWaitsForAnAdmin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ followers, canary int }{
		"a few":             {500, 7},
		"one":               {500, 1},
		"all but one":       {60, 60},
		"in several groups": {2000, 1100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{canary: int64(test.canary), Options: simulator.Options{Followers: test.followers}})
				a.start()
				b := a.askCanary(broadcast.Request{})
				if b.Canary != int64(test.canary) {
					t.Errorf("%d are said to be tried", b.Canary)
				}
				a.awaitsWord(b.ID, b.Canary)
				got := a.got()
				if len(got) != test.canary {
					t.Fatalf("%d received it", len(got))
				}
				part := int64(test.followers+1) / int64(test.canary)
				for i, id := range append(slices.Clone(got), int64(test.followers)+2)[1:] {
					if gap := id - got[i]; gap > 2*part+2 {
						t.Errorf("nobody between %d and %d of %d was tried", got[i], id, test.followers)
					}
				}
				if n := a.broadcast(b.ID).Recipients; n != int64(test.followers)+1 {
					t.Errorf("%d recipients", n)
				}
				a.quiet(10 * time.Minute)
				a.resume(b.ID)
				a.finishes(b.ID, int64(test.followers)+1)
				if end := a.broadcast(b.ID); end.Recipients != int64(test.followers)+1 || end.Withdrawn() != 0 {
					t.Errorf("%+v", end)
				}
			})
		})
	}
}

// The pause comes once the receipts are in, or a minute after the last send.
func TestACanaryWaitsForItsReceipts(t *testing.T) {
	t.Parallel()
	for name, missing := range map[string]int{"all come": 0, "one does not": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{canary: 20, Options: simulator.Options{Followers: 300}})
				a.start()
				id := a.askCanary(broadcast.Request{}).ID
				a.received(20)
				_ = loop.Sleep(t.Context(), 30*time.Second)
				if b := a.broadcast(id); b.State != models.Running {
					t.Fatalf("%s before the receipts are in", b.State)
				}
				for _, c := range a.sim.Received(1, -1, 20)[missing:] {
					a.receipt(c.OpenID, "success")
				}
				_ = loop.Sleep(t.Context(), 3*time.Second)
				if b := a.broadcast(id); (b.State == models.Paused) != (missing == 0) {
					t.Errorf("%s with %d receipts missing", b.State, missing)
				}
				_ = loop.Sleep(t.Context(), 30*time.Second)
				a.awaitsWord(id, 20)
				want := fmt.Sprintf("paused #%d canary taken=20 failed=0 uncertain=0", id)
				a.until("the admin being told", func() bool { return slices.Contains(a.told(), want) })
				if n := len(a.told()); n != 1 {
					t.Errorf("told %q", a.told())
				}
			})
		})
	}
}

// Whatever happens to some of a canary's recipients, it pauses once the others were tried.
// Those who were put off are tried after the resume.
func TestWhatHappensToACanarysRecipients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{canary: 20, Options: simulator.Options{Followers: 300}})
		var refused []string // in the order of their sends
		a.onSend(func(w http.ResponseWriter, openID string) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			again := slices.Contains(refused, openID)
			if !again && len(refused) < 6 {
				refused = append(refused, openID)
			}
			switch i := slices.Index(refused, openID); {
			case i < 0 || again && i < 4: // whoever was put off is let through
				return false
			case i < 4:
				answer(w, 43117)
			default:
				answer(w, 43101)
			}
			return true
		})
		a.start()
		id := a.askCanary(broadcast.Request{}).ID
		a.awaitsWord(id, 20)
		if c := a.counts(id); c.Deferred != 4 || c.Failed != 2 || c.Accepted != 14 {
			t.Errorf("%+v", c)
		}
		a.quiet(5 * time.Minute)
		a.resume(id)
		a.reaches(id, models.Finished)
		a.audit(id)
		if c := a.counts(id); c.Accepted != 299 || c.Failed != 2 || c.Tried() != 301 {
			t.Errorf("at the end: %+v", c)
		}
		if twice := a.sim.Received(2, -1, 5); len(twice) > 0 {
			t.Errorf("received twice: %v", twice)
		}
	})
}

// A canary that an admin, a panic word, the quota or the platform stops goes on with itself
// after that, and still pauses at its end.
func TestACanaryThatIsStoppedPausesAtItsEndAllTheSame(t *testing.T) {
	t.Parallel()
	faults := simulator.Faults{Latency: 20 * time.Millisecond}
	for name, stop := range map[string]func(a *account, id int64) (goesOn bool){
		"an admin": func(a *account, id int64) bool { a.pause(id); return false },
		"a panic word": func(a *account, _ int64) bool {
			if _, err := a.engine.PauseAll(a.t.Context(), admin); err != nil {
				a.t.Fatal(err)
			}
			return false
		},
		"the quota": func(a *account, id int64) bool {
			a.faults(simulator.Faults{Latency: 20 * time.Millisecond, Codes: map[int]float64{45009: 1}})
			a.reaches(id, models.Paused)
			a.faults(faults)
			a.ahead.Store(int64(17 * time.Hour)) // the quota is reset at midnight
			return true
		},
		"the platform": func(a *account, id int64) bool {
			a.faults(simulator.Faults{Latency: 20 * time.Millisecond, Codes: map[int]float64{40249: 1}})
			if b := a.reaches(id, models.Paused); b.Reason != models.ReasonAccount {
				a.t.Errorf("paused for %s", b.Reason)
			}
			a.faults(faults)
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{rate: 20, canary: 60, Options: simulator.Options{Followers: 300, Faults: faults}})
				a.start()
				id := a.askCanary(broadcast.Request{}).ID
				a.received(20)
				if goesOn := stop(a, id); !goesOn {
					a.quiet(2 * time.Minute)
					if b := a.broadcast(id); b.State != models.Paused || !b.CanaryAt.IsZero() {
						t.Fatalf("%+v", b)
					}
					a.resume(id)
				}
				a.until("the canary's end", func() bool { return a.broadcast(id).Reason == models.ReasonCanary })
				a.awaitsWord(id, 60)
				a.quiet(2 * time.Minute)
				a.resume(id)
				a.reaches(id, models.Finished)
				a.audit(id)
				if c := a.counts(id); c.Tried() != 301 {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

// At whatever step the program ends, the next one goes on there: nobody but the canary is
// sent to before the resume, and everyone once at the end.
func TestARestartAtEachStepOfACanary(t *testing.T) {
	t.Parallel()
	const people, few = 2501, 1100
	for name, step := range map[string]func(a *account, b *models.Broadcast, c *canary.Chooser){
		"frozen": func(*account, *models.Broadcast, *canary.Chooser) {},
		"chosen": func(a *account, b *models.Broadcast, c *canary.Chooser) { a.choose(b, c) },
		"one batch cut": func(a *account, b *models.Broadcast, c *canary.Chooser) {
			a.choose(b, c)
			ids, err := a.store.CanaryIDs(a.t.Context(), b, 0, planning.BatchSize)
			if err == nil {
				err = a.store.AddBatches(a.t.Context(), planning.Cut(models.Batch{BroadcastID: b.ID, SegmentID: b.CanarySegment}, ids))
			}
			if err != nil {
				a.t.Fatal(err)
			}
		},
		"in the middle": func(a *account, _ *models.Broadcast, _ *canary.Chooser) {
			stop := a.start()
			a.received(few / 2)
			stop()
		},
		"while it waits": func(a *account, _ *models.Broadcast, _ *canary.Chooser) {
			stop := a.start()
			a.received(few)
			_ = loop.Sleep(a.t.Context(), 20*time.Second)
			stop()
		},
		"paused": func(a *account, b *models.Broadcast, _ *canary.Chooser) {
			stop := a.start()
			a.awaitsWord(b.ID, few)
			stop()
		},
	} {
		for _, later := range []string{"", "restarted after the resume"} {
			t.Run(name+later, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := newAccount(t, setup{canary: few, Options: simulator.Options{Followers: people - 1}})
					b := a.askCanary(broadcast.Request{})
					a.mustMove(b.ID, models.EventDue)
					if err := a.store.FreezeAudience(t.Context(), &b); err != nil {
						t.Fatal(err)
					}
					step(a, &b, &canary.Chooser{Store: a.store, Share: canary.Share{Number: few}, Now: a.now, Log: modelstest.Log(t)})
					a.engine = a.newEngine()
					stop := a.start()
					a.awaitsWord(b.ID, few)
					if n := len(a.got()); n != few {
						t.Fatalf("%d received it", n)
					}
					a.quiet(3 * time.Minute)
					a.resume(b.ID)
					if later != "" {
						a.received(few + 300)
						stop()
						a.engine = a.newEngine()
						a.start()
					}
					a.finishes(b.ID, people)
				})
			})
		}
	}
}

func (a *account) choose(b *models.Broadcast, c *canary.Chooser) {
	a.t.Helper()
	if err := c.Choose(a.t.Context(), b); err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) mustMove(id int64, on models.Event) {
	a.t.Helper()
	moved, err := a.store.MoveBroadcast(a.t.Context(), id, models.Move{Event: on}, a.now())
	if err != nil || !moved {
		a.t.Fatalf("%s: moved %t, %v", on, moved, err)
	}
}

// With nobody to wait for, a broadcast that was to try some first is an ordinary one.
func TestAnAudienceThatIsNoLargerThanItsCanary(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{canary: 50, Options: simulator.Options{Followers: 49}})
		a.start()
		b := a.askCanary(broadcast.Request{})
		if b.Canary != models.CanaryAsSet {
			t.Errorf("%d are said to be tried", b.Canary)
		}
		a.finishes(b.ID, 50)
		if end := a.broadcast(b.ID); end.Canary != 0 || !end.CanaryAt.IsZero() {
			t.Errorf("%+v", end)
		}
	})
}

// The admin alone and the test list are no audience of which a part could be tried.
func TestThereIsNoCanaryOfATest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{canary: 1, Options: simulator.Options{Followers: 9}})
		a.exec("UPDATE recipients SET tester = 1")
		a.start()
		for _, to := range []models.Audience{models.AudienceMe, models.AudienceTest} {
			_, err := a.request(broadcast.Request{Audience: to, Canary: true})
			wantCode(t, err, models.ErrCanaryAudience)
		}
		_, err := a.request(broadcast.Request{Audience: models.AudienceTest, Message: "none", Canary: true})
		if err == nil || !strings.Contains(err.Error(), "message unknown") || !strings.Contains(err.Error(), "canary audience") {
			t.Errorf("two faults: %v", err)
		}
		a.quiet(time.Minute)
	})
}

// What is for some recipients of an earlier broadcast can try a few of them first. The
// rest of one that is paused after its canary leaves out those who were tried.
func TestCanariesOfARestARetryAndACorrection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{canary: 10, Options: simulator.Options{Followers: 99}})
		failing := map[string]bool{}
		for i := range 30 {
			failing[a.sim.Follower(i)] = true
		}
		a.onSend(func(w http.ResponseWriter, openID string) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			if failing[openID] {
				answer(w, 43101)
			}
			return failing[openID]
		})
		a.start()
		first := a.askCanary(broadcast.Request{}).ID
		a.awaitsWord(first, 10)

		rest := a.askCanary(broadcast.Request{Audience: models.AudienceRest, Of: first})
		a.awaitsWord(rest.ID, 10)
		if b := a.broadcast(first); b.State != models.Cancelled {
			t.Errorf("the first is %s", b.State)
		}
		a.resume(rest.ID)
		a.reaches(rest.ID, models.Finished)
		if n := a.counts(rest.ID).Tried(); n != 90 {
			t.Errorf("%d in the rest", n)
		}
		failed := a.counts(rest.ID).Failed
		a.mu.Lock()
		clear(failing)
		a.mu.Unlock()

		retry := a.askCanary(broadcast.Request{Audience: models.AudienceRetry, Of: rest.ID})
		a.awaitsWord(retry.ID, 10)
		a.resume(retry.ID)
		a.reaches(retry.ID, models.Finished)
		if c := a.counts(retry.ID); c.Tried() != failed || c.Accepted != failed {
			t.Errorf("%d failed, the retry: %+v", failed, c)
		}
		if twice := a.sim.Received(2, -1, 5); len(twice) > 0 {
			t.Errorf("received twice: %v", twice)
		}

		reached := a.counts(rest.ID).Accepted
		correction := a.askCanary(broadcast.Request{Audience: models.AudienceReached, Of: rest.ID, Message: "personal"})
		a.awaitsWord(correction.ID, 10)
		a.resume(correction.ID)
		a.reaches(correction.ID, models.Finished)
		if c := a.counts(correction.ID); c.Accepted != reached {
			t.Errorf("%d reached, the correction: %+v", reached, c)
		}
	})
}

// An ordinary rest of a broadcast that is paused after its canary is an admin's word, too.
func TestTheRestOfACanary(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{canary: 10, Options: simulator.Options{Followers: 99}})
		a.start()
		first := a.askCanary(broadcast.Request{}).ID
		a.awaitsWord(first, 10)
		rest := a.mustAskOf("", models.AudienceRest, first)
		if rest.Recipients != 90 || rest.Instead != first {
			t.Errorf("%d in the rest, instead of %d", rest.Recipients, rest.Instead)
		}
		a.reaches(rest.Broadcast.ID, models.Finished)
		a.everyoneOnce()
	})
}

// A canary with a planned start tells the admin that it started, and then that it waits.
func TestACanaryWithAPlannedStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{rate: 5, canary: 20, Options: simulator.Options{Followers: 99}})
		a.start()
		b := a.askCanary(broadcast.Request{At: time.Now().Add(10 * time.Minute)})
		a.quiet(9 * time.Minute)
		a.awaitsWord(b.ID, 20)
		_, err := a.engine.Reschedule(t.Context(), b.ID, time.Now().Add(time.Hour), admin)
		wantCode(t, err, models.ErrBegun)
		a.quiet(15 * time.Minute)
		a.resume(b.ID)
		a.finishes(b.ID, 100)
		a.until("the admin being told", func() bool { return len(a.told()) == 3 })
		for i, begins := range []string{"started", "paused", "finished"} {
			if told := a.told()[i]; !strings.HasPrefix(told, fmt.Sprintf("%s #%d", begins, b.ID)) {
				t.Errorf("told %q", told)
			}
		}
	})
}

// The status of a canary says why some failed and what the platform intercepted, and gives
// the time left until the canary's end.
func TestTheStatusOfACanary(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{rate: 5, canary: 40, Options: simulator.Options{Followers: 3000}})
		refused := ""
		a.onSend(func(w http.ResponseWriter, openID string) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			if refused == "" {
				refused = openID
			}
			if refused == openID {
				answer(w, 43101)
			}
			return refused == openID
		})
		a.sim.Intercept("ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY", simulator.Intercepting{Every: 13})
		a.start()
		id := a.askCanary(broadcast.Request{}).ID
		a.received(25)
		st, err := a.engine.Status(t.Context(), id)
		if err != nil || st.Left == 0 || st.Left > 10*time.Second {
			t.Errorf("%s left, %v", st.Left, err)
		}
		a.awaitsWord(id, 40)
		st, err = a.engine.Status(t.Context(), id)
		if err != nil || st.Broadcast.Intercepted != 3 {
			t.Errorf("intercepted: %d, %v", st.Broadcast.Intercepted, err)
		}
		if len(st.Failures) != 1 || st.Failures[0].ErrCode != 43101 || st.Failures[0].N != 1 {
			t.Errorf("%+v", st.Failures)
		}
	})
}
