package broadcast_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/check"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// profileFile is a message of what only the platform knows.
const profileFile = `
messages:
  notice:
    template_id: ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY
    data:
      thing1: {value: "{{if .Remark}}{{.Remark}}{{else}}读者{{end}}"}
      time2: {value: '{{.SubscribedAt.Format "2006-01-02 15:04"}}'}
      keyword3: {value: "{{.Scene}}"}
`

// synced has an account whose followers came by a sync, which tells their OpenIDs
// and nothing else, and returns it with the count of calls for profiles.
func synced(t *testing.T, set setup) (*account, *atomic.Int64) {
	t.Helper()
	a := newAccount(t, set)
	a.exec("UPDATE recipients SET subscribed_at = 0, scene = ''")
	a.messages.Set(profileFile)
	calls := new(atomic.Int64)
	if a.wire != nil {
		a.onPeople(func(http.ResponseWriter, int64) bool { return false }, calls)
	}
	return a, calls
}

// onPeople has f see every call for profiles first, with its number; f may answer
// it instead of the platform.
func (a *account) onPeople(f func(w http.ResponseWriter, call int64) (answered bool), calls *atomic.Int64) {
	people := func(w http.ResponseWriter) bool { return f(w, calls.Add(1)) }
	a.wire.people.Store(&people)
}

// read returns what a follower reads, as thing1|time2|keyword3 of each message.
func (a *account) read(openID string) (all []string) {
	got, _ := a.sim.Ledger(openID)
	for _, m := range got {
		d := m.Content.Data
		all = append(all, d["thing1"].Value+"|"+d["time2"].Value+"|"+d["keyword3"].Value)
	}
	return all
}

func TestWhatThePlatformKnowsIsFilledIn(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{models.SQLite, models.MySQL} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			test := func(t *testing.T) {
				a, calls := synced(t, setup{Options: simulator.Options{Followers: 1200}, driver: driver, overHTTP: driver == models.MySQL})
				named, evented := a.sim.Follower(700), a.sim.Follower(800)
				if err := a.sim.Remark(named, "李老师"); err != nil {
					t.Fatal(err)
				}
				a.exec("UPDATE recipients SET subscribed_at = 1600000000000, scene = 'qrscene_door' WHERE openid = ?", evented)
				a.start()
				asked, err := a.tryAsk("", models.AudienceAll, false)
				if err != nil {
					t.Fatal(err)
				}
				if w := asked.Warnings; len(w) != 1 || w[0].Code != check.WarnSampled || w[0].Args["Checked"] != 100 {
					t.Errorf("warnings: %v", w)
				}
				a.reaches(asked.Broadcast.ID, models.Finished)
				a.audit(asked.Broadcast.ID)
				a.everyoneOnce()
				for openID, want := range map[string]string{
					named: "李老师|", evented: "读者|2020-09-13 20:26|qrscene_door", a.sim.Follower(3): "读者|",
				} {
					if got := a.read(openID); len(got) != 1 || !strings.HasPrefix(got[0], want) || strings.HasSuffix(got[0], "|") {
						t.Errorf("%s read %q, want %q", openID, got, want)
					}
				}
				// A hundred a call, and nobody twice: the sample's are not asked for again.
				if n := calls.Load(); driver == models.SQLite && n > 14 {
					t.Errorf("%d calls for 1,201 people", n)
				}
				before := calls.Load()
				again, err := a.tryAsk("", models.AudienceAll, true)
				if err != nil {
					t.Fatal(err)
				}
				a.reaches(again.Broadcast.ID, models.Finished)
				if n := calls.Load() - before; n != 0 {
					t.Errorf("%d calls for what is stored", n)
				}
				// A remark can change: after a day it is asked for anew.
				a.ahead.Store(int64(25 * time.Hour))
				if _, err := a.tryAsk("", models.AudienceMe, false); err != nil || a.wire != nil && calls.Load() == before {
					t.Errorf("%v; no call for what is a day old", err)
				}
			}
			if driver == models.MySQL {
				test(t)
				return
			}
			synctest.Test(t, test)
		})
	}
}

