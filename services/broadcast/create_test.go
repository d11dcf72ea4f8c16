package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/check"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/planning"
	"wechat-broadcast/simulator"
)

func TestOneRequestStartsOneBroadcast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 30}})
		a.start()
		ids := make([]int64, 5)
		var wg sync.WaitGroup
		for i := range ids { // the platform delivers one message five times at once
			wg.Go(func() {
				asked, err := a.engine.Create(t.Context(), broadcast.Request{Audience: models.AudienceAll, AskedBy: admin, RequestKey: "the same"})
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = asked.Broadcast.ID
			})
		}
		wg.Wait()
		if diff := cmp.Diff([]int64{1, 1, 1, 1, 1}, ids); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		a.reaches(1, models.Finished)
		// And once more when it is over, whatever became of the message file.
		a.messages.Set("messages: [")
		asked, err := a.engine.Create(t.Context(), broadcast.Request{Audience: models.AudienceAll, AskedBy: admin, RequestKey: "the same"})
		if err != nil || asked.Broadcast.ID != 1 || asked.Broadcast.State != models.Finished {
			t.Errorf("%+v, %v", asked, err)
		}
		a.everyoneOnce()
		if list, err := a.engine.List(t.Context(), 10); err != nil || len(list) != 1 {
			t.Errorf("%d broadcasts, %v", len(list), err)
		}
	})
}

func TestTheSameToEveryoneTwiceADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 5}})
		a.exec("UPDATE recipients SET tester = 1")
		a.start()
		first := a.ask("", models.AudienceAll)
		a.reaches(first, models.Finished)
		refuse := func(when string) {
			t.Helper()
			_, err := a.tryAsk("", models.AudienceAll, false)
			var e *models.Error
			if !errors.As(err, &e) || e.Code != models.ErrSameMessage || e.Args["ID"] != first {
				t.Errorf("%s: %v", when, err)
			}
		}
		refuse("at once")
		a.reaches(a.ask("", models.AudienceTest), models.Finished)
		a.reaches(a.ask("", models.AudienceMe), models.Finished)
		a.reaches(a.ask("personal", models.AudienceAll), models.Finished)
		a.ahead.Store(int64(23*time.Hour + 59*time.Minute))
		refuse("a day later, but for a minute")
		again, err := a.tryAsk("", models.AudienceAll, true)
		if err != nil {
			t.Fatalf("again: %v", err)
		}
		a.reaches(again.Broadcast.ID, models.Finished)
		a.ahead.Store(int64(48 * time.Hour))
		if _, err := a.tryAsk("", models.AudienceAll, false); err != nil {
			t.Errorf("a day after the last one: %v", err)
		}
	})
}

func TestToOneself(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"who follows":     "UPDATE recipients SET scene = 'x'",
		"who opted out":   "UPDATE recipients SET opted_out = 1",
		"who is unknown":  "DELETE FROM recipients",
		"thought to left": "UPDATE recipients SET subscribed = 0",
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 10}})
				a.exec(change+" WHERE openid = ?", admin)
				a.start()
				id := a.ask("", models.AudienceMe)
				a.reaches(id, models.Finished)
				a.audit(id)
				if got, _ := a.sim.Ledger(admin); len(got) != 1 || a.sim.Stats().Accepted != 1 {
					t.Errorf("the admin received %d of %d", len(got), a.sim.Stats().Accepted)
				}
			})
		})
	}
}

func TestToTheTestList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 10}})
		a.start()
		if _, err := a.tryAsk("", models.AudienceTest, false); errorCode(err) != models.ErrNoTesters {
			t.Errorf("an empty list: %v", err)
		}
		a.exec("UPDATE recipients SET tester = 1 WHERE openid IN (?, ?, ?)", a.sim.Follower(2), a.sim.Follower(3), a.sim.Follower(4))
		a.exec("UPDATE recipients SET opted_out = 1 WHERE openid = ?", a.sim.Follower(3))
		asked, err := a.tryAsk("", models.AudienceTest, false)
		if err != nil || asked.Recipients != 2 {
			t.Fatalf("%+v, %v", asked, err)
		}
		a.reaches(asked.Broadcast.ID, models.Finished)
		a.audit(asked.Broadcast.ID)
		if n := a.sim.Stats().Accepted; n != 2 {
			t.Errorf("%d received it", n)
		}
	})
}

func TestTheFirstToAllPullsTheFollowersOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 100}, unpulled: true})
		a.pull = func(ctx context.Context) error { // longer than a chat waits
			if err := loop.Sleep(ctx, 10*time.Second); err != nil {
				return err
			}
			if a.pulled.Load() { // as the sync is one at a time
				return nil
			}
			return a.fill(ctx)
		}
		a.start()
		asked, err := a.tryAsk("", models.AudienceAll, false)
		if err != nil || !asked.SyncFirst || asked.Recipients != 0 {
			t.Fatalf("%+v, %v", asked, err)
		}
		a.reaches(asked.Broadcast.ID, models.Finished)
		a.audit(asked.Broadcast.ID)
		a.everyoneOnce()
		a.reaches(a.ask("personal", models.AudienceAll), models.Finished)
		if n := a.pulls.Load(); n > 2 {
			t.Errorf("pulled %d times", n)
		}
	})
}

