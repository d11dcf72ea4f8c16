package models_test

import (
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// allBroadcasts is how the two databases say that they mean to read every broadcast.
var allBroadcasts = regexp.MustCompile(`detail=SCAN broadcasts|table=broadcasts .*type=(?:ALL|index) .* rows=(\d+)`)

// What an idle process asks again and again reads only what is not over: not the broadcasts
// of years.
func TestLooksOfAnIdleProcessUseAnIndex(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		const over, open = 400, 4
		for i := range over + open {
			b := newBroadcast(modelstest.OpenID(i), t0)
			if i < over {
				b.State, b.StartedAt, b.FinishedAt, b.NotifiedState = models.Finished, models.At(t0), models.At(t0), string(models.Finished)
				b.Intercepted = 0
			}
			create(t, plain, b)
		}
		s, seen := recorded(t, plain)
		steps := map[string]func() error{
			"what is not over": func() error { _, err := s.Unfinished(ctx, 1000); return err },
			"what runs":        func() error { _, err := s.InState(ctx, 1000, models.Running); return err },
			"what ended early": func() error { _, err := s.InState(ctx, 20, models.Cancelled, models.Failed); return err },
			"what is not told": func() error { _, err := s.Unnotified(ctx); return err },
		}
		eachStatement(t, seen, steps, func(name string, st models.Statement) {
			plan, err := models.Explain(ctx, plain, st)
			if err != nil {
				t.Errorf("%s: %v\n%.200s", name, err, st.Query)
			}
			for _, line := range plan {
				m := allBroadcasts.FindStringSubmatch(line)
				if m == nil {
					continue
				}
				if rows, err := strconv.Atoi(m[1]); err != nil || rows > over/2 {
					t.Errorf("%s reads all of it: %s\n%.300s", name, line, st.Query)
				}
			}
		})
		if plan, err := models.Explain(ctx, plain, models.Statement{Query: "SELECT COUNT(*) FROM broadcasts WHERE reason = 'x'"}); err != nil ||
			!slices.ContainsFunc(plan, allBroadcasts.MatchString) {
			t.Errorf("a statement without an index is not seen: %q, %v", plan, err)
		}
	})
}

// What is read of a broadcast that has not ended is as it is stored.
func TestUnfinishedReadsWhatTellsTheTime(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		for i, state := range []models.BroadcastState{models.Pending, models.Scheduled, models.Running, models.Paused, models.Finished, models.Cancelled, models.Failed} {
			b := newBroadcast(string(state), t0)
			at := func(n int) models.Time { return models.At(t0.Add(time.Duration(10*i+n) * time.Second)) }
			b.State, b.AnyHour, b.OfID, b.Audience = state, i%2 == 1, int64(i), models.AudienceMe
			b.PendingSince, b.PlannedStart, b.NotBefore, b.ResumeAt, b.StartedAt = at(1), at(2), at(3), at(4), at(5)
			create(t, s, b)
		}
		whole, err := s.Broadcasts(ctx, 10, models.Pending, models.Scheduled, models.Running, models.Paused)
		if err != nil {
			t.Fatal(err)
		}
		var want []models.Broadcast
		for _, b := range whole {
			want = append(want, models.Broadcast{
				ID: b.ID, State: b.State, RequestKey: b.RequestKey, Audience: b.Audience, OfID: b.OfID, PendingSince: b.PendingSince, AnyHour: b.AnyHour,
				PlannedStart: b.PlannedStart, NotBefore: b.NotBefore, ResumeAt: b.ResumeAt, StartedAt: b.StartedAt,
			})
		}
		got, err := s.Unfinished(ctx, 10)
		if diff := cmp.Diff(want, got); diff != "" || err != nil || len(got) != 4 {
			t.Errorf("%v\n%s", err, diff)
		}
		got, err = s.InState(ctx, 2, models.Cancelled, models.Failed, models.Running)
		want = []models.Broadcast{{ID: 7, State: models.Failed}, {ID: 6, State: models.Cancelled}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}
