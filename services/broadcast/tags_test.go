package broadcast_test

import (
	"cmp"
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
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

const taggedPath = "/cgi-bin/user/tag/get"

// tag makes a tag that some followers have.
func (a *account) tag(name string, openIDs ...string) int {
	a.t.Helper()
	id, err := a.sim.CreateTag(name)
	if err == nil {
		err = a.sim.TagPeople(id, true, openIDs...)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return id
}

func tagGroup(name string) []models.Group { return []models.Group{{Kind: models.GroupTag, Name: name}} }

// askTag asks for a broadcast to those with a tag, but for those with another, "" for none.
func (a *account) askTag(name, except string, at time.Time) *broadcast.Created {
	a.t.Helper()
	q := broadcast.Request{Audience: models.AudienceAll, At: at}
	if name != "" {
		q.Audience, q.Groups = models.AudienceGroups, tagGroup(name)
	}
	if except != "" {
		q.Except = tagGroup(except)
	}
	asked, err := a.request(q)
	if err != nil {
		a.t.Fatal(err)
	}
	return asked
}

// wantReached fails unless exactly these got one message.
func (a *account) wantReached(want ...string) {
	a.t.Helper()
	var got []string
	for _, c := range a.sim.Received(1, -1, 0) {
		got = append(got, c.OpenID)
		if c.Received != 1 {
			a.t.Errorf("%s got %d messages", c.OpenID, c.Received)
		}
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		a.t.Errorf("%d got it, want %d: %v, want %v", len(got), len(want), got, want)
	}
}

// onTagged has f see each page of a tag first, which may answer it itself.
func (a *account) onTagged(f func(w http.ResponseWriter, call int) (answered bool)) {
	var mu sync.Mutex
	call := 0
	a.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == taggedPath {
			mu.Lock()
			call++
			n := call
			mu.Unlock()
			if f(w, n) {
				return
			}
		}
		a.sim.ServeHTTP(w, r)
	})
}

func (a *account) some(from, to int) (openIDs []string) {
	for i := from; i < to; i++ {
		openIDs = append(openIDs, a.sim.Follower(i))
	}
	return openIDs
}

// Those with the tag get it once, but for those with an excepted one; who was unknown
// until then is among them.
func TestABroadcastToATag(t *testing.T) {
	t.Parallel()
	for _, unpulled := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, undo: 10 * time.Second})
			a.sim.SetTagPage(7)
			a.tag("读者", a.some(0, 100)...)
			a.tag("员工", a.some(90, 150)...)
			a.exec("DELETE FROM recipients WHERE openid = ?", a.sim.Follower(5))
			if unpulled { // the platform is slow to tell who has the tag
				a.onTagged(func(http.ResponseWriter, int) bool { _ = loop.Sleep(t.Context(), 300*time.Millisecond); return false })
			}
			a.start()
			asked := a.askTag("读者", "员工", time.Time{})
			if want := map[bool]int64{false: 90, true: 100}[unpulled]; asked.Recipients != want || asked.Announced != unpulled {
				t.Errorf("the reply says %d, announced %v", asked.Recipients, asked.Announced)
			}
			b := a.reaches(asked.Broadcast.ID, models.Finished)
			a.wantReached(a.some(0, 90)...)
			if c := a.counts(b.ID); c.Accepted != 90 || b.Recipients != 90 || b.Withdrawn() != 0 {
				t.Errorf("%+v of %d, %d withdrawn", c, b.Recipients, b.Withdrawn())
			}
			if began := b.StartedAt.Sub(b.NotBefore.Time); began > time.Second {
				t.Errorf("it began %s after its undo window", began)
			}
		})
	}
}

// Who has the tag is what counts right before the start, by the tag's number: it may have
// another name then. What changes later changes nothing.
func TestATagThatChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 120}, undo: 10 * time.Second, rate: 20})
		id := a.tag("读者", a.some(0, 50)...)
		a.start()
		asked := a.askTag("读者", "", a.now().Add(15*time.Minute))
		if err := a.sim.TagPeople(id, false, a.some(0, 10)...); err != nil {
			t.Fatal(err)
		}
		if err := a.sim.TagPeople(id, true, a.some(50, 60)...); err != nil {
			t.Fatal(err)
		}
		if err := a.sim.RenameTag(id, "老读者"); err != nil {
			t.Fatal(err)
		}
		a.received(5)
		if err := a.sim.TagPeople(id, true, a.some(60, 80)...); err != nil {
			t.Fatal(err)
		}
		if err := a.sim.TagPeople(id, false, a.some(10, 60)...); err != nil {
			t.Fatal(err)
		}
		if b := a.reaches(asked.Broadcast.ID, models.Finished); b.Withdrawn() != 0 {
			t.Errorf("%d are said to have left", b.Withdrawn())
		}
		a.wantReached(a.some(10, 60)...)
	})
}

