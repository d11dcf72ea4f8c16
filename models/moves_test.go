package models_test

import (
	"slices"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// move has a broadcast make a move that the table lets it make.
func move(t *testing.T, s *models.Store, b *models.Broadcast, on models.Event) {
	t.Helper()
	if moved, err := s.MoveBroadcast(t.Context(), b.ID, models.Move{Event: on}, t0); !moved || err != nil {
		t.Fatalf("%s #%d: moved %t, %v", on, b.ID, moved, err)
	}
}

// standing is a state, with or without a time at which a pause ends by itself.
type standing struct {
	state  models.BroadcastState
	resume time.Time
}

var (
	pending   = standing{state: models.Pending}
	scheduled = standing{state: models.Scheduled}
	running   = standing{state: models.Running}
	paused    = standing{state: models.Paused}                             // until an admin resumes it
	restsOver = standing{state: models.Paused, resume: t0.Add(-time.Hour)} // its pause was to end an hour ago
	rests     = standing{state: models.Paused, resume: t0.Add(time.Hour)}  // its pause ends in an hour
	finished  = standing{state: models.Finished}
	cancelled = standing{state: models.Cancelled}
	failed    = standing{state: models.Failed}
)

func TestEveryMoveFromEveryState(t *testing.T) {
	t.Parallel()
	all := []standing{pending, scheduled, running, paused, restsOver, rests, finished, cancelled, failed}
	tests := map[models.Event]struct {
		from []standing
		to   models.BroadcastState
	}{
		models.EventDue:     {[]standing{scheduled}, models.Running},
		models.EventMiss:    {[]standing{scheduled}, models.Paused},
		models.EventGoOn:    {[]standing{restsOver}, models.Running},
		models.EventPause:   {[]standing{scheduled, running, restsOver, rests}, models.Paused},
		models.EventResume:  {[]standing{paused, restsOver, rests}, models.Scheduled},
		models.EventCancel:  {[]standing{pending, scheduled, running, paused, restsOver, rests}, models.Cancelled},
		models.EventStop:    {[]standing{running}, models.Paused},
		models.EventQuiet:   {[]standing{running, restsOver}, models.Paused},
		models.EventHalt:    {[]standing{scheduled, running, restsOver, rests}, models.Paused},
		models.EventRestore: {[]standing{scheduled, running, paused, restsOver, rests}, models.Paused},
		models.EventFail:    {[]standing{running}, models.Failed},
		models.EventFinish:  {[]standing{running}, models.Finished},

		models.EventApprove: {[]standing{pending}, models.Scheduled},
		models.EventReject:  {[]standing{pending}, models.Cancelled},
		models.EventExpire:  {[]standing{pending}, models.Cancelled},
	}
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		for on, test := range tests {
			for _, from := range all {
				b := newBroadcast(string(on)+string(from.state)+from.resume.String(), t0)
				b.State, b.ResumeAt = from.state, models.At(from.resume)
				create(t, s, b)
				moved, err := s.MoveBroadcast(t.Context(), b.ID, models.Move{
					Event: on, Reason: models.ReasonQuota, Detail: "45009", ResumeAt: t0.Add(2 * time.Hour),
				}, t0)
				if err != nil {
					t.Fatal(err)
				}
				got, err := s.FindBroadcast(t.Context(), b.ID)
				if err != nil {
					t.Fatal(err)
				}
				want := slices.Contains(test.from, from)
				switch {
				case moved != want:
					t.Errorf("%s from %v: moved %t", on, from, moved)
				case !want && (got.State != from.state || got.Reason != ""):
					t.Errorf("%s from %v left it %s %s", on, from, got.State, got.Reason)
				case want && (got.State != test.to || got.Reason != models.ReasonQuota || got.Detail != "45009" ||
					!got.ResumeAt.Equal(t0.Add(2*time.Hour))):
					t.Errorf("%s from %v made %+v", on, from, got)
				case want && got.FinishedAt.IsZero() == test.to.Final():
					t.Errorf("%s from %v: ended at %s", on, from, got.FinishedAt)
				}
				// Whether a pause is over, only the move itself asks.
				if may := b.Moves(on); may != want && on != models.EventGoOn && on != models.EventQuiet {
					t.Errorf("%s from %v: may move %t, moved %t", on, from, may, moved)
				}
			}
		}
	})
}
