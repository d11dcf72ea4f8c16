package models_test

import (
	"fmt"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// What is asked of the counts of a broadcast, and what keeps them, reads no more of its deliveries
// than those of the batches that are under way.
func TestStatementsOfKeptCountsUseAnIndex(t *testing.T) {
	t.Parallel()
	const people, batches = 2000, 400
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, plain, people)
		fillDeliveries(t, plain, create(t, plain, newBroadcast("other", t0)).ID, ids)
		b := tryingFirst(t, plain, "1")
		if err := plain.ChooseCanary(ctx, b, ids[:20], people, t0); err != nil {
			t.Fatal(err)
		}
		list := manyBatches(b.ID, batches)
		list[0].ThroughID, list[0].SegmentID = 1<<40, b.CanarySegment
		for i := range list[1:] {
			list[i+1].AfterID, list[i+1].ThroughID = ids[5*i], ids[5*i+5]
		}
		if err := plain.AddBatches(ctx, list); err != nil {
			t.Fatal(err)
		}
		fillDeliveries(t, plain, b.ID, ids)
		held := map[int64]models.Batch{}
		for seq := int64(1); seq <= batches; seq++ {
			got, err := plain.LeaseBatch(ctx, b.ID, seq, fmt.Sprint(seq), time.Hour)
			if err != nil || got == nil {
				t.Fatal(got, err)
			}
			if held[seq] = *got; seq < 8 || seq%100 == 0 {
				continue
			}
			if err := plain.FinishBatch(ctx, *got); err != nil {
				t.Fatal(err)
			}
		}
		early := []models.Receipt{{MsgID: 7, State: models.Delivered, ReceivedAt: models.At(t0)}}
		if _, err := plain.ApplyReceipts(ctx, early, t0); err != nil {
			t.Fatal(err)
		}
		s, seen := recorded(t, plain)
		eachStatement(t, seen, map[string]func() error{
			"counts":                       func() error { _, err := s.CountDeliveries(ctx, b.ID); return err },
			"failures":                     func() error { _, err := s.CountFailures(ctx, b.ID); return err },
			"sends":                        func() error { _, err := s.CountSends(ctx, b.ID, time.Minute); return err },
			"a batch of the canary done":   func() error { return s.FinishBatch(ctx, held[1]) },
			"a batch of the others done":   func() error { return s.FinishBatch(ctx, held[2]) },
			"what was left open":           func() error { _, err := s.FinalizeEnded(ctx, b.ID, t0); return err },
			"receipts":                     func() error { _, err := s.ApplyReceipts(ctx, receiptsOf(b.ID<<40+ids[0], 300), t0); return err },
			"receipts that came too early": func() error { _, err := s.JoinReceipts(ctx, t0.Add(-time.Hour), 100, t0); return err },
		}, func(name string, st models.Statement) {
			checkPlan(ctx, t, plain, name, st)
			checkGroupOnly(t, plain, name, st)
		})
	})
}
