package models_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// restoredNow has a database find out that it was put back to the state of since.
func restoredNow(t *testing.T, s *models.Store, number int64, since time.Time) *models.Gap {
	t.Helper()
	if err := s.SetFact(t.Context(), "alive", fmt.Sprintf("%d %d 0", number, since.UnixMilli())); err != nil {
		t.Fatal(err)
	}
	_, gap, err := s.SignOfLife(t.Context(), number+1, true)
	if err != nil || gap == nil || !gap.Restored {
		t.Fatalf("gap %+v, %v", gap, err)
	}
	return gap
}

// Of everything that has not ended, a restored database waits for a word that is given with
// knowledge of the restore: what was paused at the backup may have been resumed after it.
func TestARestoreHoldsEverythingThatHasNotEnded(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		state          models.BroadcastState
		reason, detail string
		rests          time.Duration
		left           bool // it stays as it is
		words          string
	}{
		"running":                    {state: models.Running},
		"planned":                    {state: models.Scheduled},
		"resting until a time":       {state: models.Paused, reason: models.ReasonQuota, rests: time.Hour},
		"paused by an admin":         {state: models.Paused, reason: models.ReasonAdmin},
		"paused after its canary":    {state: models.Paused, reason: models.ReasonCanary},
		"paused by a missed start":   {state: models.Paused, reason: models.ReasonMissed},
		"paused for the credentials": {state: models.Paused, reason: models.ReasonCredentials, detail: "40164 invalid ip"},
		"paused after a long stop":   {state: models.Paused, reason: models.ReasonRestored, detail: "1700000000000"},
		"halted":                     {state: models.Paused, reason: models.ReasonAccount, detail: "40249 templates are limited", words: "40249 templates are limited"},
		"halted without words":       {state: models.Paused, reason: models.ReasonAccount},
		"of an earlier restore":      {state: models.Paused, reason: models.ReasonRestored, detail: "1700000000000 restored", left: true},
		"halted before an earlier one": {
			state: models.Paused, reason: models.ReasonRestored, detail: "1700000000000 restored 40249 x", left: true, words: "40249 x",
		},
		"finished":  {state: models.Finished, left: true},
		"cancelled": {state: models.Cancelled, reason: models.ReasonAdmin, left: true},
	}
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		now := time.Now()
		all := map[string]*models.Broadcast{}
		for name, test := range tests {
			b := newBroadcast(name, now.Add(-time.Hour))
			b.NotBefore = models.At(now.Add(time.Hour))
			if test.state != models.Paused {
				b.State, b.Reason = test.state, test.reason
			}
			all[name] = create(t, s, b)
		}
		for name, test := range tests { // while one is halted, none is created
			m := models.Move{Event: models.EventHalt, Reason: test.reason, Detail: test.detail}
			if test.rests != 0 {
				m.ResumeAt = now.Add(test.rests)
			}
			if test.state != models.Paused {
				continue
			}
			if ok, err := s.MoveBroadcast(t.Context(), all[name].ID, m, now); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		since := now.Add(-30 * time.Minute)
		gap := restoredNow(t, s, 100, since)
		moved := int64(0)
		for name, test := range tests {
			got, err := s.FindBroadcast(t.Context(), all[name].ID)
			if err != nil {
				t.Fatal(err)
			}
			if test.left {
				if got.State != test.state || got.Reason != test.reason || got.Detail != test.detail {
					t.Errorf("%s: %s %q %q", name, got.State, got.Reason, got.Detail)
				}
				continue
			}
			moved++
			if got.State != models.Paused || !got.SurelyRestored() || !got.ResumeAt.IsZero() || !got.Gap().Since.Equal(since.Truncate(time.Millisecond)) {
				t.Errorf("%s: %s %q %q until %s", name, got.State, got.Reason, got.Detail, got.ResumeAt)
			}
			words, halted := got.Halted()
			if halted != strings.HasPrefix(name, "halted") || words != test.words {
				t.Errorf("%s: halted %t by %q", name, halted, words)
			}
			if ok, err := s.MoveBroadcast(t.Context(), got.ID, models.Move{Event: models.EventResume}, now); !ok || err != nil {
				t.Errorf("%s is not resumed: %v", name, err)
			}
		}
		if gap.Paused != moved {
			t.Errorf("%d paused, want %d", gap.Paused, moved)
		}
	})
}