// Nobody was counted, and so the reply does not say that it goes to 0 followers.
func TestAPullThatEndsWhileARequestIsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 100}, unpulled: true})
		a.pull = func(ctx context.Context) error { return loop.Sleep(ctx, 10*time.Second) }
		begun := time.Now()
		a.everPulled = func() bool { return time.Since(begun) >= 2*time.Second } // for so long a request waits
		asked, err := a.tryAsk("", models.AudienceAll, false)
		if err != nil || !asked.SyncFirst || asked.Recipients != 0 || !a.everPulled() {
			t.Fatalf("%+v, %v", asked, err)
		}
	})
}

func TestAPullThatIsQuickIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 100}, unpulled: true})
		a.start()
		asked, err := a.tryAsk("", models.AudienceAll, false)
		if err != nil || asked.SyncFirst || asked.Recipients != 101 {
			t.Fatalf("%+v, %v", asked, err)
		}
		a.reaches(asked.Broadcast.ID, models.Finished)
		a.everyoneOnce()
		if n := a.pulls.Load(); n != 1 {
			t.Errorf("pulled %d times", n)
		}
	})
}

func TestAPullThatIsRefusedPausesTheBroadcast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 10}, unpulled: true, undo: time.Second})
		a.pull = func(ctx context.Context) error { // after the chat's reply
			if err := loop.Sleep(ctx, 10*time.Second); err != nil {
				return err
			}
			return models.NewError(models.Unavailable, models.ErrSyncQuota)
		}
		a.start()
		id := a.ask("", models.AudienceAll)
		if b := a.reaches(id, models.Paused); b.Reason != models.ReasonSyncQuota || b.Detail != "" || b.ResumeAt.IsZero() || a.calls() != 0 {
			t.Errorf("%s %q after %d calls", b.Reason, b.Detail, a.calls())
		}
		a.pulled.Store(a.fill(t.Context()) == nil)
		a.resume(id)
		a.reaches(id, models.Finished)
		a.everyoneOnce()
	})
}

// A platform that is away is waited for, but the day has calls for 500 pages.
func TestAPullThatFailsIsTriedAgainNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 10}, unpulled: true})
		begun := time.Now()
		a.pull = func(ctx context.Context) error {
			if time.Since(begun) < time.Minute {
				return errors.New("no answer in time")
			}
			return a.fill(ctx)
		}
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		a.everyoneOnce()
		if n := a.pulls.Load(); n > 10 {
			t.Errorf("%d pulls in a minute", n)
		}
	})
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 5}})
		a.start()
		file := func(data string) string {
			return "messages:\n  notice:\n    template_id: ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY\n    data: {" + data + "}\n"
		}
		const good = `thing1: {value: a}, time2: {value: "09:00"}, keyword3: {value: c}`
		tests := []struct {
			name, file, message string
			audience            models.Audience
			code                string
		}{
			{"no such message", messageFile, "noitce", models.AudienceAll, models.ErrMessageUnknown},
			{"a broken file", "messages: [", "", models.AudienceAll, models.ErrMessagesFile},
			{"a field that the template leaves empty", file(`thing1: {value: a}, time2: {value: "09:00"}`), "notice", models.AudienceMe, models.ErrTemplateField},
			{"a field that the template does not have", file(good + ", thing9: {value: d}"), "notice", models.AudienceMe, models.ErrTemplateField},
			{"a value that the type forbids", file(strings.Replace(good, `"09:00"`, "soon", 1)), "notice", models.AudienceMe, models.ErrContent},
			{"a variable that some recipients lack", file(strings.Replace(good, "value: c", `value: "{{.Fields.city}}"`, 1)), "notice", models.AudienceAll, models.ErrContent},
		}
		for _, test := range tests {
			a.messages.Set(test.file)
			if _, err := a.tryAsk(test.message, test.audience, false); errorCode(err) != test.code {
				t.Errorf("%s: %v, want %s", test.name, err, test.code)
			}
		}
		a.messages.Set(file("thing1: {value: a}, thing9: {value: d}"))
		_, err := a.tryAsk("", models.AudienceMe, false)
		if e := new(models.Error); !errors.As(err, &e) || e.Args["Missing"] != "通知时间(time2), 备注(keyword3)" || e.Args["Unknown"] != "thing9" {
			t.Errorf("fields that do not fit: %v", err)
		}
		a.messages.Set(messageFile)
		a.exec("UPDATE recipients SET subscribed = 0")
		if _, err := a.tryAsk("", models.AudienceAll, false); errorCode(err) != models.ErrNoRecipients {
			t.Errorf("nobody follows: %v", err)
		}
		_ = loop.Sleep(t.Context(), 5*time.Second)
		if list, err := a.engine.List(t.Context(), 10); err != nil || len(list) != 0 || a.calls() != 0 {
			t.Errorf("%d broadcasts, %d calls, %v", len(list), a.calls(), err)
		}
	})
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20, Limits: simulator.Limits{SendDaily: 15}}})
		codes := func(asked *broadcast.Created, err error) string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, w := range asked.Warnings {
				all = append(all, w.Code)
			}
			return strings.Join(all, " ")
		}
		if got := codes(a.tryAsk("", models.AudienceMe, false)); got != "" {
			t.Errorf("to oneself: %q", got)
		}
		asked, err := a.tryAsk("", models.AudienceAll, false)
		if got := codes(asked, err); got != check.WarnQuota || asked.Warnings[0].Args["Remain"] != int64(15) {
			t.Errorf("to 21 with a quota of 15: %q, %v", got, asked.Warnings)
		}
		a.messages.Set(strings.Replace(messageFile, "图书馆周三闭馆", strings.Repeat("闭馆", 15), 1))
		if got := codes(a.tryAsk("", models.AudienceMe, false)); got != check.WarnCut {
			t.Errorf("30 characters of 20: %q", got)
		}
		// A platform that is away forbids nothing, and keeps nobody waiting.
		a.wire.down.Store(true)
		begun := time.Now()
		if got := codes(a.tryAsk("", models.AudienceMe, false)); got != check.WarnCut || time.Since(begun) > 3*time.Second {
			t.Errorf("with the platform away: %q after %s", got, time.Since(begun))
		}
	})
}

