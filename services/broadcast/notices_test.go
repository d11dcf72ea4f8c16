package broadcast

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
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
		_ = sleep(t.Context(), 10*time.Second)
		a.wantTold("finished #1  taken=46 failed=5 uncertain=0")
		stop()
		a.run(a.newEngine())
		_ = sleep(t.Context(), 20*time.Second)
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
			_ = sleep(t.Context(), 10*time.Second)
			if got := a.told(); len(got) != n || !strings.HasPrefix(got[n-1], "paused #1 account") {
				t.Errorf("pause %d: %q", n, got)
			}
			if _, err := a.engine.Resume(t.Context(), id, admin); err != nil {
				t.Fatal(err)
			}
		}
		a.reaches(id, models.Finished)
		_ = sleep(t.Context(), 10*time.Second)
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
		_ = sleep(t.Context(), 45*time.Second)
		a.reaches(id, models.Paused)
		a.ahead.Store(int64(9 * time.Minute))
		a.reaches(id, models.Finished)
		_ = sleep(t.Context(), 10*time.Second)
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
		_ = sleep(t.Context(), 10*time.Second)
		c := a.counts(id)
		if c.Taken() != 20 || c.Uncertain != 1 || c.Failed == 0 || c.Sending != 0 {
			t.Errorf("%+v", c)
		}
		if got := a.told(); len(got) != 1 || !strings.HasPrefix(got[0], "failed #1 content taken=20") || !strings.HasSuffix(got[0], "uncertain=1") {
			t.Errorf("%q", got)
		}
	})
}

// The admin did not write for 48 hours: the platform refuses the notice, and
// nobody insists.
func TestARefusedNoticeIsNotRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 10}})
		_ = sleep(t.Context(), 49*time.Hour)
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		_ = sleep(t.Context(), 20*time.Second)
		if n := a.sim.Stats().Codes["45015"]; n != 1 {
			t.Errorf("refused %d times, want once", n)
		}
		a.wantTold()
		// The reply to `broadcast status` has it.
		if st, err := a.engine.Status(t.Context(), 0); err != nil || st.Counts.Accepted != 11 {
			t.Errorf("status: %+v, %v", st, err)
		}
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
		_ = sleep(t.Context(), time.Hour)
		a.wire.down.Store(false)
		_ = sleep(t.Context(), 10*time.Minute)
		a.wantTold("finished #1  taken=11 failed=0 uncertain=0")
	})
}
