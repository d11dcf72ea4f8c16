package broadcast_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// Replicas share the work of a canary, and none of them goes beyond it, whichever
// coordinates and whatever Redis forgets.
func TestReplicasStopAtTheEndOfACanary(t *testing.T) {
	t.Parallel()
	const people, few = 2001, 700
	a, engines := replicas(t, setup{
		canary:  few,
		Options: simulator.Options{Followers: people - 1, Faults: simulator.Faults{Latency: 5 * time.Millisecond, CutAccepted: 0.01}},
	}, 2)
	stop := a.run(engines[0])
	a.run(engines[1])
	id := a.askCanary(broadcast.Request{}).ID
	a.received(few / 3)
	stop() // the other one coordinates from now on
	a.received(few)
	for _, c := range a.sim.Received(1, -1, few) {
		a.receipt(c.OpenID, "success")
	}
	a.awaitsWord(id, few)
	forget(t, a.set.cluster)
	a.engine = a.newEngine()
	a.run(a.engine)
	a.quiet(3 * time.Second)
	a.resume(id)
	a.received(few + 300)
	a.reaches(id, models.Finished)
	a.audit(id)
	a.everyoneOnce()
}

// A canary of groups is of those in them and of nobody who is left out, with the fields of
// the list, on both databases.
func TestACanaryOfGroupsOnEachDatabase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{driver: driver, overHTTP: true, canary: 30, Options: simulator.Options{Followers: 600}})
		ctx := t.Context()
		a.messages.Set(strings.Replace(messageFile, "{{.Scene}}", "{{.Fields.n}}", 1))
		one, two, staff := a.segment("one", 0, 300), a.segment("two", 200, 400), a.segment("staff", 250, 260)
		for _, group := range []models.List{{Folded: "one", SegmentID: one}, {Folded: "two", SegmentID: two}, {Folded: "staff", SegmentID: staff}} {
			a.exec("INSERT INTO lists (folded, name, segment_id, changed_by, changed_at) VALUES (?, ?, ?, '', 0)", group.Folded, group.Folded, group.SegmentID)
		}
		a.start()
		b := a.askCanary(broadcast.Request{
			Message: "personal", Audience: models.AudienceGroups, Groups: []models.Group{{Kind: models.GroupList, Name: "one"}, {Kind: models.GroupList, Name: "two"}},
			Except: []models.Group{{Kind: models.GroupList, Name: "staff"}},
		})
		a.until("the canary being sent", func() bool { return a.counts(b.ID).Accepted == 30 })
		for _, c := range a.sim.Received(1, -1, 30) {
			a.receipt(c.OpenID, "success")
		}
		a.awaitsWord(b.ID, 30)
		if got := a.got(); got[0] > a.recipient(a.sim.Follower(0))+30 || got[29] < a.recipient(a.sim.Follower(399))-30 {
			t.Errorf("it is not spread out: %d", got)
		}
		// One leaves before the resume, and one was tried already.
		gone := a.sim.Follower(399)
		if slices.Contains(a.got(), a.recipient(gone)) {
			gone = a.sim.Follower(398)
		}
		err := a.store.ChangeRecipient(context.WithoutCancel(ctx), gone, func(r *models.Recipient) { r.OptedOut = true })
		if err != nil {
			t.Fatal(err)
		}
		_ = loop.Sleep(ctx, time.Second)
		a.resume(b.ID)
		a.reaches(b.ID, models.Finished)
		a.audit(b.ID)
		for i := range 600 {
			openID, want := a.sim.Follower(i), 1
			if i >= 400 || i >= 250 && i < 260 || openID == gone {
				want = 0
			}
			got, _ := a.sim.Ledger(openID)
			if len(got) != want {
				t.Errorf("follower %d received %d, want %d", i, len(got), want)
				continue
			}
			if want == 1 && got[0].Content.Data["keyword3"].Value != fmt.Sprint(i) {
				t.Errorf("follower %d read %q", i, got[0].Content.Data)
			}
		}
		if end := a.broadcast(b.ID); end.Recipients != 389 {
			t.Errorf("%d recipients", end.Recipients)
		}
	})
}

// segment stores the followers from one number to another, exclusive, as a list.
func (a *account) segment(name string, from, to int) int64 {
	a.t.Helper()
	id, err := a.store.AddSegment(a.t.Context(), models.Segment{Kind: string(models.GroupList), Name: name, Size: int64(to - from), Fields: "[]"})
	if err != nil {
		a.t.Fatal(err)
	}
	var members []models.Member
	for i := from; i < to; i++ {
		members = append(members, models.Member{SegmentID: id, RecipientID: a.recipient(a.sim.Follower(i)), Fields: fmt.Sprintf(`{"n":"%d"}`, i)})
	}
	if err := a.store.AddMembers(a.t.Context(), members); err != nil {
		a.t.Fatal(err)
	}
	return id
}
