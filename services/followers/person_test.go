package followers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/followers"
)

const alice = "oAlice00000000000000000000AA"

func TestEventsInAnyOrder(t *testing.T) {
	t.Parallel()
	// Each event: what it says, and its time in seconds after the morning.
	type event struct {
		came bool
		at   int
	}
	const came, left = true, false
	cases := []struct {
		name   string
		events []event
		want   bool
	}{
		{"came", []event{{came, -9}}, true},
		{"came twice", []event{{came, -9}, {came, -9}}, true},
		{"came and left", []event{{came, -9}, {left, -8}}, false},
		{"left within the second", []event{{came, -9}, {left, -9}}, false},
		{"came back", []event{{came, -9}, {left, -8}, {came, -7}}, true},
		{"coming is told again after going", []event{{came, -9}, {left, -8}, {came, -9}}, false},
		{"going is told late", []event{{came, -9}, {came, -7}, {left, -8}}, true},
		{"an event of tomorrow", []event{{came, 24 * 60 * 60}, {left, 0}}, false},
	}
	each(t, func(t *testing.T, h *house) {
		for i, c := range cases {
			openID := modelstest.OpenID(i)
			for _, e := range c.events {
				at := morning.Add(time.Duration(e.at) * time.Second)
				var err error
				if e.came {
					err = h.Subscribed(t.Context(), openID, at, "qrscene_1")
				} else {
					err = h.Unsubscribed(t.Context(), openID, at)
				}
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
			}
			if got := h.person(t, openID).Subscribed; got != c.want {
				t.Errorf("%s: follows %v, want %v", c.name, got, c.want)
			}
		}
	})
}

func TestUnsubscribedErases(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		h.platform.set(alice)
		if err := h.Subscribed(ctx, alice, morning.Add(-time.Hour), "qrscene_图书馆"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.AddTester(ctx, alice, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := h.SetOptedOut(ctx, alice, true, followers.Said{}); err != nil {
			t.Fatal(err)
		}
		err := h.store.ChangeRecipient(ctx, alice, func(r *models.Recipient) { r.Fields = `{"name":"Alice"}` })
		if err != nil {
			t.Fatal(err)
		}
		want := models.Recipient{
			OpenID: alice, Subscribed: true, OptedOut: true, Tester: true, SubscribedAt: models.At(morning.Add(-time.Hour)),
			Scene: "qrscene_图书馆", Fields: `{"name":"Alice"}`, CreatedAt: models.At(morning), UpdatedAt: models.At(morning.Add(-time.Hour)),
			OptedOutAt: models.At(morning),
		}
		ignore := cmpopts.IgnoreFields(models.Recipient{}, "ID")
		if diff := cmp.Diff(want, h.person(t, alice), ignore); diff != "" {
			t.Errorf("before (-want +got):\n%s", diff)
		}
		if err := h.Unsubscribed(ctx, alice, morning); err != nil {
			t.Fatal(err)
		}
		want = models.Recipient{
			OpenID: alice, OptedOut: true, Tester: true, OptedOutAt: models.At(morning), LeftAt: models.At(morning),
			CreatedAt: models.At(morning), UpdatedAt: models.At(morning),
		}
		if diff := cmp.Diff(want, h.person(t, alice), ignore); diff != "" {
			t.Errorf("after (-want +got):\n%s", diff)
		}
	})
}

func TestUnsubscribedUnknownLeavesNoTrace(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		if err := h.Unsubscribed(t.Context(), alice, morning); err != nil {
			t.Fatal(err)
		}
		if r := h.person(t, alice); r.ID != 0 {
			t.Errorf("stored %+v", r)
		}
	})
}

func TestOptOutAndIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		for i, c := range []struct {
			out, changed bool
		}{{false, false}, {true, true}, {true, false}, {false, true}, {false, false}} {
			changed, err := h.SetOptedOut(ctx, alice, c.out, followers.Said{})
			if changed != c.changed || err != nil {
				t.Errorf("step %d: changed %v, %v, want %v", i, changed, err, c.changed)
			}
			if r := h.person(t, alice); r.OptedOut != c.out || !r.Subscribed {
				t.Errorf("step %d: opted out %v, follows %v, want %v, true", i, r.OptedOut, r.Subscribed, c.out)
			}
		}
	})
}

// The wish to be left alone outlives leaving and coming back.
func TestOptOutStays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		if _, err := h.SetOptedOut(ctx, alice, true, followers.Said{}); err != nil {
			t.Fatal(err)
		}
		if err := h.Unsubscribed(ctx, alice, morning); err != nil {
			t.Fatal(err)
		}
		h.wantFollowers(t, map[string]bool{alice: false})
		h.clock.add(time.Minute)
		if err := h.Subscribed(ctx, alice, h.clock.now(), ""); err != nil {
			t.Fatal(err)
		}
		if r := h.person(t, alice); !r.Subscribed || !r.OptedOut {
			t.Errorf("follows %v, opted out %v, want both", r.Subscribed, r.OptedOut)
		}
	})
}

// One who was thought to have left writes: they follow. An unfollow of the
// moment is not undone by that.
func TestWritingMeansFollowing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		if err := h.Subscribed(ctx, alice, morning.Add(-time.Hour), ""); err != nil {
			t.Fatal(err)
		}
		if err := h.Unsubscribed(ctx, alice, morning); err != nil {
			t.Fatal(err)
		}
		if _, err := h.SetOptedOut(ctx, alice, false, followers.Said{}); err != nil {
			t.Fatal(err)
		}
		h.wantFollowers(t, map[string]bool{alice: false})
		h.clock.add(time.Minute)
		if _, err := h.SetOptedOut(ctx, alice, false, followers.Said{}); err != nil {
			t.Fatal(err)
		}
		h.wantFollowers(t, map[string]bool{alice: true})
	})
}

