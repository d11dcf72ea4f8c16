package models_test

import (
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// Every audience is frozen, planned, read and claimed by indexes, whatever groups it has,
// leaves out or had tried first, and a page of it makes no table of a whole group.
func TestPlanningUsesAnIndexForEveryAudience(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, plain, 1000)
		audiences := everyAudience(t, plain, ids)
		s, seen := recorded(t, plain)
		for name, b := range audiences {
			limit := models.Cap{Max: 1, Within: 24 * time.Hour}
			part := models.Batch{BroadcastID: b.ID, AfterID: ids[500], ThroughID: ids[540]}
			begun := models.Batch{BroadcastID: b.ID, AfterID: ids[100], ThroughID: ids[140]}
			canary := models.Batch{BroadcastID: b.ID, AfterID: ids[500], ThroughID: ids[540], SegmentID: b.CanarySegment}
			for _, step := range []struct {
				name string
				do   func() error
			}{
				{"freeze", func() error { again := *b; return s.FreezeAudience(ctx, &again) }},
				{"page", func() error { _, err := s.AudienceIDs(ctx, b, ids[500], 100); return err }},
				{"count", func() error { _, err := s.CountAudience(ctx, b); return err }},
				{"numbers", func() error { _, err := s.CountParts(ctx, b); return err }},
				{"sample", func() error { _, err := s.SampleAudience(ctx, b, 20); return err }},
				{"batch", func() error { _, err := s.Tasks(ctx, b, part); return err }},
				{"canary's batch", func() error { _, err := s.Tasks(ctx, b, canary); return err }},
				{"canary's page", func() error { _, err := s.CanaryIDs(ctx, b, ids[500], 100); return err }},
				{"who is left of the canary", func() error { _, err := s.CanaryOpen(ctx, b); return err }},
				{"who can't be reached", func() error { _, err := s.Unreachable(ctx, b, ids[100:140]); return err }},
				{"batch once more", func() error { _, err := s.Tasks(ctx, b, begun); return err }},
				{"claim under a cap", func() error {
					_, _, err := s.ClaimUnderCap(ctx, b, models.ClaimUnasked, ids[200:240], limit, t0.Add(time.Minute))
					return err
				}},
				{"reachability", func() error { _, err := s.Reachable(ctx, b, ids[5]); return err }},
			} {
				seen.Take()
				if err := step.do(); err != nil {
					t.Errorf("%s, %s: %v", name, step.name, err)
				}
				statements := seen.Take()
				for _, st := range statements {
					checkPlan(ctx, t, plain, name+", "+step.name, st)
					checkNoTable(t, plain, name+", "+step.name, st)
				}
				if len(statements) == 0 && step.name != "numbers" {
					t.Errorf("%s, %s: no statement was seen", name, step.name)
				}
			}
		}
	})
}

// everyAudience makes a frozen broadcast to each kind of audience, of which a part was tried
// first. Half of the people who are in topics changed their mind since.
func everyAudience(t *testing.T, s *models.Store, ids []int64) map[string]*models.Broadcast {
	t.Helper()
	ctx := t.Context()
	topic, other := addTopic(t, s, "lectures"), addTopic(t, s, "books")
	if err := models.FillConsents(ctx, s, []int64{topic, other}, ids); err != nil {
		t.Fatal(err)
	}
	segment := func(kind models.GroupKind, people []int64) int64 {
		id, err := s.AddSegment(ctx, models.Segment{Kind: string(kind), Fields: "[]", Used: true, MadeAt: models.At(t0)})
		if err != nil {
			t.Fatal(err)
		}
		list := make([]models.Member, len(people))
		for i, r := range people {
			list[i] = models.Member{SegmentID: id, RecipientID: r, Fields: `{"no":"1"}`}
		}
		if err := s.AddMembers(ctx, list); err != nil {
			t.Fatal(err)
		}
		return id
	}
	topics := []models.Group{{Kind: models.GroupTopic, ID: topic}, {Kind: models.GroupTopic, ID: other}}
	tags := []models.Group{
		{Kind: models.GroupTag, ID: 100, Segment: segment(models.GroupTag, ids)},
		{Kind: models.GroupTag, ID: 101, Segment: segment(models.GroupTag, ids[:800])},
	}
	lists := []models.Group{
		{Kind: models.GroupList, Name: "a", Segment: segment(models.GroupList, ids[:900])},
		{Kind: models.GroupList, Name: "b", Segment: segment(models.GroupList, ids[100:])},
	}
	all := map[string]*models.Broadcast{}
	add := func(name string, audience models.Audience, of int64, target models.Target) int64 {
		b := newBroadcast(name, t0)
		b.Audience, b.OfID, b.Target, b.Canary = audience, of, target, models.CanaryAsSet
		b = create(t, s, b)
		if err := s.FreezeAudience(ctx, b); err != nil {
			t.Fatal(err)
		}
		if err := s.ChooseCanary(ctx, b, ids[400:600], int64(len(ids)), t0); err != nil {
			t.Fatal(err)
		}
		all[name] = b
		return b.ID
	}
	except := []models.Group{topics[0], tags[0], lists[0]}
	add("all but groups", models.AudienceAll, 0, models.Target{Except: except})
	inTopics := add("topics", models.AudienceGroups, 0, models.Target{Groups: topics, Except: except[1:]})
	add("tags", models.AudienceGroups, 0, models.Target{Groups: tags, Except: topics})
	onLists := add("lists", models.AudienceGroups, 0, models.Target{Groups: lists, Except: topics[:1]})
	for _, id := range []int64{inTopics, onLists} {
		fillDeliveries(t, s, id, ids[:50])
		if _, err := s.MoveBroadcast(ctx, id, models.Move{Event: models.EventCancel}, t0); err != nil {
			t.Fatal(err)
		}
	}
	add("rest of topics", models.AudienceRest, inTopics, models.Target{Groups: topics, Except: except})
	add("rest of lists", models.AudienceRest, onLists, models.Target{Groups: lists, Except: except[:1]})
	add("reached of topics", models.AudienceReached, inTopics, models.Target{Groups: topics, Except: except})
	add("retry of lists", models.AudienceRetry, onLists, models.Target{Groups: lists})
	for i := range 20 {
		say(t, s, modelstest.OpenID(10*i), topic, false, "left")
	}
	return all
}

// checkNoTable fails if MySQL or MariaDB means to make a table of what a subquery finds.
func checkNoTable(t *testing.T, s *models.Store, name string, st models.Statement) {
	t.Helper()
	if !strings.HasPrefix(st.Query, "SELECT") && !strings.Contains(st.Query, "SELECT recipients.id") {
		return
	}
	plan, err := models.Explain(t.Context(), s, st)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	for _, line := range plan {
		if strings.Contains(line, "select_type=MATERIALIZED") || strings.Contains(line, "select_type=DERIVED") || strings.Contains(line, "MATERIALIZE ") {
			t.Errorf("%s makes a table: %s\n%.300s", name, line, st.Query)
		}
	}
}