// Whatever keeps a tag from being pulled, nothing is sent until it is: neither to those
// who have it nor to those whom it was to leave out.
func TestATagThatCanNotBePulled(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fails  func(w http.ResponseWriter) bool
		reason string
		detail string
		mend   func(a *account)
		lasts  time.Duration
	}{
		"the platform goes away in the middle": {
			fails: func(w http.ResponseWriter) bool {
				w.WriteHeader(http.StatusBadGateway)
				return true
			},
			lasts: 2 * time.Minute,
		},
		"the quota is used up": {
			fails:  func(w http.ResponseWriter) bool { answer(w, 45009); return true },
			reason: models.ReasonTagsQuota,
			lasts:  10 * time.Second, // until shortly before midnight in Beijing
		},
		"the tag is gone": {
			fails:  func(w http.ResponseWriter) bool { answer(w, 45159); return true },
			reason: models.ReasonTags, detail: "员工",
			mend: func(a *account) { a.resume(1) },
		},
		"the account may not": {
			fails:  func(w http.ResponseWriter) bool { answer(w, 48001); return true },
			reason: models.ReasonTags, detail: "48001",
			mend: func(a *account) { a.resume(1) },
		},
	}
	for name, test := range tests {
		for _, except := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, excepted %v", name, except), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					beforeMidnight()
					a := newAccount(t, setup{Options: simulator.Options{Followers: 60}, undo: 10 * time.Second})
					a.sim.SetTagPage(5)
					a.tag("员工", a.some(0, 20)...)
					failing := true
					a.onTagged(func(w http.ResponseWriter, call int) bool {
						a.mu.Lock()
						defer a.mu.Unlock()
						return failing && call > 2 && test.fails(w)
					})
					a.start()
					var id int64
					if except {
						id = a.askTag("", "员工", time.Time{}).Broadcast.ID
					} else {
						id = a.askTag("员工", "", time.Time{}).Broadcast.ID
					}
					var paused models.Broadcast
					if test.reason != "" {
						paused = a.reaches(id, models.Paused)
						if paused.Reason != test.reason || !strings.HasPrefix(paused.Detail, test.detail) || test.detail == "" && paused.Detail != "" {
							t.Errorf("paused: %s %q", paused.Reason, paused.Detail)
						}
					}
					_ = loop.Sleep(t.Context(), cmp.Or(test.lasts, 20*time.Second))
					a.wantReached()
					a.mu.Lock()
					failing = false
					a.mu.Unlock()
					if test.mend != nil {
						test.mend(a)
					}
					b := a.reaches(id, models.Finished)
					if except {
						a.wantReached(append(a.some(20, 60), admin)...)
					} else {
						a.wantReached(a.some(0, 20)...)
					}
					if test.reason == models.ReasonTagsQuota && (paused.ResumeAt.IsZero() || b.FinishedAt.Before(paused.ResumeAt.Time)) {
						t.Errorf("it was to go on at %s", paused.ResumeAt)
					}
				})
			})
		}
	}
}

// A process that ends in the middle of a pull leaves nothing that passes for a whole one.
func TestARestartInTheMiddleOfAPull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 60}, undo: 5 * time.Second})
		a.sim.SetTagPage(5)
		a.tag("员工", a.some(0, 40)...)
		a.onTagged(func(http.ResponseWriter, int) bool { _ = loop.Sleep(t.Context(), time.Second); return false })
		stop := a.start()
		id := a.askTag("", "员工", time.Time{}).Broadcast.ID
		for i := range 3 {
			_ = loop.Sleep(t.Context(), time.Duration(3+i)*time.Second)
			stop()
			a.engine = a.newEngine()
			stop = a.start()
		}
		a.reaches(id, models.Finished)
		a.wantReached(append(a.some(40, 60), admin)...)
		// What was half pulled is tidied.
		a.ahead.Add(int64(4 * time.Hour))
		a.engine.Purge(t.Context())
		var left int
		if err := a.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM segments").Scan(&left); err != nil || left != 1 {
			t.Errorf("%d segments are left, %v", left, err)
		}
	})
}