func TestTesters(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		const bob = "oBob0000000000000000000000BB"
		h.platform.set(alice, bob)
		for i, c := range []struct {
			openID string
			added  bool
		}{{alice, true}, {bob, true}, {alice, false}} {
			added, err := h.AddTester(ctx, c.openID, "")
			if added.Added != c.added || err != nil {
				t.Errorf("step %d: added %v, %v, want %v", i, added, err, c.added)
			}
		}
		wantTesters(t, h, alice, bob)
		h.wantFollowers(t, map[string]bool{alice: true, bob: true})
		if removed, err := h.RemoveTester(ctx, alice); !removed || err != nil {
			t.Errorf("removed %v, %v, want true", removed, err)
		}
		wantTesters(t, h, bob)
		for _, openID := range []string{alice, "oNobody", "no OpenID", ""} {
			removed, err := h.RemoveTester(ctx, openID)
			if wantCode(t, err, models.ErrTesterUnknown); removed {
				t.Errorf("removed %q, who was not on the list", openID)
			}
		}
		if r := h.person(t, "oNobody"); r.ID != 0 {
			t.Error("removing an unknown person added them")
		}
	})
}

// Who does not follow, or can't be told from one who doesn't, is no tester and no
// follower.
func TestATesterMustFollow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(0, 3)...)
		refused := func(openID, code string) {
			t.Helper()
			added, err := h.AddTester(t.Context(), openID, "")
			if wantCode(t, err, code); added.Added {
				t.Errorf("added %s", openID)
			}
			wantTesters(t, h)
			if r := h.person(t, openID); r.ID != 0 {
				t.Errorf("stored %+v", r)
			}
		}
		refused("oTypo", models.ErrOpenIDInvalid)
		refused(alice[:27]+"!", models.ErrOpenIDInvalid)
		refused(alice[:27], models.ErrTesterNotFollowing) // 40003
		refused(alice, models.ErrTesterNotFollowing)      // subscribe 0
		h.platform.info = answer{"errcode": 45009, "errmsg": "reach max api daily quota limit"}
		refused(modelstest.OpenID(1), models.ErrTesterUnchecked)
		h.platform.info = answer{"strange": true}
		refused(modelstest.OpenID(1), models.ErrTesterUnchecked)
		stats, err := h.Stats(t.Context())
		if diff := cmp.Diff(followers.Stats{}, stats); diff != "" || err != nil {
			t.Errorf("stats: %v (-want +got):\n%s", err, diff)
		}
		h.platform.info = nil
		if added, err := h.AddTester(t.Context(), modelstest.OpenID(1), ""); !added.Added || err != nil {
			t.Errorf("a follower: added %v, %v", added, err)
		}
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(1): true})
	})
}

// Only an admin takes a person off the test list.
func TestTheTestListSurvives(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		h.platform.set(people(0, 10)...)
		h.sync(t)
		for _, openID := range people(0, 3) {
			if _, err := h.AddTester(ctx, openID, ""); err != nil {
				t.Fatal(err)
			}
		}
		h.clock.add(time.Hour)
		if err := h.Unsubscribed(ctx, modelstest.OpenID(0), h.clock.now()); err != nil {
			t.Fatal(err)
		}
		h.clock.add(time.Hour)
		h.platform.set(people(2, 8)...)
		if got := h.sync(t); got.Left != 1 {
			t.Errorf("%+v, want one more who left", got)
		}
		gone := []models.Departure{{RecipientID: h.person(t, modelstest.OpenID(2)).ID, At: models.At(h.clock.now().Add(time.Minute))}}
		if err := h.store.MarkGone(ctx, gone); err != nil {
			t.Fatal(err)
		}
		wantTesters(t, h, people(0, 3)...)
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(0): false, modelstest.OpenID(1): false, modelstest.OpenID(2): false})
	})
}

func wantTesters(t *testing.T, h *house, want ...string) {
	t.Helper()
	list, err := h.Testers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range list {
		got = append(got, r.OpenID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("test list (-want +got):\n%s", diff)
	}
}

func TestWhatIsNoOpenIDIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	for _, openID := range []string{"", " ", "o A", "oÄ", "中文", "o\n", strings.Repeat("o", 129)} {
		for name, do := range map[string]func() error{
			"subscribed":   func() error { return h.Subscribed(t.Context(), openID, morning, "") },
			"unsubscribed": func() error { return h.Unsubscribed(t.Context(), openID, morning) },
			"opt out":      func() error { _, err := h.SetOptedOut(t.Context(), openID, true, followers.Said{}); return err },
			"add tester":   func() error { _, err := h.AddTester(t.Context(), openID, ""); return err },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				wantCode(t, do(), models.ErrOpenIDInvalid)
			})
		}
	}
}

// A scene comes from outside and has to fit.
func TestSceneIsCut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		if err := h.Subscribed(t.Context(), alice, morning, strings.Repeat("馆", 300)+"\xff"); err != nil {
			t.Fatal(err)
		}
		if got := h.person(t, alice).Scene; got != strings.Repeat("馆", 255) {
			t.Errorf("kept %d bytes of the scene, want 255 characters", len(got))
		}
	})
}

func TestStatsOfNobody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		got, err := h.Stats(t.Context())
		if diff := cmp.Diff(followers.Stats{}, got); diff != "" || err != nil {
			t.Errorf("stats: %v (-want +got):\n%s", err, diff)
		}
		if pulled, err := h.EverPulled(t.Context()); pulled || err != nil {
			t.Errorf("pulled: %v, %v, want false", pulled, err)
		}
	})
}
