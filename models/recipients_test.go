package models_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

var morning = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// person returns what is stored about an OpenID, ID 0 if nothing.
func person(t *testing.T, s *models.Store, openID string) models.Recipient {
	t.Helper()
	var got models.Recipient
	if err := s.ChangeRecipient(t.Context(), openID, func(r *models.Recipient) { got = *r }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestChangeRecipientKeepsEveryField(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		want := models.Recipient{
			OpenID: "oA", Subscribed: true, OptedOut: true, Tester: true, SubscribedAt: models.At(morning),
			Scene: "qrscene_图书馆", Fields: `{"name":"李雷"}`,
			CreatedAt: models.At(morning.Add(time.Second)), UpdatedAt: models.At(morning.Add(2 * time.Second)),
		}
		set := func(r *models.Recipient) { want.ID = r.ID; *r = want }
		if err := s.ChangeRecipient(t.Context(), "oA", set); err != nil {
			t.Fatal(err)
		}
		got := person(t, s, "oA")
		want.ID = got.ID
		if diff := cmp.Diff(want, got); diff != "" || got.ID == 0 {
			t.Errorf("after adding (-want +got):\n%s", diff)
		}

		want = models.Recipient{ID: got.ID, OpenID: "oA", UpdatedAt: models.At(morning)}
		if err := s.ChangeRecipient(t.Context(), "oA", set); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, person(t, s, "oA")); diff != "" {
			t.Errorf("after changing (-want +got):\n%s", diff)
		}
	})
}

func TestChangeRecipientAddsNobodyUnchanged(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		for range 2 {
			if got := person(t, s, "oNobody"); got.ID != 0 || got.OpenID != "oNobody" {
				t.Errorf("got %+v, want an unknown person", got)
			}
		}
	})
}

// A person's row is read and written as one, whoever else writes it.
func TestChangeRecipientAtOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := s.ChangeRecipient(t.Context(), "oA", func(r *models.Recipient) { r.Scene += "+" })
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := len(person(t, s, "oA").Scene); got != 8 {
			t.Errorf("counted %d of 8 changes", got)
		}
	})
}

func TestOpenIDsCompareByteForByte(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		st := begin(t, s, morning)
		next := st
		next.Pages = 1
		st, err := s.StorePage(t.Context(), st, next, []string{"oABC", "oabc", "oAbC"})
		if err != nil {
			t.Fatal(err)
		}
		if st, _, err = s.MergeList(t.Context(), st, nil); err != nil {
			t.Fatal(err)
		}
		if st.Added != 3 {
			t.Errorf("added %d of 3 people whose OpenIDs differ in case", st.Added)
		}
		if err := s.ChangeRecipient(t.Context(), "oabc", func(r *models.Recipient) { r.OptedOut = true }); err != nil {
			t.Fatal(err)
		}
		for openID, want := range map[string]bool{"oABC": false, "oabc": true, "oAbC": false} {
			if got := person(t, s, openID).OptedOut; got != want {
				t.Errorf("%s opted out: %v, want %v", openID, got, want)
			}
		}
	})
}

func TestCountRecipients(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		for i := range 10 {
			err := s.ChangeRecipient(t.Context(), modelstest.OpenID(i), func(r *models.Recipient) {
				r.Subscribed = i < 7
				r.OptedOut = i%2 == 0
				r.Tester = i == 3
				r.UpdatedAt = models.At(morning)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.CountRecipients(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := models.RecipientCounts{Followers: 7, OptedOut: 4, Testers: 1, Left: 3}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
		testers, err := s.Testers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(testers) != 1 || testers[0].OpenID != modelstest.OpenID(3) {
			t.Errorf("testers: %+v, want the fourth person", testers)
		}
	})
}

func TestFacts(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		for _, want := range []string{"", "one", "two 二"} {
			if want != "" {
				if err := s.SetFact(ctx, "thing", want); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := s.Fact(ctx, "thing"); got != want || err != nil {
				t.Errorf("fact: got %q, %v, want %q", got, err, want)
			}
		}
	})
}

func TestTakeFromDay(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		for i, c := range []struct {
			day  string
			want bool
		}{
			{"2026-11-24", true},
			{"2026-11-24", true},
			{"2026-11-24", false},
			{"2026-11-24", false},
			{"2026-11-25", true},
			{"2026-11-25", true},
			{"2026-11-25", false},
		} {
			got, err := s.TakeFromDay(t.Context(), "calls", c.day, 2)
			if got != c.want || err != nil {
				t.Errorf("use %d on %s: got %v, %v, want %v", i, c.day, got, err, c.want)
			}
		}
	})
}

