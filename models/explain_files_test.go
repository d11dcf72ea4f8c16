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
		if err := models.Analyze(ctx, plain); err != nil {
			t.Fatal(err)
		}
		s, seen, err := models.Recorded(plain)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
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
		for name, do := range steps {
			seen.Take()
			if err := do(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			statements := seen.Take()
			if len(statements) == 0 {
				t.Errorf("%s: nothing was recorded", name)
			}
			for _, st := range statements {
				if !strings.Contains(st.Query, " FROM ") && strings.HasPrefix(st.Query, "SELECT") {
					continue // the database's clock
				}
				checkPlan(ctx, t, plain, fmt.Sprint("files: ", name), st)
			}
		}
		checkBadPlans(ctx, t, plain)
	})
}
