package models_test

import (
	"slices"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// Those with a tag who are unknown, or known from a list alone, follow; those who left
// have left. Nobody is in a segment twice.
func TestThoseWithATagAreAdded(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 3)
		for i, change := range []func(r *models.Recipient){
			0: func(r *models.Recipient) { r.Leave(models.At(t0)) },
			1: func(r *models.Recipient) { r.Subscribed, r.Stranger = false, true },
		} {
			if err := s.ChangeRecipient(ctx, modelstest.OpenID(i), change); err != nil {
				t.Fatal(err)
			}
		}
		id, err := s.AddSegment(ctx, models.Segment{Kind: string(models.GroupTag), Name: "员工", MadeAt: models.At(t0)})
		if err != nil {
			t.Fatal(err)
		}
		page := []string{modelstest.OpenID(9), modelstest.OpenID(0), modelstest.OpenID(1), modelstest.OpenID(9), modelstest.OpenID(2)}
		for range 2 { // a page that comes again changes nothing
			if err := s.AddTagged(ctx, id, page, t0); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.SealSegment(ctx, id); err != nil {
			t.Fatal(err)
		}
		b := newBroadcast("1", t0)
		b.Audience = models.AudienceGroups
		b.Target.Groups = []models.Group{{Kind: models.GroupTag, Name: "员工", ID: 100, Segment: id}}
		b = create(t, s, b)
		if err := s.FreezeAudience(ctx, b); err != nil {
			t.Fatal(err)
		}
		got, err := s.AudienceIDs(ctx, b, 0, 10)
		if err != nil || len(got) != 3 || got[0] != ids[1] || got[1] != ids[2] {
			t.Errorf("audience %v, %v of %v", got, err, ids)
		}
		list, err := s.FindSegments(ctx, []int64{id})
		if err != nil || len(list) != 1 || list[0].Size != 4 || !list[0].Used {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// What was pulled later takes the place of what was pulled before, until the audience is
// fixed; what no broadcast is for is dropped after a while.
func TestATagIsPulledAnewUntilTheAudienceIsFixed(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 2500)
		var segments []int64
		for i := range 4 {
			id, err := s.AddSegment(ctx, models.Segment{Kind: string(models.GroupTag), Name: "员工", MadeAt: models.At(t0.Add(time.Duration(i) * time.Hour))})
			if err != nil {
				t.Fatal(err)
			}
			var members []models.Member
			for _, r := range ids {
				members = append(members, models.Member{SegmentID: id, RecipientID: r})
			}
			if err := s.AddMembers(ctx, members); err != nil {
				t.Fatal(err)
			}
			segments = append(segments, id)
		}
		b := newBroadcast("1", t0)
		b.Target.Except = []models.Group{{Kind: models.GroupTag, Name: "员工", ID: 100}}
		b = create(t, s, b)
		if err := s.FreezeAudience(ctx, b); err == nil {
			t.Error("an audience was fixed without those whom it leaves out")
		}
		for i, own := range [][]int64{nil, segments[:1]} {
			got, err := s.SetPulled(ctx, b.ID, map[int64]int64{100: segments[i]}, own)
			if err != nil || got.Except[0].Segment != segments[i] {
				t.Errorf("pull %d: %+v, %v", i, got, err)
			}
		}
		if err := s.FreezeAudience(ctx, b); err != nil {
			t.Fatal(err)
		}
		got, err := s.SetPulled(ctx, b.ID, map[int64]int64{100: segments[2]}, segments[1:2])
		if err != nil || got.Except[0].Segment != segments[1] || b.Target.Except[0].Segment != segments[1] {
			t.Errorf("after it was fixed: %+v, %v", got, err)
		}
		if err := s.DropPulled(ctx, t0.Add(150*time.Minute)); err != nil {
			t.Fatal(err)
		}
		left, err := s.FindSegments(ctx, segments)
		if err != nil || len(left) != 2 || left[0].ID != segments[1] || left[1].ID != segments[3] {
			t.Errorf("left are %+v, %v", left, err)
		}
		if n, err := s.CountAudience(ctx, b); err != nil || n != 0 {
			t.Errorf("%d, %v", n, err)
		}
		// Of the segments that are gone, nobody is left behind.
		for i, want := range []int64{0, 2500, 0, 2500} {
			probe := newBroadcast("probe", t0)
			probe.Audience = models.AudienceGroups
			probe.Target.Groups = []models.Group{{Kind: models.GroupTag, ID: 100, Segment: segments[i]}}
			if n, err := s.CountAudience(ctx, probe); err != nil || n != want {
				t.Errorf("segment %d: %d, %v", i, n, err)
			}
		}
	})
}

