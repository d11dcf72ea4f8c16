package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

func TestAPlannedBroadcastStartsAtItsTime(t *testing.T) {
	t.Parallel()
	for _, to := range []models.Audience{models.AudienceMe, models.AudienceTest, models.AudienceAll} {
		t.Run(string(to), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 600}, undo: 10 * time.Second, rate: 100})
				a.exec("UPDATE recipients SET tester = 1 WHERE id <= 500")
				a.start()
				at := time.Now().Add(time.Minute)
				id := a.plan(to, at)
				_ = loop.Sleep(t.Context(), time.Minute-time.Second)
				if b := a.broadcast(id); b.State != models.Scheduled || a.calls() > 0 || len(a.told()) > 0 {
					t.Fatalf("%s after %d calls, told %q", b.State, a.calls(), a.told())
				}
				a.letNoticesIn()
				// Whoever joined meanwhile is in.
				late := "oLate-00000000000000000000-L"
				if err := a.sim.Follow(t.Context(), late); err != nil {
					t.Fatal(err)
				}
				if err := a.store.EnsureRecipient(t.Context(), late, time.Now()); err != nil {
					t.Fatal(err)
				}
				b := a.reaches(id, models.Finished)
				if early := at.Sub(b.StartedAt.Time); early > 0 || early < -2*time.Second {
					t.Errorf("started %s before its time", early)
				}
				a.audit(id)
				_ = loop.Sleep(t.Context(), receiptsLate)
				ends := fmt.Sprintf("finished #%d  taken=%d failed=0 uncertain=0", id, b.Recipients)
				if to == models.AudienceMe { // it was over before the admin could be told of its start
					a.wantTold(ends)
					return
				}
				told := a.told()
				if len(told) != 2 || !strings.HasPrefix(told[0], "started #1") || told[1] != ends {
					t.Errorf("%q", told)
				}
				got, _ := a.sim.Ledger(late)
				if want := map[models.Audience]int{models.AudienceAll: 1}[to]; len(got) != want {
					t.Errorf("who joined before the start received %d", len(got))
				}
			})
		})
	}
}

func TestTheUndoWindowHoldsForAPlannedStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 5}, undo: 10 * time.Second})
		a.start()
		id := a.plan(models.AudienceAll, time.Now().Add(2*time.Second))
		_ = loop.Sleep(t.Context(), 9*time.Second)
		if a.calls() > 0 {
			t.Error("it started within the undo window")
		}
		// Another start cuts it no shorter.
		if _, err := a.engine.Reschedule(t.Context(), id, time.Now().Add(time.Second), admin); err != nil {
			t.Fatal(err)
		}
		_ = loop.Sleep(t.Context(), 9*time.Second)
		if a.calls() > 0 {
			t.Error("it started within the undo window of another start")
		}
		a.reaches(id, models.Finished)
		a.everyoneOnce()
	})
}