// A name that the platform does not know, or can't be asked for, starts nothing.
func TestATagThatIsNotKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 6}})
		a.tag("员工", a.sim.Follower(0))
		a.tag("vip", a.sim.Follower(1))
		a.tag("VIP", a.sim.Follower(2))
		a.start()
		for _, q := range []broadcast.Request{
			{Audience: models.AudienceGroups, Groups: tagGroup("读者")},
			{Audience: models.AudienceAll, Except: tagGroup("读者")},
		} {
			_, err := a.request(q)
			if wantError(t, err, models.ErrGroupUnknown); !strings.Contains(fmt.Sprint(err), "员工 vip VIP") {
				t.Errorf("the known ones are not named: %v", err)
			}
		}
		id := a.askTag("VIP", "", time.Time{}).Broadcast.ID
		a.reaches(id, models.Finished)
		a.wantReached(a.sim.Follower(2))
		_ = loop.Sleep(t.Context(), time.Minute)
		a.wire.down.Store(true)
		_, err := a.request(broadcast.Request{Audience: models.AudienceGroups, Groups: tagGroup("员工")})
		wantError(t, err, models.ErrTagsUnchecked)
		_ = loop.Sleep(t.Context(), time.Minute) // until nobody asks any more
		if list, err := a.engine.List(t.Context(), 10); err != nil || len(list) != 1 {
			t.Errorf("%d broadcasts, %v", len(list), err)
		}
	})
}

func wantError(t *testing.T, err error, code string) {
	t.Helper()
	if !isError(err, code) {
		t.Errorf("%v, want %s", err, code)
	}
}

func isError(err error, code string) bool {
	var e *models.Error
	return errors.As(err, &e) && e.Code == code
}

// Another name is no way around the refusal of the same content to the same people.
func TestARenamedTagIsTheSameTag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}})
		id := a.tag("员工", a.some(0, 5)...)
		a.start()
		a.reaches(a.askTag("员工", "", time.Time{}).Broadcast.ID, models.Finished)
		if err := a.sim.RenameTag(id, "同事"); err != nil {
			t.Fatal(err)
		}
		_ = loop.Sleep(t.Context(), time.Minute)
		_, err := a.request(broadcast.Request{Audience: models.AudienceGroups, Groups: tagGroup("同事")})
		wantError(t, err, models.ErrSameMessage)
	})
}

// The rest of a broadcast to a tag is for those who had it then.
func TestTheRestOfABroadcastToATag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 60}, rate: 10})
		id := a.tag("读者", a.some(0, 40)...)
		a.tag("员工", a.some(30, 35)...)
		a.start()
		first := a.askTag("读者", "", time.Time{}).Broadcast.ID
		a.received(5)
		a.cancel(first)
		if err := a.sim.TagPeople(id, false, a.some(0, 40)...); err != nil {
			t.Fatal(err)
		}
		if err := a.sim.TagPeople(id, true, a.some(50, 60)...); err != nil {
			t.Fatal(err)
		}
		_ = loop.Sleep(t.Context(), 20*time.Minute)
		rest, err := a.request(broadcast.Request{Audience: models.AudienceRest, Of: first, Except: tagGroup("员工")})
		if err != nil {
			t.Fatal(err)
		}
		a.reaches(rest.Broadcast.ID, models.Finished)
		var want []string
		for _, openID := range a.some(0, 40) {
			if !slices.Contains(a.some(30, 35), openID) {
				want = append(want, openID)
			}
		}
		a.wantReached(want...)
	})
}

// Whoever leaves, says stop or is known as blacklisted between the plan and their turn is
// not sent to; what the platform's list says is known before the start.
func TestWhoIsTakenOutOfATagsBroadcast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 400}, rate: 20, undo: 10 * time.Second})
		a.tag("读者", a.some(0, 300)...)
		if err := a.sim.Blacklist(true, a.some(290, 300)...); err != nil {
			t.Fatal(err)
		}
		called := map[string]time.Time{}
		a.onSend(func(_ http.ResponseWriter, openID string) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			called[openID] = time.Now()
			return false
		})
		a.start()
		id := a.askTag("读者", "", time.Time{}).Broadcast.ID
		a.received(30)
		changed := time.Now()
		a.exec("UPDATE recipients SET opted_out = 1 WHERE id % 4 = 0")
		a.exec("UPDATE recipients SET subscribed = 0 WHERE id % 4 = 1")
		a.exec("UPDATE recipients SET blacklisted = 1 WHERE id % 4 = 2")
		a.reaches(id, models.Finished)
		for openID, at := range called {
			if at.Sub(changed) > reachableFor && a.recipient(openID)%4 != 3 {
				t.Errorf("%s was called %s after the change", openID, at.Sub(changed))
			}
		}
		for _, openID := range a.some(290, 300) {
			if _, was := called[openID]; was {
				t.Errorf("%s is on the blacklist and was called", openID)
			}
		}
	})
}

