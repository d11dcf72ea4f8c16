package models_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// An import and an export read what they ask for by an index, however many people and
// deliveries there are beside it.
func TestStatementsOfFilesUseAnIndex(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, plain, 3000)
		b, other := create(t, plain, newBroadcast("1", t0)), create(t, plain, newBroadcast("2", t0))
		fillDeliveries(t, plain, b.ID, ids)
		fillDeliveries(t, plain, other.ID, ids)
		number, err := plain.OpenImport(ctx, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		s, seen := recorded(t, plain)
		some := openIDs(1, 2, 3, 9000)
		var people []models.Confirmed
		var entries []models.Entry
		for i, openID := range some {
			fields := fmt.Sprintf(`{"n":"%d"}`, i)
			people = append(people, models.Confirmed{OpenID: openID, Fields: fields})
			entries = append(entries, models.Entry{OpenID: openID, Fields: fields})
		}
		steps := map[string]func() error{
			"who follows":             func() error { _, err := s.Following(ctx, some); return err },
			"add followers":           func() error { return s.AddConfirmed(ctx, people, t0, number) },
			"save fields":             func() error { return s.SaveFields(ctx, entries, false) },
			"open an import":          func() error { _, err := s.OpenImport(ctx, time.Minute); return err },
			"whether one is open":     func() error { _, err := s.ImportOpen(ctx); return err },
			"a page of followers":     func() error { _, err := s.FollowersAfter(ctx, ids[100], 100); return err },
			"the last of followers":   func() error { _, err := s.FollowersAfter(ctx, ids[2990], 100); return err },
			"a page of deliveries":    func() error { _, err := s.DeliveriesAfter(ctx, b.ID, ids[100], 100); return err },
			"the last of deliveries":  func() error { _, err := s.DeliveriesAfter(ctx, b.ID, ids[2990], 100); return err },
			"whether it is broadcast": func() error { _, err := s.HasBroadcast(ctx, b.ID); return err },
		}
		eachStatement(t, seen, steps, func(name string, st models.Statement) {
			if !strings.Contains(st.Query, " FROM ") && strings.HasPrefix(st.Query, "SELECT") {
				return // the database's clock
			}
			checkPlan(ctx, t, plain, fmt.Sprint("files: ", name), st)
		})
		checkBadPlans(ctx, t, plain)
	})
}

// Who lacks a field is found by an index, on a database with many people who left. Two
// audiences are not here, all and the rest of a broadcast: for those everyone who follows is
// looked at.
func TestWhoLacksAFieldIsFoundByAnIndex(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, plain, 3000)
		var some []int
		for i := range 300 {
			some = append(some, 10*i)
		}
		list := publish(t, plain, "a", t0, some...)
		earlier := create(t, plain, newBroadcast("1", t0))
		fillDeliveries(t, plain, earlier.ID, ids[:400])
		var gone []models.Departure
		for _, id := range ids[400:] {
			gone = append(gone, models.Departure{RecipientID: id, At: models.At(t0.Add(time.Hour))})
		}
		if err := plain.MarkGone(ctx, gone); err != nil {
			t.Fatal(err)
		}
		s, seen := recorded(t, plain)
		listed := newBroadcast("2", t0)
		listed.Audience = models.AudienceGroups
		listed.Target.Groups = []models.Group{{Kind: models.GroupList, Name: "a", Segment: list.SegmentID}}
		about := func(a models.Audience) *models.Broadcast {
			b := newBroadcast(string(a), t0)
			b.Audience, b.OfID = a, earlier.ID
			return b
		}
		for name, c := range map[string]struct {
			b        *models.Broadcast
			everyone bool
			lack     bool
		}{
			"testers":               {about(models.AudienceTest), false, false},
			"a list":                {listed, false, true},
			"a list, and all on it": {listed, true, true},
			"a correction":          {about(models.AudienceReached), false, true},
			"a retry":               {about(models.AudienceRetry), false, false},
		} {
			seen.Take()
			lacks, err := s.Lacking(ctx, c.b, []string{"none"}, c.everyone)
			if err != nil || (len(lacks) > 0) != c.lack {
				t.Errorf("%s: %+v, %v", name, lacks, err)
			}
			for _, st := range seen.Take() {
				checkPlan(ctx, t, plain, fmt.Sprint("lacking: ", name), st)
			}
		}
	})
}
