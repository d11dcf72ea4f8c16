package followers_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/followers"
)

func TestANameIsGivenWithAPlaceOnTheTestList(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		h.platform.set(people(0, 3)...)
		one, two := modelstest.OpenID(0), modelstest.OpenID(1)
		for i, c := range []struct {
			openID, name string
			want         followers.AddedTester
			stored, code string
		}{
			{one, "小林", followers.AddedTester{Added: true, Named: true}, "小林", ""},
			{one, "", followers.AddedTester{}, "小林", ""},
			{one, "小林", followers.AddedTester{}, "小林", ""},
			{two, "小林", followers.AddedTester{}, "", models.ErrNameTaken},
			{one, "林 Ａ", followers.AddedTester{Named: true}, "林 Ａ", ""},
			{two, "林 a", followers.AddedTester{}, "", models.ErrNameTaken},
			{two, strings.Repeat("名", 65), followers.AddedTester{}, "", models.ErrNameTooLong},
			{two, strings.Repeat("名", 64), followers.AddedTester{Added: true, Named: true}, strings.Repeat("名", 64), ""},
		} {
			got, err := h.AddTester(ctx, c.openID, c.name)
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil {
				t.Errorf("step %d: %v", i, err)
			}
			if r := h.person(t, c.openID); got != c.want || r.Name != c.stored {
				t.Errorf("step %d: %+v, the name is %q", i, got, r.Name)
			}
		}
		// All that is wrong is told.
		_, err := h.AddTester(ctx, "oTypo", strings.Repeat("名", 65))
		for _, code := range []string{models.ErrOpenIDInvalid, models.ErrNameTooLong} {
			if joined, ok := err.(interface{ Unwrap() []error }); !ok ||
				!slices.ContainsFunc(joined.Unwrap(), func(e error) bool { var m *models.Error; return errors.As(e, &m) && m.Code == code }) {
				t.Errorf("%v has no %s", err, code)
			}
		}
	})
}

func TestAPersonIsFoundByOpenIDNameAndMask(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		const twin = "oTest0000000000000000xxxx002"
		h.platform.set(append(people(0, 12), twin)...)
		h.sync(t)
		if _, err := h.AddTester(ctx, modelstest.OpenID(7), "Lin"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.RemoveTester(ctx, modelstest.OpenID(7)); err != nil { // the name stays
			t.Fatal(err)
		}
		for text, want := range map[string]string{
			modelstest.OpenID(3): modelstest.OpenID(3),
			"lin":                modelstest.OpenID(7), "ＬＩＮ": modelstest.OpenID(7),
			"oTes…007": modelstest.OpenID(7), "oTes...007": modelstest.OpenID(7),
			"otes…007": "", "oTes…999": "", "nobody": "", "": "",
			strings.ToLower(modelstest.OpenID(3)): "",
		} {
			got, err := h.Find(ctx, text)
			if want == "" {
				wantCode(t, err, models.ErrPersonUnknown)
			} else if err != nil || got.OpenID != want {
				t.Errorf("%q: %+v, %v", text, got, err)
			}
		}
		_, err := h.Find(ctx, "oTes…002")
		e := wantCode(t, err, models.ErrPersonAmbiguous)
		if diff := cmp.Diff([]string{modelstest.OpenID(2), twin}, e.Args["People"]); diff != "" {
			t.Errorf("they may be (-want +got):\n%s", diff)
		}
	})
}

// Who tells the last ten broadcasts that tried the person, the newest first.
func TestWhoTellsWhatAPersonWasSent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		h.platform.set(people(0, 2)...)
		h.sync(t)
		person := h.person(t, modelstest.OpenID(1))
		var want []int64
		for i := range 24 {
			b := &models.Broadcast{
				RequestKey: fmt.Sprint(i), Name: "notice", Message: "{}", Audience: models.AudienceMe, State: models.Running, AskedAt: models.At(h.clock.now()),
			}
			if _, err := h.store.CreateBroadcast(ctx, b, models.Asked{Again: true}); err != nil {
				t.Fatal(err)
			}
			if i%2 != 0 {
				continue // it did not try the person
			}
			if err := modelstest.Claim(ctx, h.store, b.ID, []int64{person.ID}, h.clock.now()); err != nil {
				t.Fatal(err)
			}
			outcome := models.Outcome{BroadcastID: b.ID, RecipientID: person.ID, State: models.FailedFor, ErrCode: 43004, Attempts: 1, SentAt: h.clock.now()}
			if err := h.store.RecordOutcomes(ctx, []models.Outcome{outcome}, h.clock.now()); err != nil {
				t.Fatal(err)
			}
			want = append([]int64{b.ID}, want...)
		}
		k, err := h.Who(ctx, person.OpenID)
		if err != nil || k.ID != person.ID {
			t.Fatalf("%+v, %v", k, err)
		}
		var got []int64
		for _, s := range k.Sent {
			got = append(got, s.BroadcastID)
			if s.State != models.FailedFor || s.ErrCode != 43004 || s.Name != "notice" || s.Audience != models.AudienceMe {
				t.Errorf("%+v", s)
			}
		}
		if diff := cmp.Diff(want[:10], got); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	})
}