// What a broadcast sends is fixed when it is asked for.
func TestAChangedMessageFileLeavesABroadcastAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 5}, undo: 10 * time.Second})
		a.start()
		id := a.ask("", models.AudienceAll)
		asked := time.Now()
		a.messages.Set("broken: [")
		_ = loop.Sleep(t.Context(), time.Minute)
		a.reaches(id, models.Finished)
		for _, openID := range a.people() {
			got, _ := a.sim.Ledger(openID)
			if len(got) != 1 || got[0].Content.Data["thing1"].Value != "图书馆周三闭馆" ||
				got[0].Content.Data["time2"].Value != asked.In(beijing).Format("2006年1月2日 15:04") {
				t.Errorf("%s received %+v", openID, got)
			}
		}
	})
}

// Whoever joins while a broadcast goes is not swept in, and whoever leaves it
// gets no more of it.
func TestTheAudienceIsFrozen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 50}, undo: 10 * time.Second})
		a.start()
		id := a.ask("", models.AudienceAll)
		optedOut := a.sim.Follower(40)
		a.exec("UPDATE recipients SET opted_out = 1 WHERE openid = ?", optedOut)
		a.until("the plan", func() bool { return !a.broadcast(id).PlannedAt.IsZero() })
		late := "oLate-00000000000000000000-L"
		if err := a.sim.Follow(t.Context(), late); err != nil {
			t.Fatal(err)
		}
		if err := a.store.EnsureRecipient(t.Context(), late, time.Now()); err != nil {
			t.Fatal(err)
		}
		a.reaches(id, models.Finished)
		a.audit(id)
		for _, openID := range []string{optedOut, late} {
			if got, _ := a.sim.Ledger(openID); len(got) != 0 {
				t.Errorf("%s received it", openID)
			}
		}
		if b, c := a.broadcast(id), a.counts(id); b.Recipients != 50 || c.Accepted != 50 {
			t.Errorf("%d recipients, %+v", b.Recipients, c)
		}
	})
}

func TestABroadcastWhoseAudienceVanishesFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 5}, undo: 10 * time.Second})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.exec("UPDATE recipients SET opted_out = 1")
		if b := a.reaches(id, models.Failed); b.Reason != models.ReasonNobody {
			t.Errorf("reason %q", b.Reason)
		}
	})
}

func TestManyBatchesAreAllSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// More than the planner cuts with its first query, with holes where people opted out.
		n := 2*planning.BatchSize + 500
		a := newAccount(t, setup{Options: simulator.Options{Followers: n}, concurrency: 256})
		a.exec("UPDATE recipients SET opted_out = 1 WHERE id % 7 = 0 OR id BETWEEN 1500 AND 3800")
		var want int64
		if err := a.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM recipients WHERE opted_out = 0").Scan(&want); err != nil {
			t.Fatal(err)
		}
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		if b, c := a.broadcast(id), a.counts(id); b.Recipients != want || c.Accepted != want || a.sim.Stats().Accepted != want {
			t.Errorf("%d recipients, %+v, want %d", b.Recipients, c, want)
		}
		if twice := a.sim.Received(2, -1, 5); len(twice) > 0 {
			t.Error(fmt.Sprint("received more than once: ", twice))
		}
	})
}