func begin(t *testing.T, s *models.Store, at time.Time) models.SyncState {
	t.Helper()
	st, err := s.BeginSync(t.Context(), models.At(at), false)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// A sync whose state another process has moved on stores nothing.
func TestStorePageOfAnOvertakenSync(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		mine := begin(t, s, morning)
		begin(t, s, morning)
		next := mine
		next.Pages = 1
		var e *models.Error
		for what, err := range map[string]error{
			"store": func() error { _, err := s.StorePage(ctx, mine, next, []string{"oA"}); return err }(),
			"merge": func() error { _, _, err := s.MergeList(ctx, mine, nil); return err }(),
			"end":   func() error { _, err := s.FinishSync(ctx, mine, models.At(morning)); return err }(),
			"drop":  s.DropSync(ctx, mine, models.At(morning)),
		} {
			if !errors.As(err, &e) || e.Code != models.ErrSyncRunning {
				t.Errorf("%s: got %v, want %s", what, err, models.ErrSyncRunning)
			}
		}
		if got := person(t, s, "oA"); got.ID != 0 {
			t.Error("a page of an overtaken sync was stored")
		}
	})
}

// Whatever makes up a page, each person counts once and in the right way.
func TestStorePageCounts(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		change := func(openID string, f func(*models.Recipient)) {
			t.Helper()
			if err := s.ChangeRecipient(ctx, openID, f); err != nil {
				t.Fatal(err)
			}
		}
		long := morning.Add(-24 * time.Hour)
		change("oThere", func(r *models.Recipient) { r.Subscribed, r.Scene, r.UpdatedAt = true, "kept", models.At(long) })
		change("oBack", func(r *models.Recipient) { r.OptedOut, r.UpdatedAt = true, models.At(long) })
		change("oGone", func(r *models.Recipient) {
			r.Subscribed, r.Tester, r.Scene, r.UpdatedAt = true, true, "x", models.At(long)
		})
		change("oJustLeft", func(r *models.Recipient) { r.UpdatedAt = models.At(morning.Add(time.Minute)) })
		change("oJustCame", func(r *models.Recipient) { r.Subscribed, r.UpdatedAt = true, models.At(morning.Add(time.Minute)) })

		st := begin(t, s, morning)
		next := st
		next.Pages, next.Next = 1, "oNew"
		st, err := s.StorePage(ctx, st, next, []string{"oThere", "oBack", "oJustLeft", "oNew", "oNew"})
		if err != nil {
			t.Fatal(err)
		}
		next = st
		next.Pages, next.Pulled = 2, true
		if st, err = s.StorePage(ctx, st, next, []string{"oNew", "oThere", "oOther"}); err != nil {
			t.Fatal(err)
		}
		st, unlisted, err := s.MergeList(ctx, st, nil)
		if err != nil {
			t.Fatal(err)
		}
		if st, err = s.MarkLeft(ctx, st, unlisted); err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("seen %d added %d returned %d left %d", st.Seen, st.Added, st.Returned, st.Left)
		if want := "seen 5 added 2 returned 1 left 1"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for openID, want := range map[string]bool{
			"oThere": true, "oBack": true, "oGone": false, "oJustLeft": false, "oJustCame": true, "oNew": true, "oOther": true,
		} {
			if got := person(t, s, openID).Subscribed; got != want {
				t.Errorf("%s follows: %v, want %v", openID, got, want)
			}
		}
		if r := person(t, s, "oGone"); !r.Tester || r.Scene != "" {
			t.Errorf("one who left: %+v, want only the place on the test list kept", r)
		}
		if r := person(t, s, "oBack"); !r.OptedOut {
			t.Error("one who came back is sent broadcasts again against their own wish")
		}
		if r := person(t, s, "oThere"); r.Scene != "kept" {
			t.Error("a sync changed one for whom nothing changed")
		}
	})
}
