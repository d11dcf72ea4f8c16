package models_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func addTopic(t *testing.T, s *models.Store, name string) int64 {
	t.Helper()
	topic := models.Topic{Folded: name, Name: name, AddedBy: "oAdmin", AddedAt: models.At(t0)}
	if _, err := s.AddTopic(t.Context(), &topic); err != nil {
		t.Fatal(err)
	}
	return topic.ID
}

// say has a person join a topic, or leave it, by a message.
func say(t *testing.T, s *models.Store, openID string, topic int64, join bool, key string) (changed bool) {
	t.Helper()
	c := models.Consent{Joined: join, At: models.At(t0), Via: models.ViaText, Text: "x", MessageKey: key}
	did, err := s.ChangeConsents(t.Context(), openID, c, []int64{topic}, func(r *models.Recipient) { r.Subscribed = true })
	if err != nil {
		t.Error(err)
	}
	return len(did) > 0
}

// Of several that say the same at the same moment one changes it, and the last row of a
// person says what they are in.
func TestConsentsAtTheSameMoment(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		topic := addTopic(t, s, "讲座")
		for round := range 6 {
			var changed atomic.Int64
			var all sync.WaitGroup
			for i := range 8 { // the person is unknown in the first round
				all.Go(func() {
					if say(t, s, "oSame", topic, round%2 == 0, fmt.Sprintf("m:%d:%d", round, i)) {
						changed.Add(1)
					}
				})
				all.Go(func() { say(t, s, fmt.Sprintf("oOther%d", i), topic, i%2 == round%2, fmt.Sprintf("o:%d:%d", round, i)) })
			}
			all.Wait()
			if changed.Load() != 1 {
				t.Errorf("round %d: %d changed it", round, changed.Load())
			}
		}
		list, err := s.ConsentsAfter(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]bool{}
		for _, c := range list {
			if in[c.OpenID] == c.Joined || c.Topic != "讲座" {
				t.Errorf("a row that changes nothing: %+v", c)
			}
			in[c.OpenID] = c.Joined
		}
		for openID, joined := range in {
			r, err := s.FindRecipient(t.Context(), openID)
			if err != nil {
				t.Fatal(err)
			}
			topics, err := s.TopicsOf(t.Context(), r.ID)
			if err != nil || len(topics) > 0 != joined {
				t.Errorf("%s is in %v, %v; the last row says %v", openID, topics, err, joined)
			}
		}
	})
}

// Two that add the last topic at the same moment: one is refused.
func TestTheLimitOfTopics(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		for i := range models.MaxTopics - 1 {
			addTopic(t, s, fmt.Sprint("topic ", i))
		}
		var refused atomic.Int64
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				_, err := s.AddTopic(t.Context(), &models.Topic{Folded: fmt.Sprint("x", i), Name: "x", AddedBy: "oAdmin"})
				var e *models.Error
				if errors.As(err, &e) && e.Code == models.ErrTopicsFull {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if list, err := s.Topics(t.Context()); err != nil || len(list) != models.MaxTopics || refused.Load() != 3 {
			t.Errorf("%d topics, %d refused, %v", len(list), refused.Load(), err)
		}
	})
}

// Who is in a broadcast's topic is fixed by the last consent before it was planned,
// whatever came after; who left after it is not claimed.
func TestATopicAsItWasWhenPlanned(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 8)
		topic := addTopic(t, s, "讲座")
		n := 0
		says := func(join bool, people ...int) {
			for _, i := range people {
				n++
				say(t, s, modelstest.OpenID(i), topic, join, fmt.Sprint("m:", n))
			}
		}
		says(true, 0, 1, 2, 3, 4)
		says(false, 4)
		b := newBroadcast("1", t0)
		b.Audience = models.AudienceGroups
		b.Target = models.Target{Groups: []models.Group{{Kind: models.GroupTopic, Name: "讲座", ID: topic}}}
		b = create(t, s, b)
		if err := s.FreezeAudience(ctx, b); err != nil {
			t.Fatal(err)
		}
		says(false, 0, 1, 2)
		says(true, 1, 4, 5)
		says(false, 1)
		says(true, 1)
		want := []int64{ids[1], ids[3]} // 0 and 2 left since; 4, 5 came late
		got, err := s.AudienceIDs(ctx, b, 0, 100)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("audience %v, %v, want %v", got, err, want)
		}
		except := newBroadcast("2", t0)
		except.Target, except.ThroughID, except.ThroughConsent = models.Target{Except: b.Target.Groups}, b.ThroughID, b.ThroughConsent
		except.ID = b.ID
		out := []int64{ids[4], ids[5], ids[6], ids[7]}
		if got, err := s.AudienceIDs(ctx, except, 0, 100); err != nil || !slices.Equal(got, out) {
			t.Errorf("all but the topic: %v, %v, want %v", got, err, out)
		}
		says(false, 3)
		if ok, err := s.Reachable(ctx, b, ids[3]); err != nil || ok {
			t.Errorf("who left since can be sent to: %v, %v", ok, err)
		}
		if ok, err := s.Reachable(ctx, b, ids[1]); err != nil || !ok {
			t.Errorf("who came back can't be sent to: %v, %v", ok, err)
		}
	})
}

