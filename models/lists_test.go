package models_test

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
)

// publish makes a list of people by their numbers, each with the field n.
func publish(t *testing.T, s *models.Store, name string, now time.Time, people ...int) *models.ListInfo {
	t.Helper()
	ctx := t.Context()
	id, err := s.AddSegment(ctx, models.Segment{Kind: string(models.GroupList), Name: name, MadeAt: models.At(now)})
	if err != nil {
		t.Fatal(err)
	}
	var entries []models.Entry
	for _, i := range people {
		entries = append(entries, models.Entry{OpenID: modelstest.OpenID(i), Fields: fmt.Sprintf(`{"n":"%d"}`, i)})
	}
	if err := s.AddEntries(ctx, id, entries, now); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PublishList(ctx, models.List{Folded: name, Name: name, SegmentID: id, ChangedAt: models.At(now)}, int64(len(people)), []string{"n"}); err != nil {
		t.Fatal(err)
	}
	l, err := s.FindList(ctx, name)
	if err != nil || l == nil {
		t.Fatal(l, err)
	}
	return l
}

// people returns the OpenIDs of a segment, in their order.
func people(t *testing.T, s *models.Store, segment int64) (all []string) {
	t.Helper()
	for after := int64(0); ; {
		page, err := s.MembersAfter(t.Context(), segment, after, 700)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			all, after = append(all, m.OpenID), m.RecipientID
		}
		if len(page) < 700 {
			slices.Sort(all)
			return all
		}
	}
}

func openIDs(numbers ...int) (all []string) {
	for _, i := range numbers {
		all = append(all, modelstest.OpenID(i))
	}
	return all
}

// Who is on a list and unknown is a stranger, counted nowhere, until the platform says
// that they follow: then they belong to the list.
func TestStrangersOnAList(t *testing.T) {
	t.Parallel()
	follows := map[string]func(*testing.T, *models.Store, string){
		"a message": func(t *testing.T, s *models.Store, openID string) {
			if err := s.EnsureRecipient(t.Context(), openID, t0.Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
		},
		"an event": func(t *testing.T, s *models.Store, openID string) {
			err := s.ChangeRecipient(t.Context(), openID, func(r *models.Recipient) { r.Subscribed = true })
			if err != nil {
				t.Fatal(err)
			}
		},
		"a sync": func(t *testing.T, s *models.Store, openID string) {
			ctx := t.Context()
			state, err := s.BeginSync(ctx, models.At(t0.Add(time.Minute)), false)
			if err != nil {
				t.Fatal(err)
			}
			next := state
			next.Pages++
			if state, err = s.StorePage(ctx, state, next, append(openIDs(0, 1), openID)); err != nil {
				t.Fatal(err)
			}
			state, unlisted, err := s.MergeList(ctx, state, nil)
			if err != nil || state.Added != 1 || state.Returned != 0 || len(unlisted) != 0 {
				t.Errorf("%+v, %v, %v: want one who is new", state, unlisted, err)
			}
		},
	}
	for name, follow := range follows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, s *models.Store) {
				ctx := t.Context()
				addRecipients(t, s, 2)
				l := publish(t, s, "old", t0, 0, 1, 2)
				before, err := s.CountRecipients(ctx)
				if err != nil || before.Followers != 2 || before.Left != 0 {
					t.Errorf("counted %+v, %v; want 2 followers", before, err)
				}
				stranger := modelstest.OpenID(2)
				r, err := s.FindRecipient(ctx, stranger)
				if err != nil || r == nil || !r.Stranger || r.Subscribed {
					t.Fatalf("the stranger: %+v, %v", r, err)
				}
				if n, err := s.CountReachable(ctx, l.SegmentID); n != 2 || err != nil {
					t.Errorf("%d can be written to, %v; want 2", n, err)
				}
				follow(t, s, stranger)
				if r, err = s.FindRecipient(ctx, stranger); err != nil || r.Stranger || !r.Subscribed {
					t.Errorf("after %s: %+v, %v", name, r, err)
				}
				if n, err := s.CountReachable(ctx, l.SegmentID); n != 3 || err != nil {
					t.Errorf("%d can be written to, %v; want 3", n, err)
				}
				if after, err := s.CountRecipients(ctx); err != nil || after.Followers != 3 || after.Left != 0 {
					t.Errorf("counted %+v, %v; want 3 followers", after, err)
				}
			})
		})
	}
}

