package models_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// The same content goes once within a day to a group, and to everyone who is in one.
func TestTheSameContentToGroups(t *testing.T) {
	t.Parallel()
	groups := func(kind models.GroupKind, names ...string) models.Target {
		var target models.Target
		for _, name := range names {
			target.Groups = append(target.Groups, models.Group{Kind: kind, Name: name})
		}
		return target
	}
	for _, tt := range []struct {
		name         string
		first, then  models.Target // none for everyone
		state        models.BroadcastState
		finished     time.Duration // before the second is asked for
		again, taken bool
	}{
		{name: "the same group", first: groups(models.GroupTopic, "a"), then: groups(models.GroupTopic, "a")},
		{name: "in other letters", first: groups(models.GroupList, "VIP"), then: groups(models.GroupList, "vip")},
		{name: "one of several", first: groups(models.GroupTopic, "a", "b"), then: groups(models.GroupTopic, "c", "b")},
		{name: "everyone after a group", first: groups(models.GroupTag, "a")},
		{name: "a group after everyone", then: groups(models.GroupTag, "a")},
		{name: "another group", first: groups(models.GroupTopic, "a"), then: groups(models.GroupTopic, "b"), taken: true},
		{name: "another kind", first: groups(models.GroupTopic, "a"), then: groups(models.GroupTag, "a"), taken: true},
		{name: "said again", first: groups(models.GroupTopic, "a"), then: groups(models.GroupTopic, "a"), again: true, taken: true},
		{name: "two days later", first: groups(models.GroupTopic, "a"), then: groups(models.GroupTopic, "a"), finished: 48 * time.Hour, taken: true},
		{name: "while it waits for approval", state: models.Pending, first: groups(models.GroupTopic, "a"), then: groups(models.GroupTopic, "a")},
	} {
		modelstest.Each(t, func(t *testing.T, s *models.Store) {
			topics := map[string]int64{}
			for _, name := range []string{"a", "b", "c"} {
				topic := models.Topic{Folded: name, Name: name, AddedAt: models.At(t0)}
				if _, err := s.AddTopic(t.Context(), &topic); err != nil {
					t.Fatal(err)
				}
				topics[name] = topic.ID
			}
			asked := func(key string, to models.Target, at time.Time) *models.Broadcast {
				b := newBroadcast(key, at)
				to.Groups = slices.Clone(to.Groups)
				for i, g := range to.Groups {
					if g.Kind == models.GroupTopic {
						to.Groups[i].ID = topics[g.Name]
					}
				}
				b.Audience, b.Target, b.Digest = models.AudienceAll, to, "the same"
				if !to.None() {
					b.Audience = models.AudienceGroups
				}
				return b
			}
			first := asked("1", tt.first, t0)
			first.State, first.FinishedAt = models.Finished, models.At(t0.Add(time.Second))
			if tt.state != "" {
				first.State, first.FinishedAt = tt.state, models.Time{}
			}
			create(t, s, first)
			_, err := s.CreateBroadcast(t.Context(), asked("2", tt.then, t0.Add(time.Hour+tt.finished)), models.Asked{Again: tt.again})
			var told *models.Error
			if refused := errors.As(err, &told) && told.Code == models.ErrSameMessage; refused == tt.taken || err != nil && !refused {
				t.Errorf("%s: %v", tt.name, err)
			}
		})
	}
}
