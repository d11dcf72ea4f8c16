package models_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// Counted is who left within 24 hours of a message that they got, or may have got.
func TestThePriceIsWhoLeftWithinADayOfTheirMessage(t *testing.T) {
	t.Parallel()
	sent := t0.Add(time.Minute)
	tests := []struct {
		state models.DeliveryState
		after time.Duration // from the send to the leave
		want  int64
	}{
		{models.Accepted, time.Second, 1},
		{models.Delivered, 0, 1},
		{models.Uncertain, time.Hour, 1},
		{models.Delivered, 24*time.Hour - time.Millisecond, 1},
		{models.Delivered, 24 * time.Hour, 0},
		{models.Delivered, -time.Millisecond, 0},
		{models.Delivered, 48 * time.Hour, 0},
		{models.Blocked, time.Second, 0},
		{models.FailedFor, time.Second, 0},
		{"", time.Second, 0}, // not tried
	}
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 2*len(tests))
		b := create(t, s, newBroadcast("1", t0))
		other := create(t, s, newBroadcast("2", t0))
		fillDeliveries(t, s, other.ID, ids)
		var want models.Price
		for i, id := range ids {
			test := tests[i/2]
			at := models.At(sent.Add(test.after))
			err := s.ChangeRecipient(ctx, modelstest.OpenID(i), func(r *models.Recipient) {
				if r.ID != id {
					t.Fatalf("person %d has the id %d, not %d", i, r.ID, id)
				}
				if i%2 == 0 {
					r.Leave(at)
				} else {
					r.OptedOut, r.OptedOutAt = true, at
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				want.Left += test.want
			} else {
				want.OptedOut += test.want
			}
			if test.state == "" {
				continue
			}
			if err := modelstest.Claim(ctx, s, b.ID, []int64{id}, sent); err != nil {
				t.Fatal(err)
			}
			outcome := models.Outcome{BroadcastID: b.ID, RecipientID: id, State: test.state, Attempts: 1, SentAt: sent}
			if err := s.RecordOutcomes(ctx, []models.Outcome{outcome}, sent); err != nil {
				t.Fatal(err)
			}
		}
		for name, c := range map[string]struct {
			b    models.Broadcast
			now  time.Time
			want models.Price
		}{
			"not begun":      {models.Broadcast{ID: b.ID}, sent.Add(72 * time.Hour), models.Price{}},
			"finished":       {models.Broadcast{ID: b.ID, StartedAt: models.At(t0), FinishedAt: models.At(sent)}, sent.Add(72 * time.Hour), want},
			"still running":  {models.Broadcast{ID: b.ID, StartedAt: models.At(t0)}, sent.Add(72 * time.Hour), want},
			"in its minutes": {models.Broadcast{ID: b.ID, StartedAt: models.At(t0)}, sent.Add(time.Minute), models.Price{Left: 2, OptedOut: 2}},
		} {
			if got, err := s.CountPrice(ctx, &c.b, c.now); err != nil || got != c.want {
				t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
			}
		}
	})
}

// A message that comes again has one row. The first outcome stays, unless it was not known.
func TestEachMessageHasOneRowInTheAudit(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		long := strings.Repeat("长", 2_000)
		for _, a := range []models.Audit{
			{MessageKey: "m:1", Action: "pause", Target: "#7", Detail: "pause"},
			{MessageKey: "m:1", Action: "pause", Target: "#8", Detail: "refused: wrong_state · pause"},
			{MessageKey: "m:2", Action: "testers_add", Detail: "unknown · testers add x"},
			{MessageKey: "m:2", Action: "testers_add", Target: "x", Detail: "testers add x"},
			{MessageKey: "m:2", Action: "testers_add", Target: "y", Detail: "testers add y"},
			{MessageKey: "m:3" + long, Action: "who", Target: long, Detail: long + "\x00\xff"},
		} {
			a.At, a.Admin = models.At(t0), "oAdmin"
			if err := s.AddAudit(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		type row struct{ Action, Target, Detail string }
		var got []row
		for after := int64(0); ; {
			page, err := s.AuditAfter(t.Context(), after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page {
				got = append(got, row{a.Action, a.Target, a.Detail})
				after = a.ID
			}
			if len(page) < 2 {
				break
			}
		}
		want := []row{{"pause", "#7", "pause"}, {"testers_add", "x", "testers add x"}, {"who", long[:3*190] + "…", long[:3*999] + "…"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Whoever gets a role or another one is to be told, until the platform or a reply has.
func TestTheNoticeOfARoleIsKeptUntilItIsTold(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		wantKept := func(key string, want bool) {
			t.Helper()
			if got, err := s.RoleNoticeKept(ctx, "oAnna", key); got != want || err != nil {
				t.Errorf("for %q kept: %v, %v, want %v", key, got, err, want)
			}
		}
		set := func(role models.Role) {
			t.Helper()
			if _, err := s.SetAdmin(ctx, models.Admin{OpenID: "oAnna", Role: role, AddedBy: "oOwner", AddedAt: models.At(t0)}); err != nil {
				t.Fatal(err)
			}
		}
		say := func(key string) {
			t.Helper()
			if err := s.RoleNoticeSaid(ctx, "oAnna", key); err != nil {
				t.Fatal(err)
			}
		}
		wantKept("m:1", false)
		set(models.Viewer)
		wantKept("m:1", true)
		say("m:1")
		say("m:2")
		wantKept("m:1", true) // the same reply again
		wantKept("m:2", false)
		set(models.Viewer) // nothing new
		wantKept("m:2", false)
		set(models.Editor)
		wantKept("m:2", true)
		say("") // the platform took it
		wantKept("m:2", false)
		set(models.Viewer)
		if was, err := s.RemoveAdmin(ctx, "oAnna"); was != models.Viewer || err != nil {
			t.Errorf("was %q, %v", was, err)
		}
		wantKept("m:3", false)
	})
}