// A list that is replaced keeps its old people only for a broadcast that is for them.
func TestReplacedListsAreKeptForTheirBroadcasts(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		var many []int
		for i := range 2500 {
			many = append(many, i+1)
		}
		first := publish(t, s, "old", t0, many...)
		if got := people(t, s, first.SegmentID); !slices.Equal(got, openIDs(many...)) {
			t.Fatalf("%d people, want 2,500", len(got))
		}
		second := publish(t, s, "old", t0, 1, 2)
		if err := s.TidySegments(ctx, t0); err != nil {
			t.Fatal(err)
		}
		var gone *models.Error
		if _, err := s.MembersAfter(ctx, first.SegmentID, 0, 1); !errors.As(err, &gone) || gone.Code != models.ErrGroupChanged {
			t.Errorf("the version that nobody used: %v", err)
		}
		if n, err := s.CountReachable(ctx, first.SegmentID); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		b := newBroadcast("1", t0)
		b.Audience = models.AudienceGroups
		b.Target.Groups = []models.Group{{Kind: models.GroupList, Name: "old", Segment: first.SegmentID}}
		if _, err := s.CreateBroadcast(ctx, b, models.Asked{}); !errors.As(err, &gone) || gone.Code != models.ErrGroupChanged {
			t.Errorf("a broadcast to it: %v", err)
		}
		b.Target.Groups[0].Segment = second.SegmentID
		create(t, s, b)
		publish(t, s, "old", t0, 7)
		if _, err := s.RemoveList(ctx, "old"); err != nil {
			t.Fatal(err)
		}
		if err := s.TidySegments(ctx, t0.Add(24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got := people(t, s, second.SegmentID); !slices.Equal(got, openIDs(1, 2)) {
			t.Errorf("the version that is used: %v", got)
		}
		if l, err := s.FindList(ctx, "old"); l != nil || err != nil {
			t.Errorf("the removed list: %v, %v", l, err)
		}
	})
}

// What a process left behind when it died is tidied up after an hour, and the list is as it
// was; what is being filled is not touched.
func TestAbandonedListsAreTidied(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		l := publish(t, s, "old", t0.Add(-48*time.Hour), 1)
		begin := func(at time.Time) int64 {
			id, err := s.AddSegment(ctx, models.Segment{Kind: string(models.GroupList), MadeAt: models.At(at)})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.AddEntries(ctx, id, []models.Entry{{OpenID: modelstest.OpenID(2)}}, at); err != nil {
				t.Fatal(err)
			}
			return id
		}
		dead, alive := begin(t0.Add(-61*time.Minute)), begin(t0.Add(-59*time.Minute))
		tag, err := s.AddSegment(ctx, models.Segment{Kind: string(models.GroupTag), MadeAt: models.At(t0.Add(-48 * time.Hour))})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AddEntries(ctx, tag, []models.Entry{{OpenID: modelstest.OpenID(2)}}, t0.Add(-48*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := s.TidySegments(ctx, t0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.PublishList(ctx, models.List{Folded: "old", Name: "old", SegmentID: dead}, 1, nil); err == nil {
			t.Error("an abandoned segment became a list")
		}
		if got, err := s.FindList(ctx, "old"); err != nil || got.SegmentID != l.SegmentID {
			t.Errorf("the list: %+v, %v", got, err)
		}
		for id, want := range map[int64]int{l.SegmentID: 1, alive: 1, tag: 1} {
			if got := people(t, s, id); len(got) != want {
				t.Errorf("segment %d: %v", id, got)
			}
		}
	})
}

func TestAtMostSoManyLists(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		addRecipients(t, s, 1)
		for i := range models.MaxLists {
			publish(t, s, fmt.Sprint("list ", i), t0, 1)
		}
		publish(t, s, "list 7", t0, 1)
		id, err := s.AddSegment(ctx, models.Segment{Kind: string(models.GroupList), MadeAt: models.At(t0)})
		if err != nil {
			t.Fatal(err)
		}
		var full *models.Error
		_, err = s.PublishList(ctx, models.List{Folded: "one more", Name: "one more", SegmentID: id}, 0, nil)
		if !errors.As(err, &full) || full.Code != models.ErrListsFull {
			t.Errorf("one more: %v", err)
		}
		if all, err := s.Lists(ctx); len(all) != models.MaxLists || err != nil {
			t.Errorf("%d lists, %v", len(all), err)
		}
	})
}

