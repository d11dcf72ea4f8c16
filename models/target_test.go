package models_test

import (
	"slices"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// listOf stores people as a segment and returns it as a list.
func listOf(t *testing.T, s *models.Store, name string, fields string, ids ...int64) models.Group {
	t.Helper()
	id, err := s.AddSegment(t.Context(), models.Segment{Kind: string(models.GroupList), Name: name})
	if err != nil {
		t.Fatal(err)
	}
	var members []models.Member
	for _, r := range ids {
		members = append(members, models.Member{SegmentID: id, RecipientID: r, Fields: fields})
	}
	if err := s.AddMembers(t.Context(), members); err != nil {
		t.Fatal(err)
	}
	return models.Group{Kind: models.GroupList, Name: name, Segment: id}
}

// Who is in several groups belongs to a broadcast once, with the fields of the first list;
// who is in an excepted one, or can't be written to, does not.
func TestAudienceOfSeveralGroups(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 10)
		if err := s.ChangeRecipient(ctx, modelstest.OpenID(3), func(r *models.Recipient) { r.OptedOut = true }); err != nil {
			t.Fatal(err)
		}
		b := newBroadcast("1", t0)
		b.Audience = models.AudienceGroups
		b.Target = models.Target{
			Groups: []models.Group{
				listOf(t, s, "b", `{"name":"b"}`, ids[1], ids[3], ids[5], ids[7]),
				listOf(t, s, "a", `{"name":"a"}`, ids[0], ids[1], ids[2], ids[7], ids[8]),
			},
			Except: []models.Group{listOf(t, s, "c", "", ids[7], ids[9])},
		}
		b = create(t, s, b)
		want := []int64{ids[0], ids[1], ids[2], ids[5], ids[8]}
		if err := s.FreezeAudience(ctx, b); err != nil {
			t.Fatal(err)
		}
		got, err := s.AudienceIDs(ctx, b, 0, 10)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("audience %v, %v, want %v", got, err, want)
		}
		if got, err := s.AudienceIDs(ctx, b, ids[1], 2); err != nil || !slices.Equal(got, want[2:4]) {
			t.Errorf("the next two: %v, %v, want %v", got, err, want[2:4])
		}
		if n, err := s.CountAudience(ctx, b); err != nil || n != int64(len(want)) {
			t.Errorf("%d, %v, want %d", n, err, len(want))
		}
		if err := modelstest.Claim(ctx, s, b.ID, want[:1], t0); err != nil {
			t.Fatal(err)
		}
		tasks, err := s.Tasks(ctx, b, models.Batch{BroadcastID: b.ID, ThroughID: ids[9]})
		if err != nil {
			t.Fatal(err)
		}
		var tried []int64
		fields := map[int64]string{}
		for _, task := range tasks {
			tried = append(tried, task.RecipientID)
			fields[task.RecipientID] = task.Fields
		}
		if !slices.Equal(tried, want) || fields[ids[1]] != `{"name":"b"}` || fields[ids[0]] != `{"name":"a"}` {
			t.Errorf("tasks %v with %v, want %v", tried, fields, want)
		}
	})
}
