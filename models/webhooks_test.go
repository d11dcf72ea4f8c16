package models_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// webhooks returns what is to be told by a moment, in the order in which it happened.
func webhooks(t *testing.T, s *models.Store, by time.Time) (events []string, list []models.Webhook) {
	t.Helper()
	list, err := s.DueWebhooks(t.Context(), by, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range list {
		events = append(events, string(w.Type)+" "+w.Reason)
	}
	return events, list
}

func TestEachPauseAndEndLeavesOneWebhook(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		s.KeepWebhooks()
		b := newBroadcast("life", t0)
		b.State = models.Scheduled
		create(t, s, b)
		now := t0
		step := func(m models.Move, want bool) {
			t.Helper()
			now = now.Add(time.Minute)
			if moved, err := s.MoveBroadcast(t.Context(), b.ID, m, now); err != nil || moved != want {
				t.Fatalf("%+v: moved %t, %v", m, moved, err)
			}
		}
		quota := models.Move{Event: models.EventStop, Reason: models.ReasonQuota, ResumeAt: t0.Add(time.Hour)}
		admin := models.Move{Event: models.EventPause, Reason: models.ReasonAdmin}
		step(models.Move{Event: models.EventDue}, true)
		step(quota, true)
		step(quota, false) // it is paused
		step(admin, true)  // an admin's pause does not end by itself
		step(admin, false)
		step(models.Move{Event: models.EventResume}, true)
		step(models.Move{Event: models.EventDue}, true)
		step(admin, true) // paused again
		step(models.Move{Event: models.EventRestore, Reason: models.ReasonAdmin, Detail: "for the same reason"}, true)
		step(models.Move{Event: models.EventResume}, true)
		step(models.Move{Event: models.EventDue}, true)
		step(models.Move{Event: models.EventFinish}, true)
		step(models.Move{Event: models.EventFinish}, false)

		got, list := webhooks(t, s, now)
		want := []string{"broadcast.paused quota", "broadcast.paused admin", "broadcast.paused admin", "broadcast.finished "}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		ids := map[string]bool{}
		for _, w := range list {
			ids[w.EventID] = true
		}
		if len(ids) != len(want) {
			t.Errorf("%d events have %d names", len(want), len(ids))
		}
		if first := list[0]; first.BroadcastID != b.ID || !first.At.Equal(t0.Add(2*time.Minute)) || first.Payload != "" {
			t.Errorf("%+v", first)
		}
	})
}

func TestWebhooksOfWhatStopsManyAtOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		s.KeepWebhooks()
		for _, state := range []models.BroadcastState{models.Running, models.Scheduled, models.Finished, models.Running} {
			b := newBroadcast("many "+time.Now().String(), t0)
			b.State = state
			create(t, s, b)
		}
		failing := models.Move{Event: models.EventFail, Reason: models.ReasonContent}
		if moved, err := s.MoveBroadcast(t.Context(), 4, failing, t0); err != nil || !moved {
			t.Fatal(moved, err)
		}
		if err := s.HaltOthers(t.Context(), 1, "40249", t0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.PauseAll(t.Context(), t0.Add(time.Hour), t0); err != nil {
			t.Fatal(err)
		}
		if moved, err := s.MoveBroadcast(t.Context(), 2, models.Move{Event: models.EventCancel, Reason: models.ReasonAdmin}, t0); err != nil || !moved {
			t.Fatal(moved, err)
		}
		got, list := webhooks(t, s, t0)
		want := []string{"broadcast.halted content", "broadcast.paused account", "broadcast.paused admin"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if list[0].BroadcastID != 4 || list[1].BroadcastID != 2 || list[2].BroadcastID != 1 {
			t.Errorf("%+v", list)
		}
	})
}