// What every join and every look at topics asks finds its rows by an index.
func TestTopicStatementsUseAnIndex(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, plain, 1000)
		topic, other := addTopic(t, plain, "讲座"), addTopic(t, plain, "other")
		if err := models.FillConsents(ctx, plain, []int64{topic, other}, ids); err != nil {
			t.Fatal(err)
		}
		s, seen := recorded(t, plain)
		b := newBroadcast("1", t0)
		b.Audience = models.AudienceGroups
		b.Target.Groups = []models.Group{{Kind: models.GroupTopic, ID: topic}, {Kind: models.GroupTopic, ID: other}}
		b = create(t, plain, b)
		if err := plain.FreezeAudience(ctx, b); err != nil {
			t.Fatal(err)
		}
		person := modelstest.OpenID(7)
		eachStatement(t, seen, map[string]func() error{
			"join":                 func() error { say(t, s, person, topic, false, "1"); say(t, s, person, topic, true, "2"); return nil },
			"a person's topics":    func() error { _, err := s.TopicsOf(ctx, ids[7]); return err },
			"a page of consents":   func() error { _, err := s.ConsentsAfter(ctx, 10, 100); return err },
			"a page of members":    func() error { _, err := s.AudienceIDs(ctx, b, ids[100], 100); return err },
			"members as they were": func() error { _, err := s.CountAudience(ctx, b); return err },
			"reachability":         func() error { _, err := s.Reachable(ctx, b, ids[5]); return err },
			"who can't be reached": func() error { _, err := s.Unreachable(ctx, b, ids[:20]); return err },
		}, func(name string, st models.Statement) {
			checkPlan(ctx, t, plain, name, st)
		})
	})
}

// Those who had opted out before consents were kept have a row, so that the rows tell of
// everybody.
func TestTheUpgradeKeepsEarlierOptOuts(t *testing.T) {
	t.Parallel()
	upgraded(t, 7, func(t *testing.T, db *sql.DB, migrate func() *models.Store) {
		for i, row := range []string{"0, 0", "1, 1700000000000", "1, 0", "0, 1600000000000"} {
			_, err := db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO recipients (openid, subscribed, opted_out, opted_out_at, tester, subscribed_at,"+
				" scene, fields, created_at, updated_at) VALUES ('o%d', 1, %s, 0, 0, '', '', 1, 1)", i, row))
			if err != nil {
				t.Fatal(err)
			}
		}
		list, err := migrate().ConsentsAfter(t.Context(), 0, 100)
		if err != nil || len(list) != 2 {
			t.Fatalf("%+v, %v", list, err)
		}
		for i, want := range []string{"o2", "o1"} {
			if c := list[i]; c.OpenID != want || c.Joined || c.Topic != "" || c.Via != models.ViaBefore || c.At.IsZero() != (want == "o2") {
				t.Errorf("%+v, want that of %s", c, want)
			}
		}
	})
}

// Of a broadcast for a topic and the topic's removal at the same moment one is refused. A
// broadcast for some recipients of an earlier one does not ask whether the topic is there.
func TestATopicIsNotRemovedUnderANewBroadcast(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		for round := range 8 {
			name := fmt.Sprint("topic ", round)
			b := newBroadcast(fmt.Sprint("ask ", round), t0)
			b.Audience = models.AudienceGroups
			b.Target = models.Target{Groups: []models.Group{{Kind: models.GroupTopic, Name: name, ID: addTopic(t, s, name)}}}
			var removed, created error
			var all sync.WaitGroup
			all.Go(func() { _, removed = s.RemoveTopic(ctx, name, t0) })
			all.Go(func() { _, created = s.CreateBroadcast(ctx, b, models.Asked{Again: true}) })
			all.Wait()
			var e *models.Error
			switch {
			case removed == nil:
				if !errors.As(created, &e) || e.Code != models.ErrGroupUnknown {
					t.Errorf("round %d: removed, and the broadcast: %v", round, created)
				}
				of := create(t, s, newBroadcast(fmt.Sprint("of ", round), t0))
				for _, event := range []models.Event{models.EventDue, models.EventFinish} {
					if _, err := s.MoveBroadcast(ctx, of.ID, models.Move{Event: event}, t0); err != nil {
						t.Fatal(err)
					}
				}
				derived := newBroadcast(fmt.Sprint("derived ", round), t0)
				derived.Audience, derived.OfID, derived.Target = models.AudienceReached, of.ID, b.Target
				if _, err := s.CreateBroadcast(ctx, derived, models.Asked{Again: true}); err != nil {
					t.Errorf("round %d: one for those that an earlier one reached: %v", round, err)
				}
			case !errors.As(removed, &e) || e.Code != models.ErrTopicBusy || created != nil:
				t.Errorf("round %d: %v, and the broadcast: %v", round, removed, created)
			}
			if _, err := s.RemoveTopic(ctx, name, t0); created != nil && err == nil {
				t.Errorf("round %d: removed twice", round)
			}
		}
		gone := newBroadcast("gone", t0)
		gone.Target = models.Target{Except: []models.Group{{Kind: models.GroupTopic, Name: "x", ID: 1 << 40}}}
		var e *models.Error
		if _, err := s.CreateBroadcast(ctx, gone, models.Asked{Again: true}); !errors.As(err, &e) || e.Code != models.ErrGroupUnknown {
			t.Errorf("one that leaves out a topic that is gone: %v", err)
		}
	})
}
