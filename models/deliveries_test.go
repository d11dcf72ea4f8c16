package models_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// oneBatch is the batch that holds every recipient.
func oneBatch(b *models.Broadcast) models.Batch {
	return models.Batch{BroadcastID: b.ID, Seq: 1, ThroughID: 1 << 40}
}

// left returns the recipients of the broadcast that have no outcome.
func left(t *testing.T, s *models.Store, b *models.Broadcast) map[int64]models.Task {
	t.Helper()
	tasks, err := s.Tasks(t.Context(), b, oneBatch(b))
	if err != nil {
		t.Fatal(err)
	}
	m := map[int64]models.Task{}
	for _, task := range tasks {
		m[task.RecipientID] = task
	}
	return m
}

func TestAnOutcomeIsFinal(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 2)
		b := create(t, s, newBroadcast("1", t0))
		record := func(state models.DeliveryState, msgID int64) {
			t.Helper()
			err := s.RecordOutcomes(ctx, []models.Outcome{
				{BroadcastID: b.ID, RecipientID: ids[0], State: state, MsgID: msgID, SentAt: t0},
				{BroadcastID: b.ID, RecipientID: ids[1], State: models.Accepted, MsgID: 8, SentAt: t0},
			}, t0)
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := modelstest.Claim(ctx, s, b.ID, ids, t0); err != nil {
			t.Fatal(err)
		}
		record(models.Accepted, 7)
		record(models.Uncertain, 0)
		if _, err := s.ApplyReceipts(ctx, []models.Receipt{{MsgID: 7, State: models.Delivered}}, t0); err != nil {
			t.Fatal(err)
		}
		record(models.FailedFor, 0)
		counts, err := s.CountDeliveries(ctx, b.ID)
		if err != nil {
			t.Fatal(err)
		}
		if want := (models.Counts{Accepted: 1, Delivered: 1}); counts != want {
			t.Errorf("got %+v, want %+v", counts, want)
		}
	})
}

func TestGoneRecipientsAreLeftOutUnlessTheyCameBack(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 3)
		now := t0.Add(time.Minute)
		err := s.ChangeRecipient(ctx, modelstest.OpenID(1), func(r *models.Recipient) { r.UpdatedAt = models.At(now) })
		if err != nil {
			t.Fatal(err)
		}
		gone := []models.Departure{{RecipientID: ids[1], At: models.At(now)}, {RecipientID: ids[0], At: models.At(now.Add(time.Hour))}}
		if err := s.MarkGone(ctx, gone); err != nil {
			t.Fatal(err)
		}
		next := create(t, s, newBroadcast("2", t0))
		tasks := left(t, s, next)
		if _, ok := tasks[ids[0]]; ok {
			t.Error("one who left is still in the audience")
		}
		if _, ok := tasks[ids[1]]; !ok {
			t.Error("one whose newer event says that they follow was taken out")
		}
	})
}