// A move that is not stored leaves no webhook, and one whose webhook is not stored is none.
func TestAMoveAndItsWebhookAreStoredTogether(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		s.KeepWebhooks()
		b := newBroadcast("together", t0)
		b.State = models.Running
		create(t, s, b)
		fault, table := errors.New("the program ends here"), ""
		if err := models.FailWrites(s, &table, fault); err != nil {
			t.Fatal(err)
		}
		for _, table = range []string{"webhooks", "broadcasts"} {
			if moved, err := s.MoveBroadcast(t.Context(), b.ID, models.Move{Event: models.EventFinish}, t0); moved || !errors.Is(err, fault) {
				t.Fatalf("%s: moved %t, %v", table, moved, err)
			}
			got, err := s.FindBroadcast(t.Context(), b.ID)
			if events, _ := webhooks(t, s, t0); err != nil || got.State != models.Running || len(events) != 0 {
				t.Errorf("%s: %+v, %v, %v", table, got, events, err)
			}
		}
		table = ""
		move(t, s, b, models.EventFinish)
		if events, _ := webhooks(t, s, t0); len(events) != 1 {
			t.Errorf("%v", events)
		}
	})
}

func TestNothingIsKeptWithoutAWebhook(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		b := newBroadcast("none", t0)
		b.State = models.Running
		create(t, s, b)
		move(t, s, b, models.EventFinish)
		if events, _ := webhooks(t, s, t0); len(events) != 0 {
			t.Errorf("%v", events)
		}
	})
}

func TestAWebhookIsClaimedByOneAndDroppedWhenOld(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		s.KeepWebhooks()
		for range 3 {
			b := newBroadcast("claim "+time.Now().String(), t0)
			b.State = models.Running
			create(t, s, b)
			move(t, s, b, models.EventFinish)
		}
		_, list := webhooks(t, s, t0)
		claim := func(w *models.Webhook, want bool) {
			t.Helper()
			if got, err := s.ClaimWebhook(ctx, w, t0.Add(time.Minute)); err != nil || got != want {
				t.Fatalf("claimed %t, %v", got, err)
			}
		}
		claim(&list[0], false) // it is not known yet what is told
		for i, text := range []string{"{}", "{}", "{}"} {
			if err := errors.Join(s.FillWebhook(ctx, list[i].ID, text), s.FillWebhook(ctx, list[i].ID, "other")); err != nil {
				t.Fatal(err)
			}
		}
		taken, refused, givenUp := list[0], list[1], list[2]
		late := taken
		claim(&taken, true)
		claim(&late, false)
		claim(&refused, true)
		claim(&givenUp, true)
		if events, _ := webhooks(t, s, t0.Add(59*time.Second)); len(events) != 0 {
			t.Errorf("others post them meanwhile: %v", events)
		}
		if _, again := webhooks(t, s, t0.Add(time.Minute)); len(again) != 3 || again[0].Payload != "{}" || again[0].Attempts != 1 {
			t.Errorf("a post that never ended is not made again: %+v", again)
		}
		stale := refused
		if err := errors.Join(
			s.WebhookTaken(ctx, taken, t0), s.WebhookGivenUp(ctx, givenUp, "410", t0), s.WebhookRefused(ctx, refused, "503", t0.Add(time.Hour)),
		); err != nil {
			t.Fatal(err)
		}
		_, left := webhooks(t, s, t0.Add(time.Hour))
		if len(left) != 1 || left[0].ID != refused.ID || left[0].LastError != "503" {
			t.Fatalf("left %+v", left)
		}
		claim(&left[0], true)
		if err := s.WebhookTaken(ctx, stale, t0); err != nil { // another post followed
			t.Fatal(err)
		}
		if _, left = webhooks(t, s, t0.Add(time.Hour)); len(left) != 1 {
			t.Errorf("left %+v", left)
		}

		count := func() int64 {
			n, err := s.CountRows(ctx, models.CopyTable{Name: "webhooks"})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if err := s.DropWebhooks(ctx, t0); err != nil || count() != 3 {
			t.Errorf("%d are left, %v", count(), err)
		}
		if err := s.DropWebhooks(ctx, t0.Add(time.Second)); err != nil || count() != 1 {
			t.Errorf("%d are left, %v", count(), err)
		}
	})
}