// Each person of a group is counted once, for the first reason, and those who are left are
// the audience.
func TestCountParts(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		addRecipients(t, s, 9)
		change := func(i int, f func(r *models.Recipient)) {
			if err := s.ChangeRecipient(ctx, modelstest.OpenID(i), f); err != nil {
				t.Fatal(err)
			}
		}
		change(1, func(r *models.Recipient) { r.Leave(models.At(t0)) })
		change(2, func(r *models.Recipient) { r.OptedOut = true })
		change(3, func(r *models.Recipient) { r.Blacklisted = true })
		group := func(l *models.ListInfo) models.Group {
			return models.Group{Kind: models.GroupList, Name: l.Name, Segment: l.SegmentID}
		}
		a, b, c := group(publish(t, s, "a", t0, 1, 2, 3, 4, 5, 100)), group(publish(t, s, "b", t0, 1, 4, 5, 6, 7, 8)), group(publish(t, s, "c", t0, 2, 5, 7))
		tag := models.Group{Kind: models.GroupTag, Name: "t", ID: 7}
		br := newBroadcast("1", t0)
		br.Audience = models.AudienceGroups
		br.Target = models.Target{Groups: []models.Group{a, b, tag}, Except: []models.Group{c}}
		got, err := s.CountParts(ctx, br)
		if err != nil {
			t.Fatal(err)
		}
		want := []models.Part{
			{Group: a, Known: true, Total: 6, Away: 2, Strangers: 1, OptedOut: 1, Blacklisted: 1, Excepted: 1, Left: 1},
			{Group: b, Known: true, Total: 6, Away: 1, Repeated: 2, Excepted: 1, Left: 2},
			{Group: tag},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if n, err := s.CountAudience(ctx, br); n != 3 || err != nil {
			t.Errorf("audience of %d, %v; want 3", n, err)
		}
	})
}

// Who lacks a field is counted exactly, with the fields of the first list, among those who
// would be sent to.
func TestLacking(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 6)
		if err := s.ChangeRecipient(ctx, modelstest.OpenID(5), func(r *models.Recipient) { r.OptedOut = true }); err != nil {
			t.Fatal(err)
		}
		b := newBroadcast("1", t0)
		b.Audience = models.AudienceGroups
		b.Target.Groups = []models.Group{
			listOf(t, s, "a", `{"name":"林","z":"\"trick\":\"x\"","到期":"11-30","quoted-x":"y"}`, ids[0], ids[1]),
			listOf(t, s, "b", `{"name":""}`, ids[1], ids[2]),
			listOf(t, s, "c", "", ids[3], ids[4], ids[5]),
		}
		lacks, err := s.Lacking(ctx, b, []string{"name", "到期", "quoted-x", `a"b`, "Name", "trick"}, false)
		if err != nil {
			t.Fatal(err)
		}
		three := []string{models.MaskOpenID(modelstest.OpenID(2)), models.MaskOpenID(modelstest.OpenID(3)), models.MaskOpenID(modelstest.OpenID(4))}
		all := []string{models.MaskOpenID(modelstest.OpenID(0)), models.MaskOpenID(modelstest.OpenID(1)), three[0]}
		want := []models.Lack{
			{Field: "name", Count: 3, OpenIDs: three},
			{Field: "到期", Count: 3, OpenIDs: three},
			{Field: "quoted-x", Count: 3, OpenIDs: three},
			{Field: `a"b`, Count: 5, OpenIDs: all},
			{Field: "Name", Count: 5, OpenIDs: all},
			{Field: "trick", Count: 5, OpenIDs: all},
		}
		if diff := cmp.Diff(want, lacks); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if lacks, err = s.Lacking(ctx, b, []string{"name"}, true); err != nil || len(lacks) != 1 || lacks[0].Count != 4 {
			t.Errorf("of everyone: %v, %v", lacks, err)
		}
	})
}

// Values that are long together are no statement that the database refuses.
func TestEntriesWithLongFields(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		id, err := s.AddSegment(t.Context(), models.Segment{Kind: string(models.GroupList), MadeAt: models.At(t0)})
		if err != nil {
			t.Fatal(err)
		}
		var entries []models.Entry
		for i := range 1000 {
			entries = append(entries, models.Entry{OpenID: modelstest.OpenID(i), Fields: `{"x":"` + strings.Repeat("读", 20_000) + `"}`})
		}
		if err := s.AddEntries(t.Context(), id, entries, t0); err != nil {
			t.Fatal(err)
		}
		if got := people(t, s, id); len(got) != 1000 {
			t.Errorf("%d people", len(got))
		}
	})
}
