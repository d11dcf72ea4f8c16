package broadcast_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// told are the notices that reached the admin.
func (a *account) told() []string {
	var texts []string
	for _, n := range a.sim.Notices(admin) {
		texts = append(texts, n.Text)
	}
	return texts
}

func (a *account) wantTold(want ...string) {
	a.t.Helper()
	if diff := cmp.Diff(want, a.told()); diff != "" {
		a.t.Errorf("the admin was told (-want +got):\n%s", diff)
	}
}

func TestTheAdminIsToldOfTheEndOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 50, Refusing: 5}})
		stop := a.start()
		a.reaches(a.ask("", models.AudienceAll), models.Finished)
		a.everyoneReports()
		_ = loop.Sleep(t.Context(), 10*time.Second)
		a.wantTold("finished #1  taken=46 failed=5 uncertain=0")
		stop()
		a.run(a.newEngine())
		_ = loop.Sleep(t.Context(), 2*time.Minute)
		a.wantTold("finished #1  taken=46 failed=5 uncertain=0")
	})
}

func TestTheAdminIsToldOfEachPauseThatTheBroadcastMakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 50}})
		calls := 0
		a.onSend(func(w http.ResponseWriter, _ string) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			calls++
			if calls == 10 || calls == 30 {
				answer(w, 48004)
				return true
			}
			return false
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		for n := 1; n <= 2; n++ {
			a.reaches(id, models.Paused)
			_ = loop.Sleep(t.Context(), 10*time.Second)
			if got := a.told(); len(got) != n || !strings.HasPrefix(got[n-1], "paused #1 account") {
				t.Errorf("pause %d: %q", n, got)
			}
			a.resume(id)
		}
		a.reaches(id, models.Finished)
		_ = loop.Sleep(t.Context(), receiptsLate)
		if got := a.told(); len(got) != 3 || got[2] != "finished #1  taken=51 failed=0 uncertain=0" {
			t.Errorf("%q", got)
		}
	})
}

// A quota that is still gone after its reset is asked for every few minutes;
// the admin hears of the pause once.
func TestTheAdminIsToldOnceOfAQuotaThatIsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		beforeMidnight()
		a := newAccount(t, setup{Options: simulator.Options{Followers: 50}})
		from := time.Now()
		a.onSend(func(w http.ResponseWriter, _ string) bool {
			used := a.now().Sub(from) < 5*time.Minute
			if used {
				answer(w, 45009)
			}
			return used
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Paused)
		_ = loop.Sleep(t.Context(), 45*time.Second)
		a.reaches(id, models.Paused)
		a.ahead.Store(int64(9 * time.Minute))
		a.reaches(id, models.Finished)
		_ = loop.Sleep(t.Context(), receiptsLate)
		a.wantTold("paused #1 quota taken=0 failed=0 uncertain=0", "finished #1  taken=51 failed=0 uncertain=0")
	})
}

func TestTheCountsOfAFailureAreComplete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 50})
		n := 0
		a.onSend(func(w http.ResponseWriter, _ string) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			n++
			switch {
			case n <= 20:
				return false
			case n == 21: // this one may have been sent
				w.WriteHeader(http.StatusBadGateway)
				return true
			}
			answer(w, 40037)
			return true
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Failed)
		_ = loop.Sleep(t.Context(), 10*time.Second)
		c := a.counts(id)
		if c.Taken() != 20 || c.Uncertain != 1 || c.Failed == 0 || c.Sending != 0 {
			t.Errorf("%+v", c)
		}
		if got := a.told(); len(got) != 1 || !strings.HasPrefix(got[0], "failed #1 content taken=20") || !strings.HasSuffix(got[0], "uncertain=1") {
			t.Errorf("%q", got)
		}
	})
}

// The admin did not write for 48 hours: the platform refuses the notice, nobody
// insists, and the notice is kept for the admin's next word, over a restart too.
func TestARefusedNoticeIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 10}})
		_ = loop.Sleep(t.Context(), 49*time.Hour)
		stop := a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		_ = loop.Sleep(t.Context(), 3*receiptsLate)
		if n := a.sim.Stats().Codes["45015"]; n != 1 {
			t.Errorf("refused %d times, want once", n)
		}
		a.wantTold()
		stop()
		e := a.newEngine()
		a.run(e)
		kept, err := a.notifier(e).Kept(t.Context(), admin, "m:1")
		if err != nil || len(kept) != 1 || kept[0].ID != id {
			t.Fatalf("kept: %+v, %v", kept, err)
		}
		if said, err := a.notifier(e).Say(t.Context(), admin, []int64{id}, "m:1"); err != nil || len(said) != 1 {
			t.Errorf("said: %v, %v", said, err)
		}
		a.letNoticesIn()
		_ = loop.Sleep(t.Context(), receiptsLate)
		a.wantTold() // it was said
		if kept, err := a.notifier(e).Kept(t.Context(), admin, "m:2"); err != nil || len(kept) != 0 {
			t.Errorf("kept although it was said: %+v, %v", kept, err)
		}
	})
}