// While the account is at stake nothing new is taken, also after a restore, and what was
// halted can be resumed but not rescheduled, however late its approval is.
func TestAHaltOutlastsARestore(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		now := time.Now()
		b := newBroadcast("halted", now.Add(-3*time.Hour))
		b.State, b.Reason, b.Detail, b.Approvals = models.Paused, models.ReasonAccount, "40249 limited", 1
		b.NotBefore = models.At(now.Add(-2 * time.Hour))
		create(t, s, b)
		restoredNow(t, s, 100, now)
		wantHalted := func(err error) {
			t.Helper()
			var e *models.Error
			if !errors.As(err, &e) || e.Code != models.ErrHalted || e.Args["Detail"] != "40249 limited" {
				t.Errorf("got %v", err)
			}
		}
		_, err := s.CreateBroadcast(t.Context(), newBroadcast("new", now), models.Asked{})
		wantHalted(err)
		_, err = s.RescheduleBroadcast(t.Context(), b.ID, now.Add(time.Hour), now.Add(time.Hour), "", now)
		wantHalted(err)
		got, err := s.FindBroadcast(t.Context(), b.ID)
		if err != nil || got.ApprovalLate(now) {
			t.Errorf("%+v, %v", got, err)
		}
		if ok, err := s.MoveBroadcast(t.Context(), b.ID, models.Move{Event: models.EventResume}, now); !ok || err != nil {
			t.Errorf("it is not resumed: %v", err)
		}
		if _, err := s.CreateBroadcast(t.Context(), newBroadcast("new", now), models.Asked{Again: true}); err != nil {
			t.Errorf("after the resume: %v", err)
		}
	})
}

// What waits for approvals may have been approved and sent after the backup: the approvals
// do not start it, also for another time, but a resume does.
func TestAnApprovalAfterARestoreStartsNothing(t *testing.T) {
	t.Parallel()
	for name, reschedules := range map[string]bool{"as it was": false, "for another time": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, s *models.Store) {
				ctx, now := t.Context(), time.Now()
				start := func(*models.Broadcast) (time.Time, string) { return now.Add(time.Hour), models.ReasonQuiet }
				b := newBroadcast("pending", now.Add(-time.Hour))
				b.State, b.Approvals, b.PendingSince, b.AskedBy, b.NotifiedState = models.Pending, 1, models.At(now), "oAsker", "pending"
				create(t, s, b)
				restoredNow(t, s, 100, now)
				list, err := s.Unnotified(ctx)
				if err != nil || len(list) != 1 || list[0].State != models.Pending || !list[0].SurelyRestored() {
					t.Errorf("the approvers are not told anew: %+v, %v", list, err)
				}
				if reschedules {
					moved, err := s.RescheduleBroadcast(ctx, b.ID, now.Add(time.Hour), now.Add(time.Hour), "", now)
					if !moved || err != nil {
						t.Fatal(moved, err)
					}
				}
				done, err := s.Approve(ctx, models.Approval{BroadcastID: b.ID, OpenID: "oOwner", At: models.At(now)}, []string{"oOwner"}, start)
				if err != nil || done.Broadcast.State != models.Paused || !done.Broadcast.SurelyRestored() {
					t.Fatalf("%+v, %v", done, err)
				}
				later := now.Add(30 * time.Minute)
				if ok, err := s.MoveBroadcast(ctx, b.ID, models.Move{Event: models.EventDue}, now.Add(2*time.Hour)); ok || err != nil {
					t.Errorf("it starts without a word: %v", err)
				}
				if ok, err := s.MoveBroadcast(ctx, b.ID, models.Move{Event: models.EventResume}, later); !ok || err != nil {
					t.Errorf("it is not resumed: %v", err)
				}
				got, err := s.FindBroadcast(ctx, b.ID)
				if err != nil || got.State != models.Scheduled || got.Reason != "" || !got.NotBefore.Equal(now.Add(time.Hour).Truncate(time.Millisecond)) {
					t.Errorf("%+v, %v", got, err)
				}
			})
		})
	}
}

// A long stop is no restore: what an admin paused stays theirs, and approvals start.
func TestALongStopLeavesWhatWaitsForAWord(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		now := time.Now()
		paused, pending := newBroadcast("paused", now.Add(-3*time.Hour)), newBroadcast("pending", now.Add(-3*time.Hour))
		paused.State, paused.Reason = models.Paused, models.ReasonAdmin
		pending.State, pending.Approvals, pending.PendingSince = models.Pending, 1, models.At(now)
		create(t, s, paused)
		create(t, s, pending)
		if err := s.SetFact(t.Context(), "alive", fmt.Sprintf("100 %d 0", now.Add(-time.Hour).UnixMilli())); err != nil {
			t.Fatal(err)
		}
		_, gap, err := s.SignOfLife(t.Context(), 0, true)
		if err != nil || gap == nil || gap.Restored || gap.Paused != 0 {
			t.Errorf("gap %+v, %v", gap, err)
		}
		for b, reason := range map[*models.Broadcast]string{paused: models.ReasonAdmin, pending: ""} {
			if got, err := s.FindBroadcast(t.Context(), b.ID); err != nil || got.State != b.State || got.Reason != reason {
				t.Errorf("%+v, %v", got, err)
			}
		}
	})
}
