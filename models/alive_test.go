package models_test

import (
	"fmt"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// What would send is paused if it is not known what was sent, and once.
func TestASignOfLifeFindsAGap(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		own                 int64
		ago                 time.Duration
		ours, gap, restored bool
		later, mayBeDue     models.BroadcastState
	}{
		"a moment ago":           {ago: time.Second, later: models.Scheduled, mayBeDue: models.Scheduled},
		"nearly too long ago":    {ago: 8 * time.Minute, later: models.Scheduled, mayBeDue: models.Scheduled},
		"too long ago":           {ago: 10 * time.Minute, gap: true, later: models.Scheduled, mayBeDue: models.Paused},
		"from the future":        {ago: -10 * time.Minute, gap: true, later: models.Scheduled, mayBeDue: models.Paused},
		"an older one than ours": {own: 1, ago: time.Second, gap: true, restored: true, later: models.Paused, mayBeDue: models.Paused},
		"ours, however long ago": {ours: true, ago: time.Hour, later: models.Scheduled, mayBeDue: models.Scheduled},
	}
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		number := int64(0)
		for name, test := range tests {
			now := time.Now()
			number += 100 // above what the cases before left beside the database
			own := test.own
			if own != 0 {
				own += number
			}
			if test.ours {
				own = number
			}
			asked := now.Add(-2 * time.Hour)
			due, later, since := newBroadcast(name+" due", asked), newBroadcast(name+" later", asked), newBroadcast(name+" since", now)
			since.State, since.NotBefore = models.Scheduled, models.At(now) // asked for while nobody sent
			due.State, due.NotBefore = models.Scheduled, models.At(now.Add(-time.Hour))
			later.State, later.NotBefore = models.Scheduled, models.At(now.Add(time.Hour))
			create(t, s, due)
			create(t, s, later)
			create(t, s, since)
			if err := s.SetFact(t.Context(), "alive", fmt.Sprintf("%d %d 0", number, now.Add(-test.ago).UnixMilli())); err != nil {
				t.Fatal(err)
			}
			_, gap, err := s.SignOfLife(t.Context(), own, true)
			if err != nil {
				t.Fatal(err)
			}
			if (gap != nil) != test.gap || gap != nil && gap.Restored != test.restored {
				t.Errorf("%s: %+v", name, gap)
			}
			sinceThen := models.Scheduled
			if test.gap && (test.restored || test.ago < 0) {
				sinceThen = models.Paused
			}
			for b, want := range map[*models.Broadcast]models.BroadcastState{due: test.mayBeDue, later: test.later, since: sinceThen} {
				got, err := s.FindBroadcast(t.Context(), b.ID)
				if err != nil || got.State != want || want == models.Paused && got.Reason != models.ReasonRestored {
					t.Errorf("%s: #%d is %s %s, want %s (%v)", name, b.ID, got.State, got.Reason, want, err)
				}
			}
		}
	})
}