// A broadcast that was asked for days ago is told of if the admin wrote since.
func TestTheAdminIsToldOfABroadcastThatTookDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 10}})
		id := a.ask("", models.AudienceAll)
		_ = loop.Sleep(t.Context(), 72*time.Hour)
		a.letNoticesIn()
		a.start()
		a.reaches(id, models.Finished)
		_ = loop.Sleep(t.Context(), receiptsLate)
		a.wantTold("finished #1  taken=11 failed=0 uncertain=0")
	})
}

// The platform takes five notices after the admin's last word. What comes after
// them is kept, and what comes after the next word goes out again.
func TestTheSixthNoticeIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 10}})
		a.onSend(func(w http.ResponseWriter, _ string) bool { answer(w, 43019); return true }) // no receipts to wait for
		a.start()
		send := func() int64 {
			id := a.ask("", models.AudienceMe)
			a.reaches(id, models.Finished)
			_ = loop.Sleep(t.Context(), 5*time.Second)
			return id
		}
		var sixth int64
		for range 6 {
			sixth = send()
		}
		kept, err := a.notifier(a.engine).Kept(t.Context(), admin, "m:1")
		if err != nil || len(kept) != 1 || kept[0].ID != sixth || len(a.told()) != 5 || a.sim.Stats().Codes["45047"] != 1 {
			t.Errorf("told %q, kept %+v, %v", a.told(), kept, err)
		}
		a.letNoticesIn()
		send()
		if got := a.told(); len(got) != 6 || !strings.HasPrefix(got[5], "finished #7") {
			t.Errorf("told %q", got)
		}
	})
}

// A platform that is busy has refused nothing.
func TestANoticeWaitsForAPlatformThatIsBusy(t *testing.T) {
	t.Parallel()
	for _, code := range []int{-1, 45011} {
		synctest.Test(t, func(t *testing.T) {
			a := newAccount(t, setup{Options: simulator.Options{Followers: 10}})
			var busy atomic.Bool
			busy.Store(true)
			a.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if busy.Load() && r.URL.Path == "/cgi-bin/message/custom/send" {
					answer(w, code)
					return
				}
				a.sim.ServeHTTP(w, r)
			})
			a.start()
			a.reaches(a.ask("", models.AudienceAll), models.Finished)
			_ = loop.Sleep(t.Context(), 2*time.Minute)
			busy.Store(false)
			_ = loop.Sleep(t.Context(), 3*time.Minute)
			a.wantTold("finished #1  taken=11 failed=0 uncertain=0")
		})
	}
}

// receiptsLate is when the admin must have been told of a finished broadcast whose
// receipts don't come.
const receiptsLate = time.Minute + 10*time.Second

// everyoneReports has the platform report on everything that it took.
func (a *account) everyoneReports() {
	a.t.Helper()
	for _, openID := range a.people() {
		if got, _ := a.sim.Ledger(openID); len(got) > 0 {
			a.receipt(openID, "success")
		}
	}
}

// The notice of the end waits for the receipts, a minute at most, and a restart
// does not begin that minute anew.
func TestTheAdminIsToldOfTheEndOnceTheReceiptsAreIn(t *testing.T) {
	t.Parallel()
	finished := "finished #1  taken=11 failed=0 uncertain=0"
	for name, tt := range map[string]struct {
		// reportedAfter the end the receipts come, if they do; then the admin is told.
		reportedAfter, toldAfter time.Duration
		restart                  bool
	}{
		"they come late":       {30 * time.Second, 40 * time.Second, false},
		"they don't come":      {0, receiptsLate, false},
		"they don't, restart":  {0, receiptsLate, true},
		"they come, a restart": {50 * time.Second, 55 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 10}})
				stop := a.start()
				a.reaches(a.ask("", models.AudienceAll), models.Finished)
				ended := time.Now()
				until := func(d time.Duration) { _ = loop.Sleep(t.Context(), d-time.Since(ended)) }
				if tt.restart {
					until(20 * time.Second)
					stop()
					a.run(a.newEngine())
				}
				if tt.reportedAfter > 0 {
					until(tt.reportedAfter - time.Second)
					a.wantTold()
					a.everyoneReports()
				} else {
					until(55 * time.Second)
					a.wantTold()
				}
				until(tt.toldAfter)
				a.wantTold(finished)
				until(2 * time.Minute)
				a.wantTold(finished)
			})
		})
	}
}

// Of a broadcast of which the platform took nothing there are no receipts to wait for.
func TestTheAdminIsToldAtOnceThatNobodyGotIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 10}})
		a.onSend(func(w http.ResponseWriter, _ string) bool { answer(w, 43019); return true })
		a.start()
		a.reaches(a.ask("", models.AudienceAll), models.Finished)
		_ = loop.Sleep(t.Context(), 5*time.Second)
		a.wantTold("finished #1  taken=0 failed=11 uncertain=0")
	})
}

func TestANoticeWaitsForAPlatformThatIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 10}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(11)
		a.wire.down.Store(true)
		a.reaches(id, models.Finished)
		_ = loop.Sleep(t.Context(), 5*time.Minute)
		a.ahead.Store(int64(time.Hour))
		_ = loop.Sleep(t.Context(), time.Minute)
		a.wire.down.Store(false)
		_ = loop.Sleep(t.Context(), 5*time.Minute)
		a.wantTold("finished #1  taken=11 failed=0 uncertain=0")
	})
}
