package models_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

var t0 = time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC)

// newBroadcast returns a broadcast to all that was asked for at a moment.
func newBroadcast(key string, at time.Time) *models.Broadcast {
	return &models.Broadcast{
		RequestKey: key, Name: "notice", Message: "{}", Digest: "d1", Audience: models.AudienceAll,
		AskedBy: modelstest.OpenID(0), Salt: "salt", State: models.Scheduled, AskedAt: models.At(at),
	}
}

func create(t *testing.T, s *models.Store, b *models.Broadcast) *models.Broadcast {
	t.Helper()
	if _, err := s.CreateBroadcast(t.Context(), b, models.Asked{Again: true}); err != nil {
		t.Fatal(err)
	}
	return b
}

// addRecipients adds n followers and returns their ids.
func addRecipients(t *testing.T, s *models.Store, n int) []int64 {
	t.Helper()
	ids := make([]int64, n)
	for i := range n {
		if err := s.EnsureRecipient(t.Context(), modelstest.OpenID(i), t0); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.SampleAudience(t.Context(), &models.Broadcast{Audience: models.AudienceAll}, n)
	if err != nil || len(list) != n {
		t.Fatalf("sample: %d of %d, %v", len(list), n, err)
	}
	for i, r := range list {
		ids[i] = r.ID
	}
	return ids
}

func TestOneRequestMakesOneBroadcast(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		ids := map[int64]int{}
		made := 0
		for range 8 {
			wg.Go(func() {
				b := newBroadcast("same", t0)
				created, err := s.CreateBroadcast(context.WithoutCancel(t.Context()), b, models.Asked{})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				ids[b.ID]++
				if created {
					made++
				}
			})
		}
		wg.Wait()
		if made != 1 || len(ids) != 1 {
			t.Errorf("created %d times, numbers %v; want one", made, ids)
		}
	})
}

func TestSameMessageToAllWithinADay(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		n := 0
		ask := func(at time.Time, again bool, change func(*models.Broadcast)) (*models.Broadcast, error) {
			n++
			b := newBroadcast("k"+strconv.Itoa(n), at)
			if change != nil {
				change(b)
			}
			_, err := s.CreateBroadcast(ctx, b, models.Asked{Again: again})
			return b, err
		}
		first, err := ask(t0, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(err error) bool {
			var e *models.Error
			return errors.As(err, &e) && e.Code == models.ErrSameMessage && e.Args["ID"] == first.ID
		}
		if _, err := ask(t0.Add(23*time.Hour), false, nil); !refused(err) {
			t.Errorf("the same within a day: got %v, want a refusal that names #%d", err, first.ID)
		}
		for name, ask := range map[string]func() (*models.Broadcast, error){
			"another message": func() (*models.Broadcast, error) {
				return ask(t0, false, func(b *models.Broadcast) { b.Digest = "other" })
			},
			"to testers": func() (*models.Broadcast, error) {
				return ask(t0, false, func(b *models.Broadcast) { b.Audience = models.AudienceTest })
			},
			"again": func() (*models.Broadcast, error) { return ask(t0, true, nil) },
		} {
			b, err := ask()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			// Out of the way of the others.
			move(t, s, b, models.EventCancel)
		}
		if _, err := ask(t0.Add(25*time.Hour), false, nil); !refused(err) {
			t.Errorf("a day after one that has not ended: got %v, want a refusal that names #%d", err, first.ID)
		}
		move(t, s, first, models.EventDue)
		if moved, err := s.MoveBroadcast(ctx, first.ID, models.Move{Event: models.EventFinish}, t0.Add(2*time.Hour)); !moved || err != nil {
			t.Fatal(moved, err)
		}
		if _, err := ask(t0.Add(25*time.Hour), false, nil); !refused(err) {
			t.Errorf("23 hours after its end: got %v, want a refusal that names #%d", err, first.ID)
		}
		if _, err := ask(t0.Add(27*time.Hour), false, nil); err != nil {
			t.Errorf("25 hours after its end: %v", err)
		}
	})
}

