package models_test

import (
	"fmt"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// toLists stores a broadcast to a list that ended, and leaves out another one.
func toLists(t *testing.T, s *models.Store, key string, to, except models.Group) *models.Broadcast {
	t.Helper()
	b := newBroadcast(key, t0)
	b.Audience = models.AudienceGroups
	b.Target = models.Target{Groups: []models.Group{to}, Except: []models.Group{except}}
	create(t, s, b)
	move(t, s, b, models.EventCancel)
	return b
}

// asGroup is a list as a broadcast has it.
func asGroup(l *models.ListInfo) models.Group {
	return models.Group{Kind: models.GroupList, Name: l.Name, Segment: l.SegmentID}
}

// The people of a list's earlier version go with the last broadcast that was for them;
// those of its present version, and of what another broadcast may still need, stay.
func TestSegmentsGoWithTheirLastBroadcast(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		addRecipients(t, s, 10)
		old, out := asGroup(publish(t, s, "a", t0, 1, 2)), asGroup(publish(t, s, "b", t0, 3))
		first, second := toLists(t, s, "1", old, out), toLists(t, s, "2", old, out)
		publish(t, s, "a", t0.Add(time.Hour), 1, 4)
		left := func(step string, group models.Group, n int) {
			t.Helper()
			if err := s.TidySegments(ctx, t0.Add(2*time.Hour)); err != nil {
				t.Fatal(err)
			}
			if got, err := s.MembersAfter(ctx, group.Segment, 0, 10); len(got) != n || (n > 0) != (err == nil) {
				t.Errorf("%s: %d people of %q, %v, want %d", step, len(got), group.Name, err, n)
			}
		}
		empty := func(b *models.Broadcast) {
			t.Helper()
			if !tally(t, s, b.ID) {
				t.Fatal("it is not tallied")
			}
			emptyIt(t, s, b.ID, 10, func() {})
		}
		left("before", old, 2)
		empty(first)
		left("the second needs them", old, 2)
		empty(second)
		left("nobody needs them", old, 0)
		left("the present version", out, 1)
		later := toLists(t, s, "3", asGroup(publish(t, s, "a", t0.Add(2*time.Hour), 5)), out)
		publish(t, s, "b", t0.Add(3*time.Hour), 6)
		left("used again and replaced", out, 1)
		empty(later)
		left("not used any more", out, 0)
	})
}

// The rest of a broadcast that is not tallied keeps its people, and a canary goes with
// its broadcast.
func TestACanaryGoesWithItsBroadcast(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 20)
		b := tryingFirst(t, s, "1")
		if err := s.ChooseCanary(ctx, b, ids[:5], 20, t0); err != nil {
			t.Fatal(err)
		}
		move(t, s, b, models.EventCancel)
		if !tally(t, s, b.ID) {
			t.Fatal("it is not tallied")
		}
		if got, err := s.MembersAfter(ctx, b.CanarySegment, 0, 10); len(got) != 5 || err != nil {
			t.Errorf("%d people, %v", len(got), err)
		}
		emptyIt(t, s, b.ID, 10, func() {})
		if err := s.TidySegments(ctx, t0); err != nil {
			t.Fatal(err)
		}
		if got, err := s.MembersAfter(ctx, b.CanarySegment, 0, 10); len(got) != 0 || err == nil {
			t.Errorf("%d people are left, %v", len(got), err)
		}
	})
}

// The people who were given for a broadcast go with the last of it and those that are for some
// of its recipients, whichever that is.
func TestGivenPeopleGoWithTheirLastBroadcast(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		addRecipients(t, s, 10)
		for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
			group := given(t, s, "x", 1, 2, 3)
			var all []*models.Broadcast
			for i, to := range []models.Audience{models.AudienceGroups, models.AudienceReached, models.AudienceReached} {
				b := newBroadcast(fmt.Sprint(order, i), t0)
				b.Audience, b.Target = to, models.Target{Groups: []models.Group{group}}
				if i > 0 {
					b.OfID = all[i-1].ID
				}
				create(t, s, b)
				move(t, s, b, models.EventCancel)
				all = append(all, b)
			}
			for n, i := range order {
				if !tally(t, s, all[i].ID) {
					t.Fatal("it is not tallied")
				}
				emptyIt(t, s, all[i].ID, 10, func() {})
				if err := s.TidySegments(t.Context(), t0.Add(2*time.Hour)); err != nil {
					t.Fatal(err)
				}
				want := 3
				if n == len(order)-1 {
					want = 0
				}
				if got, _ := s.MembersAfter(t.Context(), group.Segment, 0, 10); len(got) != want {
					t.Errorf("%v: %d people are left after %d, want %d", order, len(got), n+1, want)
				}
			}
		}
	})
}