// About somebody unknown the platform is asked, and the answer does not depend on it.
func TestWhoIsUnknown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		h.platform.set(modelstest.OpenID(1))
		refused := answer{"errcode": 45009, "errmsg": "reach max api daily quota limit"}
		for _, c := range []struct {
			openID         string
			info           any
			follows, asked bool
		}{{modelstest.OpenID(1), nil, true, true}, {modelstest.OpenID(2), nil, false, true}, {modelstest.OpenID(1), refused, false, false}} {
			h.platform.info = c.info
			k, err := h.Who(ctx, c.openID)
			if err != nil || k.ID != 0 || k.OpenID != c.openID || k.Follows != c.follows || k.Asked != c.asked {
				t.Errorf("%s: %+v, %v", c.openID, k, err)
			}
			if r := h.person(t, c.openID); r.ID != 0 {
				t.Errorf("stored %+v", r)
			}
		}
		_, err := h.Who(ctx, "小林")
		wantCode(t, err, models.ErrPersonUnknown)
	})
}

// Whoever is asked about right after a text is shown with it, though texts are stored at
// intervals.
func TestWhoKnowsATextAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(0, 1)...)
		h.sync(t)
		for _, text := range []string{"first", "second", "third"} {
			h.clock.add(time.Second)
			h.Heard(modelstest.OpenID(0), text)
			known, err := h.Who(t.Context(), modelstest.OpenID(0))
			if err != nil || known.Heard != text {
				t.Errorf("after %q: %+v, %v", text, known, err)
			}
		}
		h.Close()
		if known, err := h.Who(t.Context(), modelstest.OpenID(0)); err != nil || known.Heard != "third" {
			t.Errorf("after the end: %+v, %v", known, err)
		}
	})
}

func TestTheLastTextOfAFollowerIsKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		h.platform.set(people(0, 3)...)
		h.sync(t)
		gone := modelstest.OpenID(2)
		if err := h.Unsubscribed(ctx, gone, h.clock.now()); err != nil {
			t.Fatal(err)
		}
		before := h.person(t, modelstest.OpenID(0))
		h.Heard(modelstest.OpenID(0), "first")
		h.Heard(modelstest.OpenID(1), strings.Repeat("长", 300)+"\x00\xff")
		h.Heard(gone, "goodbye")
		h.Heard(alice, "nobody")
		h.clock.add(time.Second)
		h.Heard(modelstest.OpenID(0), "second")
		h.Close() // stores what came before it
		got := h.person(t, modelstest.OpenID(0))
		want := before
		want.Heard, want.HeardAt = "second", models.At(h.clock.now())
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if r := h.person(t, modelstest.OpenID(1)); r.Heard != strings.Repeat("长", 254)+"…" {
			t.Errorf("kept %q", r.Heard)
		}
		if r := h.person(t, gone); r.Heard != "" || !r.HeardAt.IsZero() {
			t.Errorf("kept %q of one who left", r.Heard)
		}
		if r := h.person(t, alice); r.ID != 0 {
			t.Error("a text added somebody")
		}
		// Whoever leaves takes it along.
		h.clock.add(time.Minute)
		if err := h.Unsubscribed(ctx, modelstest.OpenID(0), h.clock.now()); err != nil {
			t.Fatal(err)
		}
		if r := h.person(t, modelstest.OpenID(0)); r.Heard != "" || !r.HeardAt.IsZero() {
			t.Errorf("kept %q", r.Heard)
		}
	})
}

// Neither a flood nor a database that is away holds up whoever hands a text over.
func TestAFloodOfTextsIsDropped(t *testing.T) {
	t.Parallel()
	h := newHouse(t, modelstest.SQLite(t))
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100_000 {
			h.Heard(alice, "hello")
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it waited")
	}
	h.Close()
	h.Heard(alice, "after the end")
}

// When somebody left is known however that was noticed, and when they said stop.
func TestWhenSomebodyLeftIsKnown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		h.platform.set(people(0, 10)...)
		h.sync(t)
		h.clock.add(time.Hour)
		event := h.clock.now()
		if err := h.Unsubscribed(ctx, modelstest.OpenID(0), event); err != nil {
			t.Fatal(err)
		}
		send := event.Add(time.Minute)
		if err := h.store.MarkGone(ctx, []models.Departure{{RecipientID: h.person(t, modelstest.OpenID(1)).ID, At: models.At(send)}}); err != nil {
			t.Fatal(err)
		}
		h.clock.add(time.Hour)
		h.platform.set(people(3, 7)...)
		h.sync(t)
		sync := h.clock.now()
		h.clock.add(time.Hour)
		for _, out := range []bool{true, false} { // whoever comes back was away
			if _, err := h.SetOptedOut(ctx, modelstest.OpenID(4), out, followers.Said{}); err != nil {
				t.Fatal(err)
			}
		}
		for i, c := range []struct {
			openID         string
			left, optedOut time.Time
			about          time.Duration
		}{
			{modelstest.OpenID(0), event, time.Time{}, 0},
			{modelstest.OpenID(1), send, time.Time{}, models.KnownAt(send).Sub(send).Abs()},
			{modelstest.OpenID(2), sync, time.Time{}, time.Minute},
			{modelstest.OpenID(3), time.Time{}, time.Time{}, 0},
			{modelstest.OpenID(4), time.Time{}, h.clock.now(), 0},
		} {
			r := h.person(t, c.openID)
			if off := r.LeftAt.Sub(c.left).Abs(); off > c.about || !r.OptedOutAt.Equal(c.optedOut) {
				t.Errorf("person %d: left %s, want %s; opted out %s, want %s", i, r.LeftAt, c.left, r.OptedOutAt, c.optedOut)
			}
		}
	})
}
