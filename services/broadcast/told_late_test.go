package broadcast_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// One admin is told in the reply to their next word, and is not told again while the
// platform is too busy to take another's notice.
func TestAKeptHaltIsToldOnceWhileAnotherCannotBeTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 50})
		team := a.hire()
		codes := map[string]int{admin: -1, team.sender: 45015}
		tries := map[string]int{}
		var mu sync.Mutex
		a.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/cgi-bin/message/custom/send" {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				mu.Lock()
				defer mu.Unlock()
				for openID, code := range codes {
					if bytes.Contains(body, []byte(openID)) {
						tries[openID]++
						answer(w, code)
						return
					}
				}
			}
			a.sim.ServeHTTP(w, r)
		})
		a.refuseAfter(20, 48004)
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Paused)
		_ = loop.Sleep(t.Context(), 10*time.Second)
		n := a.notifier(a.engine)
		if said, err := n.Say(t.Context(), team.sender, []int64{id}, "m:1"); err != nil || len(said) != 1 {
			t.Fatalf("said in the reply: %d, %v", said, err)
		}
		_ = loop.Sleep(t.Context(), 5*time.Minute)
		if kept, err := n.Kept(t.Context(), team.sender, "m:2"); err != nil || len(kept) != 0 {
			t.Errorf("told again in the reply to the next word: %d, %v", len(kept), err)
		}
		mu.Lock()
		if tries[team.sender] != 1 || tries[admin] < 2 {
			t.Errorf("%d tries of what is refused, %d of what may be taken later", tries[team.sender], tries[admin])
		}
		clear(codes)
		mu.Unlock()
		_ = loop.Sleep(t.Context(), 2*time.Minute)
		a.wantToldTo(admin, "paused #1 account…")
		a.wantToldTo(team.sender)
	})
}

// A process that can't read the roles yet keeps what it has to tell to those who got one
// by chat.
func TestNobodyIsForgottenBeforeTheRolesAreKnown(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int{"finished": 0, "halted": 48004} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 50}})
				team := a.hire()
				id := a.askAs(team.sender, "", models.AudienceAll, "by the sender")
				a.forgetRoles()
				a.exec("ALTER TABLE admins RENAME TO away")
				if code != 0 {
					a.refuseAfter(1, code)
				}
				a.start()
				_ = loop.Sleep(t.Context(), 3*time.Minute)
				a.wantToldTo(team.sender)
				a.exec("ALTER TABLE away RENAME TO admins")
				_ = loop.Sleep(t.Context(), 2*time.Minute)
				if code != 0 {
					a.wantToldTo(team.sender, fmt.Sprintf("paused #%d account…", id))
				} else {
					a.wantToldTo(team.sender, fmt.Sprintf("finished #%d …", id))
				}
			})
		})
	}
}

// How a broadcast ended is told once, too, while that it was told can't be stored.
func TestAnEndIsToldOnceWhileTheDatabaseIsReadOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 45}})
		a.start()
		a.reaches(a.ask("", models.AudienceAll), models.Finished)
		a.exec("CREATE TRIGGER broken BEFORE UPDATE ON broadcasts BEGIN SELECT RAISE(ABORT, 'full'); END")
		_ = loop.Sleep(t.Context(), 5*time.Minute)
		a.exec("DROP TRIGGER broken")
		_ = loop.Sleep(t.Context(), 5*time.Minute)
		a.wantToldTo(admin, "finished #1 …")
	})
}
