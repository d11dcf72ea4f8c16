package broadcast_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// team are an account's admins beside the owner.
type team struct{ sender, editor, viewer string }

// hire gives three followers a role, and lets notices to them in.
func (a *account) hire() team {
	a.t.Helper()
	t := team{a.sim.Follower(1), a.sim.Follower(2), a.sim.Follower(3)}
	for openID, role := range map[string]models.Role{t.sender: models.Sender, t.editor: models.Editor, t.viewer: models.Viewer} {
		if _, err := a.admins.Add(a.t.Context(), openID, role, admin); err != nil {
			a.t.Fatal(err)
		}
		a.writes(openID)
	}
	return t
}

// writes lets a person write to the account; see letNoticesIn.
func (a *account) writes(openID string) {
	ctx, cancel := context.WithCancel(a.t.Context())
	cancel()
	_, _ = a.sim.Say(ctx, openID, "openid")
}

// askAs asks for a broadcast as somebody.
func (a *account) askAs(openID, message string, to models.Audience, key string) int64 {
	a.t.Helper()
	asked, err := a.engine.Create(a.t.Context(), broadcast.Request{Message: message, Audience: to, AskedBy: openID, RequestKey: key, Again: true})
	if err != nil {
		a.t.Fatal(err)
	}
	return asked.Broadcast.ID
}

// wantToldTo fails unless a person was told exactly this; each text only needs to begin
// and end like that: "begin…end".
func (a *account) wantToldTo(openID string, want ...string) {
	a.t.Helper()
	var got []string
	for i, n := range a.sim.Notices(openID) {
		text := n.Text
		if i < len(want) {
			if begin, end, _ := strings.Cut(want[i], "…"); strings.HasPrefix(text, begin) && strings.HasSuffix(text, end) {
				text = want[i]
			}
		}
		got = append(got, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		a.t.Errorf("%s was told (-want +got):\n%s", models.MaskOpenID(openID), diff)
	}
}

// refuseAfter has the platform refuse each send with a code from the nth on.
func (a *account) refuseAfter(n, code int) {
	calls := 0
	a.onSend(func(w http.ResponseWriter, _ string) bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		if calls++; calls < n {
			return false
		}
		answer(w, code)
		return true
	})
}

// A halt concerns all who may send; how a broadcast ended concerns who asked for it.
func TestHaltsAreToldToAllWhoMaySend(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		code   int
		toAll  bool
		notice string
	}{
		{name: "the account is at stake", code: 48004, toAll: true, notice: "paused #1 account…"},
		{name: "credentials", code: 48001, toAll: true, notice: "paused #1 credentials…"},
		{name: "the quota", code: 45009, notice: "paused #1 quota…"},
		{name: "the content", code: 47003, notice: "failed #1 content…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 50}})
				team := a.hire()
				a.refuseAfter(1, tt.code)
				a.start()
				id := a.askAs(team.editor, "", models.AudienceAll, "by the editor")
				for a.broadcast(id).State == models.Scheduled || a.broadcast(id).State == models.Running {
					_ = loop.Sleep(t.Context(), time.Second)
				}
				_ = loop.Sleep(t.Context(), 10*time.Second)
				a.wantToldTo(team.editor, tt.notice)
				a.wantToldTo(team.viewer)
				if tt.toAll {
					a.wantToldTo(admin, tt.notice)
					a.wantToldTo(team.sender, tt.notice)
				} else {
					a.wantToldTo(admin)
					a.wantToldTo(team.sender)
				}
			})
		})
	}
}

// Of several broadcasts that are halted at once, each admin gets one notice; after a
// resume another halt is news.
func TestOneNoticeTellsOfAllThatWereHalted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 50, undo: 30 * time.Second})
		team := a.hire()
		goes := a.ask("", models.AudienceAll)
		a.start()
		a.received(20)
		a.askAs(team.editor, "personal", models.AudienceAll, "by the editor")
		a.askAs(team.sender, "personal", models.AudienceAll, "by the sender")
		a.refuseAfter(1, 48004)
		a.reaches(goes, models.Paused)
		_ = loop.Sleep(t.Context(), time.Minute)
		const all = "paused #1 account… and [2 3]"
		for _, openID := range []string{admin, team.sender, team.editor} {
			a.wantToldTo(openID, all)
		}
		a.wantToldTo(team.viewer)

		a.refuseAfter(10, 48004)
		a.resume(goes)
		_ = loop.Sleep(t.Context(), time.Second)
		a.reaches(goes, models.Paused)
		_ = loop.Sleep(t.Context(), time.Minute)
		for _, openID := range []string{admin, team.sender} {
			a.wantToldTo(openID, all, "paused #1 account…")
		}
		a.wantToldTo(team.editor, all) // asked for others
	})
}

