package models_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// What a person said is told with the topics that were removed since, page by page.
func TestConsentsOfAPerson(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 3)
		topic := &models.Topic{Folded: "news", Name: "News", AddedBy: "oOwner", AddedAt: models.At(t0)}
		if _, err := s.AddTopic(ctx, topic); err != nil {
			t.Fatal(err)
		}
		say := func(i int, joined bool, out bool, topics []int64, text string) {
			t.Helper()
			_, err := s.ChangeConsents(ctx, modelstest.OpenID(i), models.Consent{
				Joined: joined, At: models.At(t0.Add(time.Minute)), Via: models.ViaText, Text: text, MessageKey: "m:" + text + fmt.Sprint(i),
			}, topics, func(r *models.Recipient) { r.OptedOut = out })
			if err != nil {
				t.Fatal(err)
			}
		}
		say(0, true, false, []int64{topic.ID}, "join News")
		say(0, false, true, nil, "stop")
		say(1, true, false, []int64{topic.ID}, "News")
		if _, err := s.RemoveTopic(ctx, "news", t0.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		said := func(before int64, n int) (all []string, last int64) {
			t.Helper()
			list, err := s.ConsentsOf(ctx, ids[0], before, n)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range list {
				all, last = append(all, fmt.Sprintf("%s %t %s %s", c.Topic, c.Joined, c.Via, c.Text)), c.ID
			}
			return all, last
		}
		want := []string{" false text stop", "News true text join News"}
		if got, _ := said(0, 9); !slices.Equal(got, want) {
			t.Errorf("said %v", got)
		}
		first, last := said(0, 1)
		second, _ := said(last, 1)
		if got := append(first, second...); !slices.Equal(got, want) {
			t.Errorf("in pages said %v", got)
		}
	})
}

func TestListsOfAPerson(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, 3)
		publish(t, s, "b", t0, 0, 1)
		publish(t, s, "a", t0, 1)
		publish(t, s, "c", t0, 2)
		got, err := s.ListsOf(t.Context(), ids[1])
		if diff := cmp.Diff([]models.ListFields{{Name: "a", Fields: `{"n":"1"}`}, {Name: "b", Fields: `{"n":"1"}`}}, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
}

func TestAuditBefore(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		for i, a := range []models.Audit{
			{Admin: "oOne", Action: "who"}, {Admin: "oTwo", Action: "pause"}, {Admin: "oOne", Action: "pause"}, {Admin: "oone", Action: "who"},
		} {
			a.At, a.MessageKey = models.At(t0), fmt.Sprint(i)
			if err := s.AddAudit(ctx, a); err != nil {
				t.Fatal(err)
			}
		}
		for want, f := range map[string]models.AuditFilter{
			"4 3 2 1": {}, "3 1": {Admin: "oOne"}, "3 2": {Action: "pause"}, "3": {Admin: "oOne", Action: "pause"}, "": {Admin: "nobody"},
		} {
			var got []string
			for before := int64(0); ; {
				page, err := s.AuditBefore(ctx, f, before, 1)
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					break
				}
				before = page[0].ID
				got = append(got, fmt.Sprint(before))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%+v finds %v, want %s", f, got, want)
			}
		}
		if actions, err := s.AuditActions(ctx); err != nil || !slices.Equal(actions, []string{"pause", "who"}) {
			t.Error(actions, err)
		}
	})
}

// What the console shows of one person is found by indexes, however many there are.
func TestStatementsOfAPersonUseAnIndex(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, plain, 3000)
		var some []int
		for i := range 300 {
			some = append(some, 10*i)
		}
		publish(t, plain, "a", t0, some...)
		for i := range 300 {
			_, err := plain.ChangeConsents(ctx, modelstest.OpenID(i), models.Consent{At: models.At(t0), Via: models.ViaText, MessageKey: fmt.Sprint(i)}, nil,
				func(r *models.Recipient) { r.OptedOut = true })
			if err != nil {
				t.Fatal(err)
			}
		}
		s, seen := recorded(t, plain)
		eachStatement(t, seen, map[string]func() error{
			"lists":         func() error { _, err := s.ListsOf(ctx, ids[10]); return err },
			"consents":      func() error { _, err := s.ConsentsOf(ctx, ids[10], 0, 20); return err },
			"by OpenID":     func() error { _, err := s.PeopleByOpenID(ctx, modelstest.OpenID(7)[:27], "", 20); return err },
			"the audit":     func() error { _, err := s.AuditBefore(ctx, models.AuditFilter{}, 0, 20); return err },
			"older actions": func() error { _, err := s.AuditBefore(ctx, models.AuditFilter{}, 7, 20); return err },
		}, func(name string, st models.Statement) {
			if strings.Contains(st.Query, "`topics`") || strings.Contains(st.Query, "`lists`") {
				return // they are few
			}
			checkPlan(ctx, t, plain, "a person: "+name, st)
		})
	})
}
