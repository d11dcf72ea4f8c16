package models_test

import (
	"slices"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// planned stores a broadcast with a planned start.
func planned(t *testing.T, s *models.Store, key string, start time.Time, change func(*models.Broadcast)) *models.Broadcast {
	t.Helper()
	b := newBroadcast(key, t0)
	b.PlannedStart, b.NotBefore = models.At(start), models.At(start)
	if change != nil {
		change(b)
	}
	return create(t, s, b)
}

func stored(t *testing.T, s *models.Store, id int64) *models.Broadcast {
	t.Helper()
	b, err := s.FindBroadcast(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Of a start that somebody moves while another sees that it has come, the later counts.
func TestAStartThatWasMovedDoesNotComeEarly(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		b := planned(t, s, "1", t0, nil)
		later := t0.Add(time.Hour)
		if moved, err := s.RescheduleBroadcast(ctx, b.ID, later, later.Add(time.Second), "", t0); !moved || err != nil {
			t.Fatal(moved, err)
		}
		if got := stored(t, s, b.ID); !got.PlannedStart.Equal(later) || !got.NotBefore.Equal(later.Add(time.Second)) {
			t.Errorf("planned for %s, not before %s", got.PlannedStart, got.NotBefore)
		}
		for _, on := range []models.Event{models.EventDue, models.EventMiss} {
			if moved, err := s.MoveBroadcast(ctx, b.ID, models.Move{Event: on}, t0.Add(time.Minute)); moved || err != nil {
				t.Errorf("%s before its time: %t, %v", on, moved, err)
			}
		}
		if moved, err := s.MoveBroadcast(ctx, b.ID, models.Move{Event: models.EventMiss}, later.Add(models.StartsWithin)); moved || err != nil {
			t.Errorf("missed within the hour: %t, %v", moved, err)
		}
		if moved, err := s.MoveBroadcast(ctx, b.ID, models.Move{Event: models.EventDue}, later.Add(time.Second)); !moved || err != nil {
			t.Errorf("at its time: %t, %v", moved, err)
		}
		if moved, err := s.RescheduleBroadcast(ctx, b.ID, later.Add(time.Hour), later.Add(time.Hour), "", t0); moved || err != nil {
			t.Errorf("moved after its start: %t, %v", moved, err)
		}
	})
}

func TestWhatAnotherStartMakesOfAPause(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, reason string
		state        models.BroadcastState
		want         models.BroadcastState
	}{
		{"missed", models.ReasonMissed, models.Paused, models.Scheduled},
		{"by an admin", models.ReasonAdmin, models.Paused, models.Paused},
		{"waits", "", models.Scheduled, models.Scheduled},
		{"cancelled", models.ReasonAdmin, models.Cancelled, ""},
		{"failed", models.ReasonTemplate, models.Failed, ""},
		{"the account is at stake", models.ReasonAccount, models.Paused, models.Paused}, // and no other may be asked for from now on
	}
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		for _, test := range tests {
			b := planned(t, s, test.name, t0, func(b *models.Broadcast) {
				b.State, b.Reason, b.NotifiedState = test.state, test.reason, "paused "+test.reason
			})
			moved, err := s.RescheduleBroadcast(t.Context(), b.ID, t0.Add(time.Hour), t0.Add(time.Hour), "", t0)
			got := stored(t, s, b.ID)
			switch {
			case err != nil || moved != (test.want != ""):
				t.Errorf("%s: %t, %v", test.name, moved, err)
			case !moved:
				if !got.PlannedStart.Equal(t0) || got.State != test.state {
					t.Errorf("%s: %s at %s", test.name, got.State, got.PlannedStart)
				}
			case got.State != test.want || (got.Reason == "") != (test.want == models.Scheduled):
				t.Errorf("%s: %s %q", test.name, got.State, got.Reason)
			case test.reason == models.ReasonMissed && got.NotifiedState != "":
				t.Errorf("%s: told of %q, so another miss would be none", test.name, got.NotifiedState)
			}
		}
	})
}

// One that is resumed after its time has not missed it, and begins once.
func TestAResumeAfterThePlannedStartIsTheNewStart(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		resumed := t0.Add(3 * time.Hour)
		late := planned(t, s, "late", t0, nil)
		early := planned(t, s, "early", t0.Add(24*time.Hour), nil)
		for _, b := range []*models.Broadcast{late, early} {
			move(t, s, b, models.EventPause)
			if moved, err := s.MoveBroadcast(ctx, b.ID, models.Move{Event: models.EventResume}, resumed); !moved || err != nil {
				t.Fatal(moved, err)
			}
		}
		if got := stored(t, s, late.ID); !got.NotBefore.Equal(resumed) || !got.PlannedStart.Equal(t0) {
			t.Errorf("late: not before %s, planned for %s", got.NotBefore, got.PlannedStart)
		}
		if got := stored(t, s, early.ID); !got.NotBefore.Equal(t0.Add(24 * time.Hour)) {
			t.Errorf("early: not before %s", got.NotBefore)
		}
	})
}

func TestWhatWaitsForItsTime(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		third := planned(t, s, "1", t0.Add(3*time.Hour), nil)
		first := planned(t, s, "2", t0.Add(time.Hour), nil)
		second := planned(t, s, "3", t0.Add(2*time.Hour), func(b *models.Broadcast) { b.State, b.Reason = models.Paused, models.ReasonAdmin })
		planned(t, s, "4", t0, func(b *models.Broadcast) { b.State, b.StartedAt = models.Paused, models.At(t0) })
		planned(t, s, "5", t0, func(b *models.Broadcast) { b.State = models.Cancelled })
		list, err := s.Waiting(t.Context(), 10)
		var got []int64
		for _, b := range list {
			got = append(got, b.ID)
		}
		if err != nil || !slices.Equal(got, []int64{first.ID, second.ID, third.ID}) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// A planned start is told of once, and a resume makes it no news again.
func TestAPlannedStartIsToldOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		b := planned(t, s, "1", t0, nil)
		check := func(when string, want int) {
			t.Helper()
			if list, err := s.Unnotified(ctx); err != nil || len(list) != want {
				t.Errorf("%s: %d to tell of, %v", when, len(list), err)
			}
		}
		move(t, s, b, models.EventDue)
		check("before it is known to how many it goes", 0)
		if _, err := s.PlanDone(ctx, b.ID, t0); err != nil {
			t.Fatal(err)
		}
		check("once that is known", 1)
		if err := s.MarkNotified(ctx, b.ID, stored(t, s, b.ID).NoticeMark()); err != nil {
			t.Fatal(err)
		}
		check("once it was told", 0)
		move(t, s, b, models.EventPause)
		move(t, s, b, models.EventResume)
		move(t, s, b, models.EventDue)
		check("after a pause", 0)
		move(t, s, b, models.EventFinish)
		check("at its end", 1)
		move(t, s, create(t, s, newBroadcast("2", t0)), models.EventDue)
		check("one that was not planned", 1)
	})
}