// The server is down from a moment to another one, both counted from the planned start.
func TestAPlannedStartSurvivesRestarts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		from, to time.Duration
		signs    bool   // signs of life were written before it
		waits    string // the reason, if it waits for a word
	}{
		{"before it", -50 * time.Second, -10 * time.Second, true, ""},
		{"until it", -10 * time.Second, 0, true, ""},
		{"at it", -time.Millisecond, 10 * time.Second, true, ""},
		{"while it starts", 200 * time.Millisecond, time.Minute, true, ""},
		{"while it is sent", 2 * time.Second, 8 * time.Minute, true, ""},
		{"over it, for minutes", -time.Second, 8 * time.Minute, true, ""},
		{"over it, for longer than a message can be sent again", -time.Second, 10 * time.Minute, true, models.ReasonRestored},
		{"over it, for days", -time.Second, 50 * time.Hour, true, models.ReasonRestored},
		{"over it, without signs, while it is sent", 2 * time.Second, 3 * time.Hour, false, ""},
		{"over it, without signs, nearly for an hour", -time.Second, 59 * time.Minute, false, ""},
		{"over it, without signs, for an hour", -time.Second, time.Hour + time.Second, false, models.ReasonMissed},
		{"over it, without signs, for days", -time.Second, 50 * time.Hour, false, models.ReasonMissed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, undo: 10 * time.Second, rate: 100, signs: test.signs})
				stop := a.start()
				at := time.Now().Add(time.Minute)
				id := a.plan(models.AudienceAll, at)
				_ = loop.Sleep(t.Context(), time.Minute+test.from)
				stop()
				_ = loop.Sleep(t.Context(), test.to-test.from)
				a.letNoticesIn()
				a.engine = a.newEngine()
				a.start()
				if test.waits == "" {
					a.finishes(id, 301)
					if b := a.broadcast(id); b.StartedAt.Before(at) {
						t.Errorf("started at %s", b.StartedAt)
					}
					return
				}
				if b := a.reaches(id, models.Paused); b.Reason != test.waits || !b.ResumeAt.IsZero() {
					t.Errorf("%q until %s", b.Reason, b.ResumeAt)
				}
				_ = loop.Sleep(t.Context(), 20*time.Second)
				if a.calls() > 0 {
					t.Errorf("%d calls", a.calls())
				}
				a.wantTold("paused #1 " + test.waits + " taken=0 failed=0 uncertain=0")
			})
		})
	}
}

// What an admin may say of a start that was missed.
func TestAMissedStart(t *testing.T) {
	t.Parallel()
	tests := map[string]func(a *account, id int64){
		"resume": func(a *account, id int64) {
			a.resume(id)
			a.finishes(id, 21)
		},
		"reschedule": func(a *account, id int64) {
			at := time.Now().Add(time.Minute)
			b, err := a.engine.Reschedule(a.t.Context(), id, at, admin)
			if err != nil || b.State != models.Scheduled || b.Reason != "" {
				a.t.Fatalf("%+v, %v", b, err)
			}
			_ = loop.Sleep(a.t.Context(), time.Minute-time.Second)
			if a.calls() > 0 {
				a.t.Error("it started before its new time")
			}
			a.finishes(id, 21)
		},
		"cancel": func(a *account, id int64) {
			a.cancel(id)
			_ = loop.Sleep(a.t.Context(), 20*time.Second)
			if a.calls() > 0 {
				a.t.Errorf("%d calls", a.calls())
			}
		},
	}
	for name, say := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 20}, undo: 10 * time.Second})
				id := a.plan(models.AudienceAll, time.Now().Add(time.Hour))
				_ = loop.Sleep(t.Context(), 3*time.Hour)
				a.start()
				a.reaches(id, models.Paused)
				say(a, id)
			})
		})
	}
}

// Another engine stands by, or takes over at that moment: it starts once.
func TestAPlannedStartComesOnceWhateverTheReplicas(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{-time.Second, 0, 300 * time.Millisecond, 2 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 100})
				stop := a.start()
				for range 2 {
					a.run(a.newEngine())
				}
				id := a.plan(models.AudienceAll, time.Now().Add(20*time.Second))
				_ = loop.Sleep(t.Context(), 20*time.Second+after)
				stop()
				a.finishes(id, 301)
			})
		})
	}
}

func TestAPauseOutlastsThePlannedStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}, undo: 10 * time.Second})
		a.start()
		id := a.plan(models.AudienceAll, time.Now().Add(15*time.Second))
		a.pause(id)
		b, err := a.engine.Reschedule(t.Context(), id, time.Now().Add(20*time.Second), admin)
		if err != nil || b.State != models.Paused || b.Reason != models.ReasonAdmin {
			t.Fatalf("%+v, %v", b, err)
		}
		_ = loop.Sleep(t.Context(), time.Minute)
		if b := a.broadcast(id); b.State != models.Paused || b.Reason != models.ReasonAdmin || a.calls() > 0 {
			t.Fatalf("%s %s after %d calls", b.State, b.Reason, a.calls())
		}
		a.resume(id)
		a.finishes(id, 21)
	})
}

func TestReschedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, undo: 10 * time.Second, rate: 20})
		a.start()
		id := a.plan(models.AudienceAll, time.Now().Add(20*time.Second))
		soon := a.ask("personal", models.AudienceMe)
		a.reaches(soon, models.Finished)
		begun := a.calls()
		for _, in := range []time.Duration{time.Hour, 15 * time.Second, time.Minute} { // later, sooner, later
			if _, err := a.engine.Reschedule(t.Context(), id, time.Now().Add(in), admin); err != nil {
				t.Fatal(err)
			}
		}
		list, err := a.engine.Waiting(t.Context())
		if err != nil || len(list) != 1 || list[0].ID != id || time.Until(list[0].NotBefore.Time) != time.Minute {
			t.Errorf("%+v, %v", list, err)
		}
		_ = loop.Sleep(t.Context(), time.Minute-time.Second)
		if a.calls() > begun {
			t.Error("it started before its time")
		}
		a.reaches(id, models.Running)
		refuses := func(when string, id int64, code string) {
			t.Helper()
			if _, err := a.engine.Reschedule(t.Context(), id, time.Now().Add(time.Hour), admin); errorCode(err) != code {
				t.Errorf("%s: %v, want %s", when, err, code)
			}
		}
		refuses("while it runs", id, models.ErrBegun)
		a.pause(id)
		refuses("while it is paused, having begun", id, models.ErrBegun)
		a.resume(id)
		a.reaches(id, models.Finished)
		refuses("when it has ended", id, models.ErrWrongState)
		refuses("one that is not there", 99, models.ErrBroadcastUnknown)
		a.everyoneOnceBut(admin)
	})
}

// everyoneOnceBut is everyoneOnce, but for one who got another message as well.
func (a *account) everyoneOnceBut(other string) {
	a.t.Helper()
	for _, openID := range a.people() {
		got, _ := a.sim.Ledger(openID)
		if want := 1 + len(slices.DeleteFunc([]string{other}, func(o string) bool { return o != openID })); len(got) != want {
			a.t.Errorf("%s received %d, want %d", openID, len(got), want)
		}
	}
}

// Of a broadcast that waits, the same may not be asked for again.
func TestWhatIsPlannedCountsAsTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 5}})
		id := a.plan(models.AudienceAll, time.Now().Add(100*time.Hour))
		_ = loop.Sleep(t.Context(), 30*time.Hour)
		_, err := a.tryAsk("", models.AudienceAll, false)
		var told *models.Error
		if !errors.As(err, &told) || told.Code != models.ErrSameMessage || told.Args["ID"] != id {
			t.Errorf("%v", err)
		}
	})
}

// What the platform says of the template is asked again before a planned start.
func TestTheTemplateOfAPlannedBroadcast(t *testing.T) {
	t.Parallel()
	const list = `{"template_list":[{"template_id":"ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY","title":"x","content":"%s"}]}`
	tests := []struct {
		name, content, detail string
		to                    models.BroadcastState
	}{
		{"the same", "a:{{thing1.DATA}} b:{{time2.DATA}} c:{{keyword3.DATA}}", "", models.Finished},
		{"with another field", "a:{{thing1.DATA}} b:{{time2.DATA}} c:{{keyword3.DATA}} d:{{thing4.DATA}}", "d(thing4)", models.Failed},
		{"with a field renamed", "a:{{thing5.DATA}} b:{{time2.DATA}} c:{{keyword3.DATA}}", "a(thing5), thing1", models.Failed},
		{"gone", "", "", models.Failed},
		{"not told", "mute", "", models.Finished},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 5}, undo: time.Second})
				a.start()
				id := a.plan(models.AudienceAll, time.Now().Add(10*time.Second)) // the list of a moment ago must not do
				changed := fmt.Sprintf(list, test.content)
				switch test.content {
				case "":
					a.wire.bare.Store(true)
				case "mute":
					a.wire.mute.Store(true)
				default:
					a.wire.templates.Store(&changed)
				}
				b := a.reaches(id, test.to)
				if test.to == models.Finished {
					a.everyoneOnce()
					return
				}
				if b.Reason != models.ReasonTemplate || b.Detail != test.detail || a.calls() > 0 {
					t.Errorf("%q %q after %d calls", b.Reason, b.Detail, a.calls())
				}
				_ = loop.Sleep(t.Context(), 10*time.Second)
				a.wantTold("failed #1 template taken=0 failed=0 uncertain=0")
			})
		})
	}
}