func TestTheBlacklistIsTakenOver(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 5)
		if err := s.MarkBlacklisted(ctx, []int64{ids[4], ids[0]}); err != nil {
			t.Fatal(err)
		}
		b := newBroadcast("1", t0)
		for _, step := range []struct {
			list []string
			want []int64
		}{
			{[]string{modelstest.OpenID(1), modelstest.OpenID(0), modelstest.OpenID(77)}, ids[2:]},
			{nil, ids},
		} {
			if _, err := s.SetBlacklist(ctx, step.list); err != nil {
				t.Fatal(err)
			}
			got, err := s.AudienceIDs(ctx, b, 0, 10)
			if err != nil || !slices.Equal(got, step.want) {
				t.Errorf("with %v: %v, %v, want %v", step.list, got, err, step.want)
			}
		}
	})
}

// What is asked of tags, the blacklist and interceptions finds its rows by an index.
func TestStatementsAboutGroupsUseAnIndex(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, plain, 1000)
		b := create(t, plain, newBroadcast("1", t0))
		other := create(t, plain, newBroadcast("2", t0))
		fillDeliveries(t, plain, b.ID, ids[:800])
		fillDeliveries(t, plain, other.ID, ids)
		var segments []int64
		for range 2 {
			id, err := plain.AddSegment(ctx, models.Segment{Kind: string(models.GroupTag), Used: true, MadeAt: models.At(t0)})
			if err != nil {
				t.Fatal(err)
			}
			var members []models.Member
			for _, r := range ids {
				members = append(members, models.Member{SegmentID: id, RecipientID: r})
			}
			if err := plain.AddMembers(ctx, members); err != nil {
				t.Fatal(err)
			}
			segments = append(segments, id)
		}
		s, seen := recorded(t, plain)
		some := []string{modelstest.OpenID(1), modelstest.OpenID(2), modelstest.OpenID(1000)}
		tagged := newBroadcast("tagged", t0)
		tagged.Audience = models.AudienceGroups
		tagged.Target = models.Target{
			Groups: []models.Group{{Kind: models.GroupTag, ID: 100, Segment: segments[0]}},
			Except: []models.Group{{Kind: models.GroupTag, ID: 101, Segment: segments[1]}},
		}
		eachStatement(t, seen, map[string]func() error{
			"a page of a tag":        func() error { return s.AddTagged(ctx, segments[0], some, t0) },
			"the size of a tag":      func() error { return s.SealSegment(ctx, segments[0]) },
			"the blacklist":          func() error { _, err := s.SetBlacklist(ctx, some[:1]); return err },
			"the blacklist's end":    func() error { _, err := s.SetBlacklist(ctx, nil); return err },
			"a send to a listed one": func() error { return s.MarkBlacklisted(ctx, ids[:3]) },
			"who was sent to":        func() error { _, err := s.SentBy(ctx, []int64{b.ID, other.ID}, some); return err },
			"audience of a tag":      func() error { _, err := s.AudienceIDs(ctx, tagged, ids[100], 100); return err },
		}, func(name string, st models.Statement) {
			checkPlan(ctx, t, plain, name, st)
		})
	})
}
