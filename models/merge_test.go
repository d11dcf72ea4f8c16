package models_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// pull stores pages as a sync does.
func pull(t *testing.T, s *models.Store, st models.SyncState, pages ...[]string) models.SyncState {
	t.Helper()
	for i, page := range pages {
		next := st
		next.Pages++
		next.Pulled = i == len(pages)-1
		var err error
		if st, err = s.StorePage(t.Context(), st, next, page); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

// Lists and tables of more than a group, in any relation to each other.
func TestMergeListOfAnySize(t *testing.T) {
	t.Parallel()
	const people = 12_000
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		random := rand.New(rand.NewPCG(1, 2))
		before := map[string]bool{} // who follows
		known := map[string]bool{}
		at := morning
		for _, share := range []int{40, 100, 97, 0, 100} {
			listed := map[string]bool{}
			var pages [][]string
			var page []string
			for _, i := range random.Perm(people) {
				openID := modelstest.OpenID(i)
				if i%100 < share {
					listed[openID] = true
					page = append(page, openID)
				}
				if len(page) == 4_000 {
					pages = append(pages, page)
					page = slices.Clone(page[:500]) // the next one repeats some of it
				}
			}
			pages = append(pages, page)

			want := models.SyncState{Seen: int64(len(listed))}
			for openID := range listed {
				switch {
				case !known[openID]:
					want.Added++
				case !before[openID]:
					want.Returned++
				}
				known[openID] = true
			}
			for openID := range before {
				if !listed[openID] {
					want.Left++
				}
			}

			at = at.Add(time.Hour)
			st := pull(t, s, begin(t, s, at), pages...)
			stored := int64(0)
			st, unlisted, err := s.MergeList(t.Context(), st, func(n int64) { stored = n })
			if err != nil {
				t.Fatal(err)
			}
			if st, err = s.MarkLeft(t.Context(), st, unlisted); err != nil {
				t.Fatal(err)
			}
			got := models.SyncState{Seen: st.Seen, Added: st.Added, Returned: st.Returned, Left: st.Left}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%d%% listed: state (-want +got):\n%s", share, diff)
			}
			if stored != st.Seen {
				t.Errorf("%d%% listed: progress ends at %d of %d", share, stored, st.Seen)
			}
			wantFollowing := slices.Sorted(maps.Keys(listed))
			gotFollowing, err := models.Following(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(wantFollowing, gotFollowing) {
				t.Fatalf("%d%% listed: %d follow, want the %d of the list", share, len(gotFollowing), len(wantFollowing))
			}
			before = listed
		}
	})
}

// A merge that is repeated, as after a crash, changes nothing twice.
func TestMergeListAgain(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		st := pull(t, s, begin(t, s, morning), []string{"oA", "oB", "oC"})
		if _, _, err := s.MergeList(ctx, st, nil); err != nil {
			t.Fatal(err)
		}
		later := morning.Add(time.Hour)
		st = pull(t, s, begin(t, s, later), []string{"oB", "oD"})
		for range 2 {
			var unlisted []int64
			var err error
			if st, unlisted, err = s.MergeList(ctx, st, nil); err != nil {
				t.Fatal(err)
			}
			if len(unlisted) != 2 {
				t.Errorf("%d followers are not listed, want 2", len(unlisted))
			}
		}
		if st.Seen != 2 || st.Added != 1 {
			t.Errorf("seen %d, added %d, want 2 and 1", st.Seen, st.Added)
		}
		if _, err := s.FinishSync(ctx, st, models.At(later)); err != nil {
			t.Fatal(err)
		}
		if runs, err := models.CountRuns(ctx, s); err != nil || runs != 0 {
			t.Errorf("a finished sync keeps %d parts of its pages, %v", runs, err)
		}
	})
}