func TestTheQuotaOfAPlannedBroadcast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		beforeMidnight()
		a := newAccount(t, setup{Options: simulator.Options{Followers: 100, Limits: simulator.Limits{SendDaily: 101}}})
		a.start()
		id := a.plan(models.AudienceAll, time.Now().Add(15*time.Second))
		a.reaches(a.ask("personal", models.AudienceAll), models.Finished) // uses all of it
		begun := a.calls()
		b := a.reaches(id, models.Paused)
		if b.Reason != models.ReasonQuota || !b.ResumeAt.Equal(time.Date(2000, 1, 1, 16, 0, 0, 0, time.UTC)) || a.calls() != begun {
			t.Errorf("%s until %s after %d calls", b.Reason, b.ResumeAt, a.calls()-begun)
		}
		_ = loop.Sleep(t.Context(), time.Until(b.ResumeAt.Time))
		if b := a.reaches(id, models.Finished); b.Recipients != 101 {
			t.Errorf("%d recipients", b.Recipients)
		}
		if twice := a.sim.Received(3, -1, 5); len(twice) > 0 || a.sim.Stats().Accepted != 202 {
			t.Errorf("%d accepted, more than twice: %v", a.sim.Stats().Accepted, twice)
		}
	})
}

func TestAQuotaThatIsTooSmallIsToldAtTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 100, Limits: simulator.Limits{SendDaily: 60}}, rate: 10})
		a.start()
		a.plan(models.AudienceAll, time.Now().Add(15*time.Second))
		_ = loop.Sleep(t.Context(), 19*time.Second)
		if told := a.told(); len(told) != 1 || !strings.HasPrefix(told[0], "started #1") || !strings.HasSuffix(told[0], " quota") {
			t.Errorf("%q", told)
		}
	})
}

// A reminder that the platform refuses is kept, and that of the end comes all the same.
func TestARefusedReminderOfAPlannedStartIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 20})
		_ = loop.Sleep(t.Context(), 49*time.Hour) // since the admin's last word
		stop := a.start()
		id := a.plan(models.AudienceAll, time.Now().Add(15*time.Second))
		_ = loop.Sleep(t.Context(), 20*time.Second)
		kept, err := a.notifier(a.engine).Kept(t.Context(), admin, "m:1")
		if err != nil || len(kept) != 1 || kept[0].ID != id || kept[0].State != models.Running {
			t.Fatalf("kept: %+v, %v", kept, err)
		}
		a.letNoticesIn()
		stop() // told or kept, it is not told again by another process
		a.engine = a.newEngine()
		a.start()
		a.reaches(id, models.Finished)
		_ = loop.Sleep(t.Context(), receiptsLate)
		a.wantTold("finished #1  taken=301 failed=0 uncertain=0")
	})
}

// The database takes longer than the chat waits: the start stays the planned one.
func TestALateAnswerMovesNoPlannedStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 5}, undo: 10 * time.Second})
		a.start()
		at := time.Now().Add(time.Minute)
		// Less than what is kept for the reply, so nothing is waited for.
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := a.engine.Create(ctx, broadcast.Request{Audience: models.AudienceAll, AskedBy: admin, RequestKey: "late", At: at})
		if errorCode(err) != models.ErrNotKnownYet {
			t.Fatalf("%v", err)
		}
		a.until("the request being stored", func() bool { return len(a.told()) > 0 })
		b := a.broadcast(0)
		if !b.NotBefore.Equal(at) || !b.PlannedStart.Equal(at) {
			t.Errorf("not before %s, planned for %s, want %s", b.NotBefore, b.PlannedStart, at)
		}
		a.finishes(b.ID, 6)
	})
}
