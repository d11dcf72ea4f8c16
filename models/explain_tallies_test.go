package models_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// The deletion of deliveries finds them by their key, a group at a time, and what is
// asked of a broadcast whose deliveries are deleted reads its tally alone. Only the tally
// itself reads all deliveries of a broadcast, once.
func TestTheDeletionOfDeliveriesUsesAnIndex(t *testing.T) {
	t.Parallel()
	const people = 2000
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, plain, people)
		var all []*models.Broadcast
		for _, key := range []string{"1", "2", "3"} {
			b := create(t, plain, newBroadcast(key, t0))
			fillDeliveries(t, plain, b.ID, ids)
			if err := plain.AddBatches(ctx, manyBatches(b.ID, 300)); err != nil {
				t.Fatal(err)
			}
			move(t, plain, b, models.EventCancel)
			all = append(all, stored(t, plain, b.ID))
		}
		gone, b, rest := all[0], all[1], newBroadcast("rest", t0)
		rest.Audience, rest.OfID = models.AudienceRest, all[2].ID
		if !tally(t, plain, gone.ID) {
			t.Fatal("it is not tallied")
		}
		s, seen := recorded(t, plain)
		steps := []struct {
			name string
			// whole says that it may read all deliveries of one broadcast, and sorts that it
			// may sort a few groups of these, or a few broadcasts.
			whole, sorts bool
			do           func() error
		}{
			{"what ended", false, false, func() error { _, err := s.Ended(ctx, t0.Add(time.Hour)); return err }},
			{"tally", true, true, func() error { _, err := s.TallyBroadcast(ctx, b.ID, t0); return err }},
			{"delete a group", false, false, func() error { _, err := s.DropDeliveries(ctx, b.ID, ids[100], 500); return err }},
			{"delete the last group", false, false, func() error { _, err := s.DropDeliveries(ctx, b.ID, ids[people-100], 500); return err }},
			{"delete batches", false, false, func() error { _, err := s.DropBatches(ctx, b.ID, 100); return err }},
			{"end", false, false, func() error { return s.MarkEmptied(ctx, b.ID) }},
			{"is it deleted", false, false, func() error { _, err := s.DeliveriesGone(ctx, b.ID); return err }},
			{"refuse", false, true, func() error { return s.RefuseDeleted(ctx, rest) }},
			{"what the cap lacks", false, false, func() error {
				_, err := s.LastUncounted(ctx, models.Cap{Max: 1, Within: time.Hour}, t0)
				return err
			}},
		}
		for _, step := range steps {
			seen.Take()
			if err := step.do(); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
			statements := seen.Take()
			if len(statements) == 0 {
				t.Errorf("%s: no statement seen", step.name)
			}
			for _, st := range statements {
				if !step.sorts {
					checkPlan(ctx, t, plain, step.name, st)
				}
				if !step.whole {
					checkGroupOnly(t, plain, step.name, st)
				}
			}
		}
	})
}

// checkGroupOnly fails if a statement means to read all deliveries of a broadcast.
func checkGroupOnly(t *testing.T, s *models.Store, name string, st models.Statement) {
	t.Helper()
	if !strings.Contains(st.Query, "deliveries") {
		return
	}
	plan, err := models.Explain(t.Context(), s, st)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if slices.ContainsFunc(plan, func(line string) bool {
		return strings.Contains(line, "deliveries") && strings.HasSuffix(line, "(broadcast_id=?)")
	}) {
		t.Errorf("%s reads all deliveries of a broadcast: %q", name, plan)
	}
}