// Whatever the platform answers for profiles, nobody is lost and nobody gets a
// message with a blank.
func TestProfilesThatCanNotBeRead(t *testing.T) {
	t.Parallel()
	answers := map[string]struct {
		answer func(w http.ResponseWriter)
		reason string // of the pause; empty for none
		resume bool   // the pause ends by itself
	}{
		"busy": {func(w http.ResponseWriter) { answer(w, -1) }, "", false},
		"502":  {func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, "", false},
		"half an answer": {func(w http.ResponseWriter) {
			_, _ = fmt.Fprint(w, `{"user_info_list":[{"openid":"oAbc"}]}`)
		}, "", false},
		"a minute's quota": {func(w http.ResponseWriter) { answer(w, 45011) }, "", false},
		"the day's quota":  {func(w http.ResponseWriter) { answer(w, 45009) }, models.ReasonInfoQuota, true},
		"not allowed":      {func(w http.ResponseWriter) { answer(w, 48001) }, models.ReasonProfiles, false},
		"nobody is known":  {func(w http.ResponseWriter) { answer(w, 40003) }, models.ReasonProfiles, false},
	}
	for name, test := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if test.resume {
					beforeMidnight()
				}
				a, calls := synced(t, setup{Options: simulator.Options{Followers: 700}})
				var well atomic.Bool
				a.onPeople(func(w http.ResponseWriter, call int64) bool {
					if call != 1 && call != 4 && !well.Load() { // that for the sample, and one of a batch
						test.answer(w)
						return true
					}
					return false
				}, calls)
				a.start()
				id := a.ask("", models.AudienceAll)
				if test.reason != "" {
					b := a.reaches(id, models.Paused)
					if b.Reason != test.reason || b.ResumeAt.IsZero() == test.resume {
						t.Errorf("paused: %q (%s) until %s", b.Reason, b.Detail, b.ResumeAt)
					}
				} else {
					_ = loop.Sleep(t.Context(), time.Minute)
					if b := a.broadcast(id); b.State != models.Running {
						t.Errorf("it is %s (%s)", b.State, b.Reason)
					}
				}
				if n := a.calls(); n != 0 {
					t.Errorf("%d sends without their values", n)
				}
				well.Store(true)
				if test.reason != "" && !test.resume {
					a.resume(id)
				}
				a.reaches(id, models.Finished)
				a.audit(id)
				a.everyoneOnce()
			})
		})
	}
}

// The reply does not wait for the platform.
func TestAPlatformThatIsSlowWithProfilesForbidsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, calls := synced(t, setup{Options: simulator.Options{Followers: 50}})
		a.onPeople(func(http.ResponseWriter, int64) bool { _ = loop.Sleep(t.Context(), 8*time.Second); return false }, calls)
		a.start()
		begun := time.Now()
		asked, err := a.tryAsk("", models.AudienceAll, false)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("the reply took %s", took)
		}
		if w := asked.Warnings; len(w) != 1 || w[0].Code != check.WarnProfiles {
			t.Errorf("warnings: %v", w)
		}
		a.reaches(asked.Broadcast.ID, models.Finished)
		a.everyoneOnce()
	})
}

// What cannot be filled for everyone is refused with the variable and what to do.
func TestVariablesThatAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _ := synced(t, setup{Options: simulator.Options{Followers: 20}})
		a.start()
		for value, want := range map[string][]string{
			"{{.Remark}}":      {".Remark", "{{if .Remark}}"},
			"{{.Fields.city}}": {".Fields.city", "a list with that field"},
		} {
			a.messages.Set(strings.Replace(profileFile, "{{.Scene}}", value, 1))
			_, err := a.tryAsk("", models.AudienceAll, false)
			var e *models.Error
			if !errors.As(err, &e) || e.Code != models.ErrContent {
				t.Fatalf("%s: %v", value, err)
			}
			for _, word := range want {
				if reason := fmt.Sprint(e.Args["Reason"]); !strings.Contains(reason, word) {
					t.Errorf("%s: %q does not name %q", value, reason, word)
				}
			}
		}
		if a.calls() != 0 {
			t.Errorf("%d sends", a.calls())
		}
	})
}

// Whose value is missing where the sample could not show it is failed, not
// forgotten: a retry reaches them once they have one.
func TestWhoLacksAValueIsFailedAndCanBeRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _ := synced(t, setup{Options: simulator.Options{Followers: 200}})
		a.messages.Set(strings.Replace(profileFile, "{{.Scene}}", "{{.Remark}}", 1))
		name := func(i int) {
			if err := a.sim.Remark(a.sim.Follower(i), "读者"); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 201 {
			if i != 150 {
				name(i)
			}
		}
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		if d := a.deliveries(id)[a.sim.Follower(150)]; d.State != models.FailedFor || !strings.Contains(d.Detail, ".Remark") {
			t.Errorf("%+v, want failed with the variable", d)
		}
		name(150)
		a.ahead.Store(int64(25 * time.Hour))
		again, err := a.engine.Create(t.Context(), broadcast.Request{Audience: models.AudienceRetry, Of: id, AskedBy: admin, RequestKey: "retry"})
		if err != nil || again.Recipients != 1 {
			t.Fatalf("%+v, %v", again, err)
		}
		a.reaches(again.Broadcast.ID, models.Finished)
		a.everyoneOnce()
	})
}
