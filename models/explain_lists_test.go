package models_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// A list of some is made, counted and sent to by indexes, however many people there are
// beside it.
func TestStatementsOfListsUseAnIndex(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, plain, 3000)
		var some []int
		for i := range 300 {
			some = append(some, 10*i)
		}
		a, b := publish(t, plain, "a", t0, some...), publish(t, plain, "b", t0, some[100:]...)
		br := newBroadcast("1", t0)
		br.Audience = models.AudienceGroups
		br.Target.Groups = []models.Group{{Kind: models.GroupList, Name: "a", Segment: a.SegmentID}, {Kind: models.GroupList, Name: "b", Segment: b.SegmentID}}
		br.Target.Except = []models.Group{{Kind: models.GroupList, Name: "b", Segment: b.SegmentID}}
		s, seen := recorded(t, plain)
		made, err := plain.AddSegment(ctx, models.Segment{Kind: string(models.GroupList), MadeAt: models.At(t0)})
		if err != nil {
			t.Fatal(err)
		}
		steps := map[string]func() error{
			"find a list": func() error { _, err := s.FindList(ctx, "a"); return err },
			"add people": func() error {
				return s.AddEntries(ctx, made, []models.Entry{{OpenID: modelstest.OpenID(7)}, {OpenID: modelstest.OpenID(9000)}}, t0)
			},
			"how people stand":  func() error { _, err := s.Standing(ctx, openIDs(1, 2, 3)); return err },
			"a page of people":  func() error { _, err := s.MembersAfter(ctx, a.SegmentID, ids[100], 20); return err },
			"numbers":           func() error { _, err := s.CountParts(ctx, br); return err },
			"count":             func() error { _, err := s.CountAudience(ctx, br); return err },
			"who is reachable":  func() error { _, err := s.CountReachable(ctx, a.SegmentID); return err },
			"missing fields":    func() error { _, err := s.Lacking(ctx, br, []string{"n", "none"}, false); return err },
			"a sample":          func() error { _, err := s.SampleAudience(ctx, br, 20); return err },
			"a sample of lists": func() error { _, err := s.SampleListed(ctx, br, 20); return err },
			"a page":            func() error { _, err := s.AudienceIDs(ctx, br, ids[100], 20); return err },
			"a batch": func() error {
				_, err := s.Tasks(ctx, br, models.Batch{BroadcastID: 1, AfterID: ids[100], ThroughID: ids[150]})
				return err
			},
			"drop": func() error { return s.DropSegment(ctx, made) },
			"tidy": func() error { return s.TidySegments(ctx, t0.Add(time.Second)) },
		}
		eachStatement(t, seen, steps, func(name string, st models.Statement) {
			if strings.HasPrefix(st.Query, "DELETE FROM segments WHERE kind") {
				return // hourly, and segments and lists are few
			}
			checkPlan(ctx, t, plain, fmt.Sprint("lists: ", name), st)
		})
	})
}
