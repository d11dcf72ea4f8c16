package models_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// given stores people who are given one by one, each with the field n, and returns their group.
func given(t *testing.T, s *models.Store, n string, people ...int) models.Group {
	t.Helper()
	g := models.Group{Kind: models.GroupList, Size: int64(len(people))}
	var err error
	g.Segment, err = s.AddSegment(t.Context(), models.Segment{Kind: string(g.Kind), Size: g.Size, Fields: `["n"]`, MadeAt: models.At(t0)})
	if err != nil {
		t.Fatal(err)
	}
	var entries []models.Entry
	for _, i := range people {
		e := models.Entry{OpenID: modelstest.OpenID(i)}
		if n != "" {
			e.Fields = fmt.Sprintf(`{"n":%q,"other":"%d"}`, n, g.Segment)
		}
		entries = append(entries, e)
	}
	if err := s.AddEntries(t.Context(), g.Segment, entries, t0); err != nil {
		t.Fatal(err)
	}
	return g
}

// To people who are given one by one, the same content goes once within a day, whatever else
// they belong to, and whichever comes first.
func TestTheSameContentToGivenPeople(t *testing.T) {
	t.Parallel()
	type group func(t *testing.T, s *models.Store) *models.Group // nil for everyone
	people := func(n string, numbers ...int) group {
		return func(t *testing.T, s *models.Store) *models.Group {
			g := given(t, s, n, numbers...)
			return &g
		}
	}
	everyone := func(*testing.T, *models.Store) *models.Group { return nil }
	list := func(name string, numbers ...int) group { // each has its own number as n
		return func(t *testing.T, s *models.Store) *models.Group {
			g := asGroup(publish(t, s, name, t0, numbers...))
			return &g
		}
	}
	tag := func(pulled bool, numbers ...int) group {
		return func(t *testing.T, s *models.Store) *models.Group {
			g := models.Group{Kind: models.GroupTag, Name: "x", ID: 100}
			if pulled {
				g.Segment = given(t, s, "", numbers...).Segment
			}
			return &g
		}
	}
	topic := func(joined, left int) group {
		return func(t *testing.T, s *models.Store) *models.Group {
			topic := models.Topic{Folded: "a", Name: "a", AddedAt: models.At(t0)}
			if _, err := s.AddTopic(t.Context(), &topic); err != nil {
				t.Fatal(err)
			}
			says := func(who int, joined bool) {
				c := models.Consent{Joined: joined, At: models.At(t0), Via: models.ViaText}
				if _, err := s.ChangeConsents(t.Context(), modelstest.OpenID(who), c, []int64{topic.ID}, func(*models.Recipient) {}); err != nil {
					t.Fatal(err)
				}
			}
			says(joined, true)
			says(left, true)
			says(left, false)
			return &models.Group{Kind: models.GroupTopic, Name: "a", ID: topic.ID}
		}
	}
	for _, tt := range []struct {
		name        string
		first, then group
		fills       []string
		taken       bool
	}{
		{name: "one of them", first: people("", 1, 2), then: people("", 2, 3)},
		{name: "others", first: people("", 1, 2), then: people("", 3, 4), taken: true},
		{name: "with other fields that the message does not have", first: people("x", 1), then: people("y", 1)},
		{name: "with other fields", first: people("x", 1, 2), then: people("y", 1, 2), fills: []string{"n"}, taken: true},
		{name: "with the same fields", first: people("x", 1, 2), then: people("x", 2), fills: []string{"n"}},
		{name: "without a field of their own", first: people("x", 1), then: people("", 1), fills: []string{"n"}},
		{name: "everyone after", first: people("", 1), then: everyone},
		{name: "after everyone", first: everyone, then: people("", 1)},
		{name: "a list after", first: people("", 1), then: list("a", 1, 2, 3)},
		{name: "a list of others after", first: people("", 1), then: list("a", 2, 3), taken: true},
		{name: "after a list", first: list("a", 1, 2, 3), then: people("", 3)},
		{name: "after a list with other fields", first: list("a", 1, 2, 3), then: people("x", 3), fills: []string{"n"}, taken: true},
		{name: "more after a list", first: list("a", 1), then: people("", 1, 2, 3)},
		{name: "a tag after", first: people("", 1), then: tag(true, 1)},
		{name: "a tag of others after", first: people("", 1), then: tag(true, 2), taken: true},
		{name: "a tag that is not pulled after", first: people("", 1), then: tag(false)},
		{name: "after a tag that was not pulled", first: tag(false), then: people("", 1)},
		{name: "a topic after", first: people("", 1), then: topic(1, 2)},
		{name: "a topic after that they left", first: people("", 2), then: topic(1, 2), taken: true},
		{name: "after a topic that they left since", first: topic(1, 2), then: people("", 2)},
		{name: "after a topic of others", first: topic(1, 2), then: people("", 3), taken: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, s *models.Store) {
				addRecipients(t, s, 10)
				asked := func(key string, to group, at time.Time) *models.Broadcast {
					b := newBroadcast(key, at)
					b.Audience, b.Digest = models.AudienceAll, "the same"
					if g := to(t, s); g != nil {
						b.Audience, b.Target = models.AudienceGroups, models.Target{Groups: []models.Group{*g}}
					}
					return b
				}
				first := asked("1", tt.first, t0)
				first.State, first.FinishedAt = models.Finished, models.At(t0.Add(time.Second))
				create(t, s, first)
				then := asked("2", tt.then, t0.Add(time.Hour))
				_, err := s.CreateBroadcast(t.Context(), then, models.Asked{Fills: tt.fills})
				var told *models.Error
				if refused := errors.As(err, &told) && told.Code == models.ErrSameMessage; refused == tt.taken || err != nil && !refused {
					t.Errorf("%v", err)
				}
			})
		})
	}
}
