package models_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func TestTasksAreThoseWithoutAnOutcome(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 5)
		addBatches(t, s, 1)
		b := &models.Broadcast{ID: 1}
		batch := *lease(t, s, 1, "a", time.Minute)
		if err := modelstest.Claim(ctx, s, b.ID, ids[:4], t0); err != nil {
			t.Fatal(err)
		}
		if err := modelstest.Claim(ctx, s, b.ID, ids[3:], t0); err == nil {
			t.Fatal("a recipient could be claimed twice")
		}
		if tasks := left(t, s, b); tasks[ids[4]].State != "" {
			t.Errorf("a claim that failed left a row: %+v", tasks[ids[4]])
		}
		err := s.RecordOutcomes(ctx, []models.Outcome{
			{BroadcastID: b.ID, RecipientID: ids[0], State: models.Accepted, MsgID: 1<<62 + 1, Attempts: 1, SentAt: t0},
			{BroadcastID: b.ID, RecipientID: ids[1], State: models.Deferred, ErrCode: 43117, Attempts: 1, SentAt: t0},
		}, t0.Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.ReleaseDeliveries(ctx, batch, []int64{ids[0], ids[2]}); err != nil {
			t.Fatal(err)
		}
		another := batch
		another.Owner = "who lost it"
		if err := s.ReleaseDeliveries(ctx, another, []int64{ids[3]}); err != nil {
			t.Fatal(err)
		}
		tasks := left(t, s, b)
		got := map[int64]models.DeliveryState{}
		for id, task := range tasks {
			got[id] = task.State
		}
		want := map[int64]models.DeliveryState{ids[1]: models.Deferred, ids[2]: "", ids[3]: models.Sending, ids[4]: ""}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what is left (-want +got):\n%s", diff)
		}
		if task := tasks[ids[3]]; !task.SentAt.Equal(t0) {
			t.Errorf("sent_at moved to %v", task.SentAt)
		}
		putOff := func(n int64, since models.Time) {
			t.Helper()
			c, err := s.CountDeliveries(ctx, b.ID)
			if err != nil || c.Deferred != n || c.Sending != 2 {
				t.Errorf("%+v, %v; want %d put off of 2", c, err, n)
			}
			if c.DeferredSince != since {
				t.Errorf("put off since %s, want %s", c.DeferredSince, since)
			}
		}
		putOff(1, models.At(t0.Add(time.Second)))
		later := t0.Add(time.Minute)
		if err := s.ReclaimDeliveries(ctx, b.ID, []int64{ids[1], ids[3]}, later); err != nil {
			t.Fatal(err)
		}
		putOff(0, models.Time{})
		tasks = left(t, s, b)
		if task := tasks[ids[1]]; task.State != models.Sending || !task.SentAt.Equal(later) {
			t.Errorf("put off and claimed again: %+v", task)
		}
		if task := tasks[ids[3]]; !task.SentAt.Equal(t0) {
			t.Errorf("sent_at of a send in doubt moved to %v", task.SentAt)
		}
		if err := s.ReleaseDeliveries(ctx, batch, []int64{ids[1], ids[3]}); err != nil {
			t.Fatal(err)
		}
		tasks = left(t, s, b)
		if task := tasks[ids[1]]; task.State != models.Deferred || task.Attempts != 1 || !task.UpdatedAt.Equal(t0.Add(time.Second)) {
			t.Errorf("put off, claimed again and released: %+v", task)
		}
		if task := tasks[ids[3]]; task.State != "" {
			t.Errorf("released: %+v", task)
		}
	})
}

// Who said stop or left since the batch was read is not claimed.
func TestOnlyTheWillingAreClaimed(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 5)
		for i, change := range map[int]func(*models.Recipient){
			1: func(r *models.Recipient) { r.OptedOut = true },
			3: func(r *models.Recipient) { r.Leave(r.UpdatedAt) },
		} {
			if err := s.ChangeRecipient(ctx, modelstest.OpenID(i), change); err != nil {
				t.Fatal(err)
			}
		}
		all := &models.Broadcast{Audience: models.AudienceAll}
		for i, want := range []bool{true, false, true, false, true} {
			if ok, err := s.Reachable(ctx, all, ids[i]); err != nil || ok != want {
				t.Errorf("recipient %d is reachable: %t, %v; want %t", i, ok, err, want)
			}
		}
		unreachable := func(key string, audience models.Audience, recipients, want []int64) {
			t.Helper()
			b := newBroadcast(key, t0)
			b.Audience, b.AskedBy = audience, modelstest.OpenID(1)
			b = create(t, s, b)
			got, err := s.Unreachable(ctx, b, recipients)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the unreachable (-want +got):\n%s", diff)
			}
			// The same under a cap, where they are claimed with a row of their own.
			unsent, skipped, err := s.ClaimUnderCap(ctx, b, models.ClaimUnasked, recipients, models.Cap{Max: 100, Within: time.Hour}, t0)
			if diff := cmp.Diff(want, unsent); err != nil || skipped != 0 || diff != "" {
				t.Errorf("under a cap: %v, %d skipped (-want +got):\n%s", err, skipped, diff)
			}
			c, err := s.CountDeliveries(ctx, b.ID)
			if n := int64(len(recipients) - len(want)); err != nil || c.Sending != n || c.Tried() != n {
				t.Errorf("%+v, %v; want %d", c, err, n)
			}
		}
		unreachable("1", models.AudienceAll, ids, []int64{ids[1], ids[3]})
		unreachable("2", models.AudienceTest, ids[1:2], ids[1:2])
		unreachable("3", models.AudienceAll, []int64{ids[4], ids[0]}, nil)
	})
}