func TestCancelledBeforeAnySendDoesNotCountAsSame(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 1)
		first := create(t, s, newBroadcast("1", t0))
		move(t, s, first, models.EventCancel)
		second := newBroadcast("2", t0)
		if _, err := s.CreateBroadcast(ctx, second, models.Asked{}); err != nil {
			t.Fatalf("after one that was cancelled before any send: %v", err)
		}
		batch := []models.Batch{{BroadcastID: second.ID, Seq: 1, ThroughID: ids[0], Size: 1, State: models.BatchTodo}}
		claims := models.Claims{{At: models.At(t0), Recipients: ids}}
		if err := errors.Join(s.AddBatches(ctx, batch), s.ClaimBatch(ctx, second.ID, 1, claims)); err != nil {
			t.Fatal(err)
		}
		move(t, s, second, models.EventCancel)
		if _, err := s.CreateBroadcast(ctx, newBroadcast("3", t0), models.Asked{}); models.KindOf(err) != models.Conflict {
			t.Errorf("after one that had begun to send: got %v, want a refusal", err)
		}
	})
}

func TestUnnotified(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		add := func(key string, state models.BroadcastState, reason string, at time.Time) int64 {
			b := newBroadcast(key, at)
			b.State, b.Reason = state, reason
			return create(t, s, b).ID
		}
		finished := add("finished", models.Finished, "", t0)
		quota := add("quota", models.Paused, models.ReasonQuota, t0)
		add("by an admin", models.Paused, models.ReasonAdmin, t0)
		add("cancelled", models.Cancelled, models.ReasonAdmin, t0)
		add("running", models.Running, "", t0)
		long := add("asked for days ago", models.Finished, "", t0.Add(-72*time.Hour))
		check := func(want ...int64) {
			t.Helper()
			list, err := s.Unnotified(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, b := range list {
				got = append(got, b.ID)
			}
			if len(got) != len(want) {
				t.Fatalf("got %v, want %v", got, want)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("got %v, want %v", got, want)
				}
			}
		}
		check(finished, quota, long)
		b, err := s.FindBroadcast(ctx, finished)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.MarkNotified(ctx, finished, b.NoticeMark()); err != nil {
			t.Fatal(err)
		}
		check(quota, long)
	})
}

// What was kept is said once, in the reply to one message: in every copy of that
// reply and in no other.
func TestKeptNotices(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ask := func(key, by string) int64 {
			b := newBroadcast(key, t0)
			b.State, b.AskedBy = models.Finished, by
			return create(t, s, b).ID
		}
		first, second, third := ask("1", "oAdmin"), ask("2", "oAdmin"), ask("3", "oAdmin")
		other, untold := ask("4", "oadmin"), ask("5", "oAdmin")
		keep := func(by string, id int64) {
			t.Helper()
			if err := s.KeepNotice(ctx, by, id); err != nil {
				t.Fatal(err)
			}
		}
		keep("oadmin", other)
		for _, id := range []int64{first, second, third} {
			keep("oAdmin", id)
		}
		check := func(by, key string, n int, want ...int64) {
			t.Helper()
			list, err := s.KeptNotices(ctx, by, key, n)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, b := range list {
				got = append(got, b.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("kept for %s at %q: %v, want %v", by, key, got, want)
			}
		}
		say := func(key string, ids []int64, want ...int64) {
			t.Helper()
			if said, err := s.SayNotices(ctx, "oAdmin", ids, key); err != nil || !slices.Equal(said, want) {
				t.Errorf("said at %q: %v, %v, want %v", key, said, err, want)
			}
		}
		check("oAdmin", "m:1", 2, third, second)
		say("m:1", []int64{third, second, untold}, third, second)
		check("oAdmin", "m:1", 9, third, second) // a copy of the same message
		say("m:1", []int64{third, second}, third, second)
		check("oAdmin", "m:2", 9, first)
		say("m:2", []int64{second, first}, first)
		check("oAdmin", "m:3", 9)
		check("oadmin", "m:4", 9, other)
		keep("oAdmin", second) // there is news of it
		check("oAdmin", "m:5", 9, second)
	})
}
