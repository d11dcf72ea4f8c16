package broadcast_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/simulator"
)

// everything counts the rows of all tables, but for those that time changes.
func (a *account) everything() map[string]int {
	a.t.Helper()
	n := map[string]int{}
	for _, t := range models.CopyTables {
		if t.Name != "facts" {
			n[t.Name] = a.countRows(t.Name)
		}
	}
	return n
}

// outcome is what an answer to a request says, or why it was refused.
func outcome(asked *broadcast.Created, err error) string {
	if told := new(models.Error); errors.As(err, &told) {
		return told.Error()
	}
	if err != nil {
		return err.Error()
	}
	b := asked.Broadcast
	var parts []string
	for _, p := range asked.Parts {
		parts = append(parts, fmt.Sprint(p.Group.Kind, p.Group.Name, p.Total, p.Away, p.Strangers, p.OptedOut, p.Left))
	}
	return fmt.Sprint(b.State, b.Reason, b.Audience, b.Name, b.Digest, b.OfID, b.Recipients, b.Approvals, b.Canary, b.NotBefore, b.PlannedStart, b.AskedFor,
		asked.Recipients, asked.SyncFirst, asked.Approvers, asked.Announced, asked.Quiet, asked.Instead, asked.Warnings, asked.Message, asked.Template, parts)
}

// A rehearsal says what the request would be answered, whatever it is, and leaves no row.
func TestARehearsalSaysWhatTheRequestDoes(t *testing.T) {
	t.Parallel()
	later := func(a *account) time.Time { return a.now().Add(2 * time.Hour) }
	for name, tt := range map[string]struct {
		set     setup
		prepare func(a *account)
		q       func(a *account) broadcast.Request
	}{
		"to all": {q: func(*account) broadcast.Request { return broadcast.Request{Audience: models.AudienceAll} }},
		"to a list, planned, with a canary": {
			set: setup{canary: 1, undo: time.Minute},
			q: func(a *account) broadcast.Request {
				return broadcast.Request{Message: "到期", Audience: models.AudienceGroups, Groups: listsOf("a"), Canary: true, At: later(a)}
			},
		},
		"to people": {q: func(a *account) broadcast.Request {
			return broadcast.Request{Message: "到期", Recipients: a.to("红楼梦", 1, 2, nobody)}
		}},
		"with approvals": {set: setup{approvals: 1}, q: func(*account) broadcast.Request {
			return broadcast.Request{Audience: models.AudienceAll, Approvals: 2}
		}},
		"in the quiet hours": {set: setup{quiet: "00:00-23:59"}, q: func(*account) broadcast.Request { return broadcast.Request{Audience: models.AudienceAll} }},
		"the same again": {
			prepare: func(a *account) { a.reaches(a.ask("", models.AudienceAll), models.Finished) },
			q:       func(*account) broadcast.Request { return broadcast.Request{Audience: models.AudienceAll} },
		},
		"untested":        {set: setup{requireTest: true}, q: func(*account) broadcast.Request { return broadcast.Request{Audience: models.AudienceAll} }},
		"no such message": {q: func(*account) broadcast.Request { return broadcast.Request{Message: "x", Audience: models.AudienceAll} }},
		"no such list": {q: func(*account) broadcast.Request {
			return broadcast.Request{Audience: models.AudienceGroups, Groups: listsOf("x")}
		}},
		"nobody": {q: func(*account) broadcast.Request { return broadcast.Request{Audience: models.AudienceTest} }},
		"a field that is not there": {q: func(a *account) broadcast.Request {
			return broadcast.Request{Message: "到期", Recipients: a.to("", 1)}
		}},
		"to oneself": {q: func(*account) broadcast.Request { return broadcast.Request{Audience: models.AudienceMe} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				set := tt.set
				set.Options = simulator.Options{Followers: 20}
				a := newAccount(t, set)
				a.write("到期", due...)
				a.list("a", "红楼梦", 1, 2, 3)
				stop := a.start()
				if tt.prepare != nil {
					tt.prepare(a)
				}
				stop() // else it goes on while it is compared
				q, before := tt.q(a), a.everything()
				q.AskedBy = admin
				rehearsed, err := a.engine.Rehearse(t.Context(), q)
				said := outcome(rehearsed, err)
				if err == nil && rehearsed.Broadcast.ID != 0 {
					t.Errorf("it has number %d", rehearsed.Broadcast.ID)
				}
				if diff := cmp.Diff(before, a.everything()); diff != "" {
					t.Errorf("it left rows (-before +after):\n%s", diff)
				}
				asked, err := a.request(q)
				if diff := cmp.Diff(outcome(asked, err), said); diff != "" {
					t.Errorf("said (-request +rehearsal):\n%s", diff)
				}
			})
		})
	}
}

// What a request would end stays as it is after a rehearsal: a paused broadcast whose rest it
// is for.
func TestARehearsalOfTheRestEndsNothing(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{driver: driver, overHTTP: true, rate: 20, Options: simulator.Options{Followers: 60}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(5)
		a.pause(id)
		a.until("the last calls", func() bool { return !a.busy(id) })
		rest := broadcast.Request{Audience: models.AudienceRest, Of: id, AskedBy: admin}
		said, err := a.engine.Rehearse(t.Context(), rest)
		if err != nil || said.Instead != id || said.Recipients == 0 {
			t.Fatalf("%+v, %v", said, err)
		}
		if b := a.broadcast(id); b.State != models.Paused {
			t.Errorf("it is %s", b.State)
		}
		b := a.mustAskOf("", models.AudienceRest, id)
		if b.Broadcast.ID != id+1 || b.Recipients != said.Recipients {
			t.Errorf("the rest is #%d to %d, not %d", b.Broadcast.ID, b.Recipients, said.Recipients)
		}
		a.reaches(b.Broadcast.ID, models.Finished)
		a.everyoneOnce()
	})
}

// Nothing is pulled for a rehearsal: the followers are not known, and a tag has the platform's
// count.
func TestARehearsalPullsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{unpulled: true, Options: simulator.Options{Followers: 20}})
		said, err := a.engine.Rehearse(t.Context(), broadcast.Request{Audience: models.AudienceAll, AskedBy: admin})
		if err != nil || !said.SyncFirst || a.pulls.Load() > 0 {
			t.Errorf("%+v, %v, %d pulls", said, err, a.pulls.Load())
		}
		if err := a.fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.tag("员工", a.some(1, 4)...)
		before := a.everything()
		said, err = a.engine.Rehearse(t.Context(), broadcast.Request{
			Audience: models.AudienceGroups, Groups: []models.Group{{Kind: models.GroupTag, Name: "员工"}}, AskedBy: admin,
		})
		if err != nil || !said.Announced || said.Recipients != 3 || len(said.Parts) != 1 || said.Parts[0].Known {
			t.Errorf("%+v, %v", said, err)
		}
		if diff := cmp.Diff(before, a.everything()); diff != "" {
			t.Errorf("it left rows (-before +after):\n%s", diff)
		}
	})
}