func TestAudiences(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 5)
		change := func(i int, f func(*models.Recipient)) {
			if err := s.ChangeRecipient(ctx, modelstest.OpenID(i), f); err != nil {
				t.Fatal(err)
			}
		}
		change(1, func(r *models.Recipient) { r.Tester = true })
		change(2, func(r *models.Recipient) { r.OptedOut = true })
		change(3, func(r *models.Recipient) { r.Leave(r.UpdatedAt) })
		change(4, func(r *models.Recipient) { r.Tester, r.OptedOut = true, true })
		for _, test := range []struct {
			audience models.Audience
			self     string
			want     []int64
		}{
			{models.AudienceAll, "", []int64{ids[0], ids[1]}},
			{models.AudienceTest, "", []int64{ids[1]}},
			{models.AudienceMe, modelstest.OpenID(2), []int64{ids[2]}},
		} {
			b := newBroadcast(string(test.audience), t0)
			b.Audience, b.AskedBy = test.audience, test.self
			got, err := s.AudienceIDs(ctx, b, 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.audience, diff)
			}
			n, err := s.CountAudience(ctx, b)
			if err != nil || n != int64(len(test.want)) {
				t.Errorf("%s: counted %d, %v", test.audience, n, err)
			}
			tasks := left(t, s, create(t, s, b))
			if len(tasks) != len(test.want) {
				t.Errorf("%s: tasks %v, want %v", test.audience, tasks, test.want)
			}
		}
	})
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 4)
		b := create(t, s, newBroadcast("1", t0))
		if err := modelstest.Claim(ctx, s, b.ID, ids, t0); err != nil {
			t.Fatal(err)
		}
		apply := func(wantEarly int, list ...models.Receipt) {
			t.Helper()
			for i := range list {
				list[i].ReceivedAt = models.At(t0)
			}
			early, err := s.ApplyReceipts(ctx, list, t0)
			if err != nil {
				t.Fatal(err)
			}
			if early != wantEarly {
				t.Errorf("%d early, want %d", early, wantEarly)
			}
		}
		// Before the sends are recorded, one of them twice.
		apply(2, models.Receipt{MsgID: 11, State: models.Delivered}, models.Receipt{MsgID: 12, State: models.Blocked, Detail: "failed: user block"})
		apply(1, models.Receipt{MsgID: 11, State: models.FailedFor, Detail: "failed: system failed"})
		var outcomes []models.Outcome
		for i, id := range ids {
			outcomes = append(outcomes, models.Outcome{BroadcastID: b.ID, RecipientID: id, State: models.Accepted, MsgID: int64(11 + i), SentAt: t0})
		}
		if err := s.RecordOutcomes(ctx, outcomes, t0); err != nil {
			t.Fatal(err)
		}
		if n, err := s.JoinReceipts(ctx, t0.Add(-time.Hour), 100, t0); err != nil || n != 2 {
			t.Errorf("joined %d, %v; want 2", n, err)
		}
		if n, err := s.JoinReceipts(ctx, t0.Add(-time.Hour), 100, t0); err != nil || n != 0 {
			t.Errorf("joined %d again, %v", n, err)
		}
		// After: repeated, and out of order.
		apply(0, models.Receipt{MsgID: 13, State: models.FailedFor, Detail: "failed: system failed"}, models.Receipt{MsgID: 13, State: models.Delivered})
		apply(0, models.Receipt{MsgID: 13, State: models.Delivered}, models.Receipt{MsgID: 11, State: models.Blocked})
		// Of another program that uses the account.
		apply(1, models.Receipt{MsgID: 99, State: models.Delivered})
		counts, err := s.CountDeliveries(ctx, b.ID)
		if err != nil {
			t.Fatal(err)
		}
		if want := (models.Counts{Accepted: 1, Delivered: 1, Blocked: 1, Failed: 1}); counts != want {
			t.Errorf("got %+v, want %+v", counts, want)
		}
		if err := s.DropReceipts(ctx, t0.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPlanIsFrozenOnceAndGoesOn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 3)
		b := create(t, s, newBroadcast("1", t0))
		if err := s.FreezeAudience(ctx, b); err != nil || b.ThroughID != ids[2] {
			t.Fatalf("frozen at %d, %v; want %d", b.ThroughID, err, ids[2])
		}
		if err := s.EnsureRecipient(ctx, "oJoinedLater", t0); err != nil {
			t.Fatal(err)
		}
		if err := s.FreezeAudience(ctx, b); err != nil || b.ThroughID != ids[2] {
			t.Errorf("frozen again at %d, %v", b.ThroughID, err)
		}
		err := s.AddBatches(ctx, []models.Batch{
			{BroadcastID: b.ID, Seq: 1, ThroughID: ids[1], Size: 2, State: models.BatchTodo},
			{BroadcastID: b.ID, Seq: 2, AfterID: ids[1], ThroughID: ids[2], Size: 1, State: models.BatchTodo},
		})
		if err != nil {
			t.Fatal(err)
		}
		if last, err := s.LastBatch(ctx, b.ID); err != nil || last.Seq != 2 {
			t.Errorf("last batch %+v, %v", last, err)
		}
		if n, err := s.PlanDone(ctx, b.ID, t0); err != nil || n != 3 {
			t.Errorf("planned %d, %v", n, err)
		}
		if err := s.CloseAudience(ctx, b.ID, 2); err != nil {
			t.Fatal(err)
		}
		if b, err := s.FindBroadcast(ctx, b.ID); err != nil || b.Recipients != 2 {
			t.Errorf("closed: %+v, %v", b, err)
		}
		move(t, s, b, models.EventDue)
		leased, err := s.LeaseBatch(ctx, b.ID, 1, "a", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.FinishBatch(ctx, *leased); err != nil {
			t.Fatal(err)
		}
		idle, left, err := s.IdleBatches(ctx, b.ID, 10)
		if err != nil || len(idle) != 1 || idle[0].Seq != 2 || left != 1 {
			t.Errorf("to do: %+v, %d, %v", idle, left, err)
		}
	})
}

