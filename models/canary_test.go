package models_test

import (
	"sync"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// tryingFirst is a broadcast that runs, frozen, and of which some are to be tried first.
func tryingFirst(t *testing.T, s *models.Store, key string) *models.Broadcast {
	t.Helper()
	b := newBroadcast(key, t0)
	b.Canary = models.CanaryAsSet
	b = create(t, s, b)
	if _, err := s.MoveBroadcast(t.Context(), b.ID, models.Move{Event: models.EventDue}, t0); err != nil {
		t.Fatal(err)
	}
	if err := s.FreezeAudience(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return b
}

// Of several processes that choose a canary at the same moment, one decides for all.
func TestACanaryIsChosenOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, 100)
		b := tryingFirst(t, s, "1")
		chosen := make([]models.Broadcast, 4)
		var all sync.WaitGroup
		for i := range chosen {
			chosen[i] = *b
			all.Go(func() {
				mine := ids[10*i : 10*i+10]
				if i == 3 { // one finds that there is nothing to try first
					mine = nil
				}
				if err := s.ChooseCanary(t.Context(), &chosen[i], mine, 100, t0); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		row := stored(t, s, b.ID)
		for _, c := range chosen {
			if c.Canary != row.Canary || c.CanarySegment != row.CanarySegment {
				t.Errorf("%d in %d, the database has %d in %d", c.Canary, c.CanarySegment, row.Canary, row.CanarySegment)
			}
		}
		members, err := s.CanaryIDs(t.Context(), &chosen[0], 0, 100)
		switch {
		case err != nil:
			t.Fatal(err)
		case row.CanarySegment == 0 && row.Canary == 0: // the one without a canary came first
		case row.Canary != 10 || len(members) != 10 || row.Recipients != 100 || (members[0]-ids[0])%10 != 0:
			t.Errorf("%+v: %d", row, members)
		}
		if others, err := s.AudienceIDs(t.Context(), &chosen[0], 0, 200); err != nil || len(others) != 100-int(row.Canary) {
			t.Errorf("%d are left, %v", len(others), err)
		}
	})
}

// Only the pause after its canary lets a broadcast go to the others, and nothing ends it
// before.
func TestABroadcastDoesNotEndWithItsCanary(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, 100)
		b := tryingFirst(t, s, "1")
		move := func(m models.Move) bool {
			moved, err := s.MoveBroadcast(t.Context(), b.ID, m, t0)
			if err != nil {
				t.Fatal(err)
			}
			return moved
		}
		if err := s.ChooseCanary(t.Context(), b, ids[:10], 100, t0); err != nil {
			t.Fatal(err)
		}
		for _, m := range []models.Move{
			{Event: models.EventPause, Reason: models.ReasonAdmin},
			{Event: models.EventResume},
			{Event: models.EventDue},
			{Event: models.EventStop, Reason: models.ReasonAccount},
			{Event: models.EventResume},
			{Event: models.EventDue},
		} {
			if !move(m) || !stored(t, s, b.ID).TriesFirst() {
				t.Errorf("%+v: %+v", m, stored(t, s, b.ID))
			}
		}
		if move(models.Move{Event: models.EventFinish}) {
			t.Error("finished with its canary")
		}
		if !move(models.Move{Event: models.EventStop, Reason: models.ReasonCanary}) {
			t.Error("not paused")
		}
		for _, m := range []models.Event{models.EventDue, models.EventGoOn, models.EventPause, models.EventHalt, models.EventMiss, models.EventFinish} {
			if move(models.Move{Event: m}) {
				t.Errorf("%s moves it", m)
			}
		}
		if row := stored(t, s, b.ID); !row.AwaitsWord() || row.TriesFirst() {
			t.Errorf("%+v", row)
		}
		if !move(models.Move{Event: models.EventResume}) || !move(models.Move{Event: models.EventDue}) {
			t.Error("it does not go on")
		}
		if move(models.Move{Event: models.EventStop, Reason: models.ReasonCanary}) {
			t.Error("it pauses after its canary once more")
		}
		if !move(models.Move{Event: models.EventFinish}) {
			t.Error("it does not end")
		}
	})
}

// What is asked for each batch of a broadcast with a canary, and while it waits, finds its
// rows by an index.
func TestStatementsOfACanaryUseAnIndex(t *testing.T) {
	t.Parallel()
	const people, tried = 1000, 100
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, plain, people)
		b := tryingFirst(t, plain, "1")
		fillDeliveries(t, plain, create(t, plain, newBroadcast("2", t0)).ID, ids)
		if err := plain.ChooseCanary(ctx, b, ids[:tried], people, t0); err != nil {
			t.Fatal(err)
		}
		for i := range 20 { // segments of others
			id, err := plain.AddSegment(ctx, models.Segment{Kind: models.SegmentCanary})
			if err != nil {
				t.Fatal(err)
			}
			var members []models.Member
			for _, r := range ids[i*tried/2%900:][:tried] {
				members = append(members, models.Member{SegmentID: id, RecipientID: r})
			}
			if err := plain.AddMembers(ctx, members); err != nil {
				t.Fatal(err)
			}
		}
		fillDeliveries(t, plain, b.ID, ids[:tried])
		s, seen := recorded(t, plain)
		mine := models.Batch{BroadcastID: b.ID, AfterID: ids[10], ThroughID: ids[50], SegmentID: b.CanarySegment}
		others := models.Batch{BroadcastID: b.ID, AfterID: ids[50], ThroughID: ids[150]}
		eachStatement(t, seen, map[string]func() error{
			"a page of the canary":       func() error { _, err := s.CanaryIDs(ctx, b, ids[10], 50); return err },
			"a page of the others":       func() error { _, err := s.AudienceIDs(ctx, b, ids[10], 50); return err },
			"read a batch of the canary": func() error { _, err := s.Tasks(ctx, b, mine); return err },
			"read a batch of the others": func() error { _, err := s.Tasks(ctx, b, others); return err },
			"who is left of the canary":  func() error { _, err := s.CanaryOpen(ctx, b); return err },
			"outstanding receipts":       func() error { _, _, err := s.Outstanding(ctx, b.ID); return err },
		}, func(name string, st models.Statement) {
			checkPlan(ctx, t, plain, name, st)
		})
	})
}