// A refusal marks whoever is blacklisted, until the platform lists them no more.
func TestARefusalTellsWhoIsBlacklisted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 40}, undo: 10 * time.Second})
		a.start()
		first := a.ask("", models.AudienceAll)
		_ = loop.Sleep(t.Context(), 5*time.Second) // the list was pulled
		if err := a.sim.Blacklist(true, a.some(0, 3)...); err != nil {
			t.Fatal(err)
		}
		a.reaches(first, models.Finished)
		if c := a.counts(first); c.Failed != 3 {
			t.Errorf("%+v", c)
		}
		blacklisted := func() (n int) {
			if err := a.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM recipients WHERE blacklisted = 1").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := blacklisted(); n != 3 {
			t.Errorf("%d are marked", n)
		}
		if err := a.sim.Blacklist(false, a.some(0, 2)...); err != nil {
			t.Fatal(err)
		}
		_ = loop.Sleep(t.Context(), 10*time.Minute)
		second := a.ask("personal", models.AudienceAll)
		if b := a.reaches(second, models.Finished); b.Recipients != 40 { // and the admin, without the one
			t.Errorf("%d recipients", b.Recipients)
		}
		if n := blacklisted(); n != 1 {
			t.Errorf("%d are marked", n)
		}
	})
}

// A blacklist that can't be had holds up no start for longer than two seconds, and changes
// nothing.
func TestABlacklistThatCanNotBePulled(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(w http.ResponseWriter, r *http.Request){
		"no answer": func(_ http.ResponseWriter, r *http.Request) { _ = loop.Sleep(r.Context(), time.Hour) },
		"refused":   func(w http.ResponseWriter, _ *http.Request) { answer(w, 45009) },
		"cut short": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"total":100,"count":0,"next_openid":""}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 20}})
				a.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/getblacklist") {
						f(w, r)
						return
					}
					a.sim.ServeHTTP(w, r)
				})
				a.exec("UPDATE recipients SET blacklisted = 1 WHERE openid = ?", a.sim.Follower(0))
				a.start()
				id := a.ask("", models.AudienceAll)
				b := a.reaches(id, models.Finished)
				if took := b.FinishedAt.Sub(b.AskedAt.Time); took > 5*time.Second {
					t.Errorf("it took %s", took)
				}
				a.wantReached(append(a.some(1, 20), admin)...)
			})
		})
	}
}

// What the platform kept back is counted for the broadcast that sent it, once, and told
// at its end.
func TestInterceptedMessagesAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 600}})
		const template = "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY"
		a.tag("one", a.some(0, 500)...)
		a.start()
		for i, every := range []int{4, 0, 2} {
			a.sim.Intercept(template, simulator.Intercepting{Every: every})
			asked, err := a.request(broadcast.Request{Audience: models.AudienceGroups, Groups: tagGroup("one"), Again: true})
			if err != nil {
				t.Fatal(err)
			}
			id := asked.Broadcast.ID
			a.reaches(id, models.Finished)
			_ = loop.Sleep(t.Context(), 2*time.Minute)
			if b, want := a.broadcast(id), []int64{125, 0, 250}[i]; b.Intercepted != want {
				t.Errorf("#%d: %d intercepted, want %d", id, b.Intercepted, want)
			}
		}
		if b := a.broadcast(1); b.Intercepted != 125 {
			t.Errorf("the first: %d", b.Intercepted)
		}
	})
}

// A platform that does not tell what it kept back leaves that unknown, and the notice of
// the end comes all the same.
func TestWhatWasInterceptedMayBeUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 6}})
		a.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/wxa/") {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			a.sim.ServeHTTP(w, r)
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		_ = loop.Sleep(t.Context(), 90*time.Second)
		if b := a.broadcast(id); b.Intercepted != -1 || b.NotifiedState != string(models.Finished) {
			t.Errorf("%d intercepted, told %q", b.Intercepted, b.NotifiedState)
		}
	})
}

// Both databases, over a network: a tag, an exception, and the counts of the ledger.
func TestATagOnEachDatabase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{driver: driver, overHTTP: true, concurrency: 32, Options: simulator.Options{Followers: 2500}})
		a.sim.SetTagPage(600)
		a.tag("读者", a.some(0, 2000)...)
		a.tag("员工", a.some(1500, 2500)...)
		a.start()
		id := a.askTag("读者", "员工", time.Time{}).Broadcast.ID
		a.reaches(id, models.Finished)
		a.wantReached(a.some(0, 1500)...)
		if c := a.counts(id); c.Accepted != 1500 {
			t.Errorf("%+v", c)
		}
	})
}
