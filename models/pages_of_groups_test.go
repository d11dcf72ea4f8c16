package models_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// Pages of any size of several groups are together each of their people once, in the order
// of their numbers, however few a group has.
func TestPagesOfSeveralGroups(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, 400)
		b := newBroadcast("pages", t0)
		b.Audience = models.AudienceGroups
		var want []int64
		for g, share := range []int{2, 40, 3, 100} {
			var people []string
			for i := range ids {
				// The last group has people at one end alone.
				if rand.N(share) == 0 || g == 3 && i > 380 {
					people, want = append(people, modelstest.OpenID(i)), append(want, ids[i])
				}
			}
			segment, err := s.AddSegment(t.Context(), models.Segment{Kind: string(models.GroupTag), MadeAt: models.At(t0)})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.AddTagged(t.Context(), segment, people, t0); err != nil {
				t.Fatal(err)
			}
			b.Target.Groups = append(b.Target.Groups, models.Group{Kind: models.GroupTag, ID: int64(g + 1), Segment: segment})
		}
		slices.Sort(want)
		want = slices.Compact(want)
		for _, through := range []int64{0, ids[300]} {
			b.ThroughID = through
			want := slices.Clone(want)
			if through > 0 {
				want = slices.DeleteFunc(want, func(id int64) bool { return id > through })
			}
			for _, n := range []int{1, 2, 7, 50, 1000} {
				var got []int64
				for after := int64(0); ; after = got[len(got)-1] {
					page, err := s.AudienceIDs(t.Context(), b, after, n)
					if err != nil || len(page) > n {
						t.Fatalf("%d in a page of %d, %v", len(page), n, err)
					}
					if len(page) == 0 {
						break
					}
					got = append(got, page...)
				}
				if !slices.Equal(got, want) {
					t.Errorf("pages of %d through %d: %v, want %v", n, through, got, want)
				}
			}
		}
	})
}