// Whom the platform would not let be told is told in the reply to their next word, of
// each that was halted, and nobody else waits for that.
func TestAHaltIsKeptForWhoeverCannotBeTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 50, undo: 30 * time.Second})
		team := a.hire()
		_ = loop.Sleep(t.Context(), 49*time.Hour)
		a.letNoticesIn()
		goes := a.ask("", models.AudienceAll)
		a.start()
		a.received(20)
		waits := a.ask("personal", models.AudienceAll)
		a.refuseAfter(1, 48004)
		a.reaches(goes, models.Paused)
		_ = loop.Sleep(t.Context(), time.Minute)
		a.wantToldTo(admin, "paused #1 account… and [2]")
		a.wantToldTo(team.sender)
		for openID, want := range map[string][]int64{team.sender: {waits, goes}, admin: nil, team.viewer: nil} {
			kept, err := a.notifier(a.engine).Kept(t.Context(), openID, "m:1")
			var ids []int64
			for _, b := range kept {
				ids = append(ids, b.ID)
			}
			if err != nil || !slices.Equal(ids, want) {
				t.Errorf("kept for %s: %d, %v, want %d", models.MaskOpenID(openID), ids, err, want)
			}
		}
	})
}

// The program ends while one admin is told and another can't be. The next one tells the
// other, and nobody twice.
func TestARestartTellsTheRestOfAHalt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 50})
		team := a.hire()
		var mu sync.Mutex
		busy := true
		a.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/cgi-bin/message/custom/send" {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				mu.Lock()
				defer mu.Unlock()
				if busy && bytes.Contains(body, []byte(team.sender)) {
					answer(w, -1)
					return
				}
			}
			a.sim.ServeHTTP(w, r)
		})
		a.refuseAfter(20, 48004)
		stop := a.start()
		a.reaches(a.ask("", models.AudienceAll), models.Paused)
		_ = loop.Sleep(t.Context(), 30*time.Second)
		const halt = "paused #1 account…"
		a.wantToldTo(admin, halt)
		a.wantToldTo(team.sender)
		stop()
		a.run(a.newEngine())
		_ = loop.Sleep(t.Context(), 30*time.Second)
		a.wantToldTo(admin, halt)
		mu.Lock()
		busy = false
		mu.Unlock()
		_ = loop.Sleep(t.Context(), 2*time.Minute)
		a.wantToldTo(admin, halt)
		a.wantToldTo(team.sender, halt)
	})
}

// A notice that the platform took is not sent again because that can't be stored.
func TestAHaltIsToldOnceWhileTheDatabaseIsReadOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 50})
		team := a.hire()
		a.exec("CREATE TRIGGER broken BEFORE INSERT ON notices BEGIN SELECT RAISE(ABORT, 'full'); END")
		a.refuseAfter(20, 48004)
		a.start()
		a.reaches(a.ask("", models.AudienceAll), models.Paused)
		_ = loop.Sleep(t.Context(), 5*time.Minute)
		a.exec("DROP TRIGGER broken")
		_ = loop.Sleep(t.Context(), 5*time.Minute)
		a.wantToldTo(admin, "paused #1 account…")
		a.wantToldTo(team.sender, "paused #1 account…")
	})
}

// Whoever lost the role is told nothing any more. The owner is told what became of their
// broadcast, and all senders of a halt.
func TestWhoeverLostTheRoleIsToldNothing(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int{"finished": 0, "halted": 48004} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 50}, rate: 20})
				team := a.hire()
				a.start()
				id := a.askAs(team.sender, "", models.AudienceAll, "by the sender")
				a.received(10)
				if _, err := a.admins.Remove(t.Context(), team.sender); err != nil {
					t.Fatal(err)
				}
				if code != 0 {
					a.refuseAfter(1, code)
					a.reaches(id, models.Paused)
				} else {
					a.reaches(id, models.Finished)
				}
				_ = loop.Sleep(t.Context(), 2*receiptsLate)
				a.wantToldTo(team.sender)
				if code != 0 {
					a.wantToldTo(admin, "paused #1 account…")
				} else {
					a.wantToldTo(admin, "finished #1…")
				}
				left, err := a.store.Unnotified(t.Context())
				if err != nil || len(left) != 0 {
					t.Errorf("still to be told: %+v, %v", left, err)
				}
			})
		})
	}
}

// Whoever becomes an admin is told by a message, or in the reply to their next word.
func TestANewAdminIsTold(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]bool{"the platform takes it": false, "it refuses": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 10}})
				ctx, cancel := context.WithCancel(t.Context())
				n := a.notifier(a.engine)
				var running sync.WaitGroup
				running.Go(func() { n.Run(ctx) })
				defer func() { cancel(); running.Wait() }()
				anna := a.sim.Follower(1)
				if !late {
					a.writes(anna)
				}
				if _, err := a.admins.Add(ctx, anna, models.Viewer, admin); err != nil {
					t.Fatal(err)
				}
				n.SendRole(ctx, anna, "you are a viewer")
				_ = loop.Sleep(ctx, 10*time.Second)
				kept, err := n.RoleKept(ctx, anna, "m:1")
				if kept != late || err != nil {
					t.Errorf("kept: %v, %v", kept, err)
				}
				if late {
					a.wantToldTo(anna)
				} else {
					a.wantToldTo(anna, "you are a viewer…")
				}
			})
		})
	}
}