func TestFindBroadcast(t *testing.T) {
	t.Parallel()
	s := modelstest.SQLite(t)
	want := func(id int64, code string) {
		t.Helper()
		_, err := s.FindBroadcast(t.Context(), id)
		var e *models.Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("#%d: got %v, want %s", id, err, code)
		}
	}
	want(0, models.ErrNoBroadcast)
	create(t, s, newBroadcast("1", t0))
	want(9, models.ErrBroadcastUnknown)
	if b, err := s.FindBroadcast(t.Context(), 0); err != nil || b.ID != 1 {
		t.Errorf("latest: %+v, %v", b, err)
	}
}

func TestRetryReachesTheFailedAndUncertainOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 5)
		first := newBroadcast("1", t0)
		first.State = models.Running
		create(t, s, first)
		states := []models.DeliveryState{models.Accepted, models.FailedFor, models.Uncertain, models.FailedFor, models.Blocked}
		outcomes := make([]models.Outcome, len(ids))
		for i, id := range ids {
			outcomes[i] = models.Outcome{BroadcastID: first.ID, RecipientID: id, State: states[i], SentAt: t0}
		}
		if err := s.MarkGone(ctx, []models.Departure{{RecipientID: ids[3], At: models.At(t0.Add(time.Minute))}}); err != nil {
			t.Fatal(err)
		}
		if err := s.RecordOutcomes(ctx, outcomes, t0.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		retry := func(key string) (*models.Broadcast, error) {
			b := newBroadcast(key, t0)
			b.Audience, b.OfID = models.AudienceRetry, first.ID
			_, err := s.CreateBroadcast(ctx, b, models.Asked{})
			return b, err
		}
		if _, err := retry("too early"); models.KindOf(err) != models.Conflict {
			t.Errorf("retry of one that runs: %v", err)
		}
		move(t, s, first, models.EventFinish)
		second, err := retry("2")
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.AudienceIDs(ctx, second, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int64{ids[1], ids[2]}, got); diff != "" {
			t.Errorf("audience of the retry (-want +got):\n%s", diff)
		}
		if tasks := left(t, s, second); len(tasks) != 2 {
			t.Errorf("tasks of the retry: %v", tasks)
		}
		if _, err := retry("at the same time"); models.KindOf(err) != models.Conflict {
			t.Errorf("a second retry while one runs: %v", err)
		}
		if err := modelstest.Claim(ctx, s, second.ID, ids[1:2], t0); err != nil {
			t.Fatal(err)
		}
		if tasks := left(t, s, second); len(tasks) != 2 {
			t.Errorf("tasks of the retry once it has begun: %v", tasks)
		}
		move(t, s, second, models.EventDue)
		move(t, s, second, models.EventFinish)
		third, err := retry("3")
		if err != nil {
			t.Fatal(err)
		}
		if tasks := left(t, s, third); len(tasks) != 1 || tasks[ids[2]].RecipientID != ids[2] {
			t.Errorf("whom the first retry tried is in the next one too: %v", tasks)
		}
	})
}

func TestNothingIsTakenWhileTheAccountIsAtStake(t *testing.T) {
	t.Parallel()
	s := modelstest.SQLite(t)
	ctx := t.Context()
	halted := newBroadcast("1", t0)
	halted.State, halted.Reason = models.Paused, models.ReasonAccount
	create(t, s, halted)
	_, err := s.CreateBroadcast(ctx, newBroadcast("2", t0), models.Asked{Again: true})
	var e *models.Error
	if !errors.As(err, &e) || e.Code != models.ErrHalted {
		t.Fatalf("got %v, want %s", err, models.ErrHalted)
	}
	move(t, s, halted, models.EventCancel)
	create(t, s, newBroadcast("3", t0))
}
