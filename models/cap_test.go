package models_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

var once = models.Cap{Max: 1, Within: 24 * time.Hour}

// sentBefore stores an earlier broadcast with one delivery to a person.
func sentBefore(t *testing.T, s *models.Store, key string, to models.Audience, state models.DeliveryState, recipient int64, at time.Time) {
	t.Helper()
	b := newBroadcast(key, at)
	if b.Audience = to; to == models.AudienceRetry || to == models.AudienceRest || to == models.AudienceReached {
		of := create(t, s, newBroadcast(key+", of", at))
		move(t, s, of, models.EventCancel)
		b.OfID = of.ID
	}
	create(t, s, b)
	if err := modelstest.Claim(t.Context(), s, b.ID, []int64{recipient}, at); err != nil {
		t.Fatal(err)
	}
	if state != models.Sending {
		o := models.Outcome{BroadcastID: b.ID, RecipientID: recipient, State: state, Attempts: 1, SentAt: at}
		if err := s.RecordOutcomes(t.Context(), []models.Outcome{o}, at); err != nil {
			t.Fatal(err)
		}
	}
}

// What counts for the cap, and from when to when.
func TestWhatTheCapCounts(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	tests := []struct {
		name    string
		to      models.Audience
		state   models.DeliveryState
		ago     time.Duration
		skipped bool
	}{
		{"accepted", models.AudienceAll, models.Accepted, time.Hour, true},
		{"delivered", models.AudienceAll, models.Delivered, time.Hour, true},
		{"uncertain", models.AudienceAll, models.Uncertain, time.Hour, true},
		{"on its way", models.AudienceAll, models.Sending, time.Minute, true},
		{"of a retry", models.AudienceRetry, models.Accepted, time.Hour, true},
		{"of a rest", models.AudienceRest, models.Accepted, time.Hour, true},
		{"of a correction", models.AudienceReached, models.Accepted, time.Hour, true},
		{"of a group", models.AudienceGroups, models.Accepted, time.Hour, true},
		{"blocked", models.AudienceAll, models.Blocked, time.Hour, false},
		{"failed", models.AudienceAll, models.FailedFor, time.Hour, false},
		{"put off", models.AudienceAll, models.Deferred, time.Hour, false},
		{"skipped itself", models.AudienceAll, models.Skipped, time.Hour, false},
		{"to an admin", models.AudienceMe, models.Accepted, time.Hour, false},
		{"to the test list", models.AudienceTest, models.Accepted, time.Hour, false},
		{"just within the time", models.AudienceAll, models.Accepted, day - time.Millisecond, true},
		{"just out of the time", models.AudienceAll, models.Accepted, day, false},
	}
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, len(tests))
		for i, test := range tests {
			sentBefore(t, s, test.name, test.to, test.state, ids[i], t0.Add(-test.ago))
		}
		for i, test := range tests {
			until, err := s.CappedUntil(t.Context(), ids[i], once, t0)
			if want := t0.Add(day - test.ago); err != nil || !until.IsZero() && !until.Equal(want) || until.IsZero() == test.skipped {
				t.Errorf("%s: the cap holds until %s, %v", test.name, until, err)
			}
		}
		b := create(t, s, newBroadcast("now", t0))
		unsent, skipped, err := s.ClaimUnderCap(t.Context(), b, models.ClaimUnasked, ids, once, t0)
		if err != nil {
			t.Fatal(err)
		}
		for i, test := range tests {
			if got := slices.Contains(unsent, ids[i]); got != test.skipped {
				t.Errorf("%s: skipped is %t", test.name, got)
			}
		}
		if int(skipped) != len(unsent) {
			t.Errorf("%d are skipped, and %d not sent to", skipped, len(unsent))
		}
		c, err := s.CountDeliveries(t.Context(), b.ID)
		if err != nil || c.Skipped != skipped || c.Sending != int64(len(tests))-skipped || c.Known() != int64(len(tests)) {
			t.Errorf("%+v, %v", c, err)
		}
		for id, task := range left(t, s, b) {
			if slices.Contains(unsent, id) {
				t.Errorf("whoever was skipped is met again: %+v", task)
			}
		}
		if n, err := s.CountSince(t.Context(), t0); err != nil || n != 0 {
			t.Errorf("%d sends are counted before it began, %v", n, err)
		}
		// A claim that is made again, as after an error, changes nothing.
		if _, _, err := s.ClaimUnderCap(t.Context(), b, models.ClaimUnasked, ids, once, t0); err == nil {
			t.Error("recipients could be claimed twice")
		}
	})
}

func TestTheCapCountsUpToItsNumber(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 3)
		limit := models.Cap{Max: 2, Within: time.Hour}
		for i, ago := range []time.Duration{50 * time.Minute, 20 * time.Minute, 10 * time.Minute} {
			sentBefore(t, s, ago.String(), models.AudienceAll, models.Accepted, ids[0], t0.Add(-ago))
			if i == 0 {
				sentBefore(t, s, "to another", models.AudienceAll, models.Accepted, ids[1], t0.Add(-ago))
			}
		}
		for i, want := range []time.Time{t0.Add(40 * time.Minute), {}, {}} {
			if until, err := s.CappedUntil(ctx, ids[i], limit, t0); err != nil || !until.Equal(want) {
				t.Errorf("recipient %d is at the cap until %s, %v; want %s", i, until, err, want)
			}
		}
		b := create(t, s, newBroadcast("now", t0))
		unsent, skipped, err := s.ClaimUnderCap(ctx, b, models.ClaimKnown, ids, limit, t0)
		if diff := cmp.Diff(ids[:1], unsent); err != nil || diff != "" || skipped != 1 {
			t.Errorf("%d skipped, %v: %s", skipped, err, diff)
		}
	})
}

// Who was put off may have got another broadcast meanwhile.
func TestWhoWasPutOffIsClaimedUnderTheCap(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 2)
		b := create(t, s, newBroadcast("put off", t0))
		if _, _, err := s.ClaimUnderCap(ctx, b, models.ClaimUnasked, ids, once, t0); err != nil {
			t.Fatal(err)
		}
		var late []models.Outcome
		for _, id := range ids {
			late = append(late, models.Outcome{BroadcastID: b.ID, RecipientID: id, State: models.Deferred, ErrCode: 43117, Attempts: 1, SentAt: t0})
		}
		if err := s.RecordOutcomes(ctx, late, t0); err != nil {
			t.Fatal(err)
		}
		sentBefore(t, s, "meanwhile", models.AudienceAll, models.Accepted, ids[0], t0.Add(time.Second))
		unsent, skipped, err := s.ClaimUnderCap(ctx, b, models.ClaimAgain, ids, once, t0.Add(time.Minute))
		if diff := cmp.Diff(ids[:1], unsent); err != nil || diff != "" || skipped != 1 {
			t.Errorf("%d skipped, %v: %s", skipped, err, diff)
		}
		if c, err := s.CountDeliveries(ctx, b.ID); err != nil || c.Skipped != 1 || c.Sending != 1 || c.Deferred != 0 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

// Whoever can't be written to any more is neither sent to nor skipped.
func TestWhoLeftIsNotSkipped(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 4)
		for _, i := range []int{0, 2} {
			sentBefore(t, s, modelstest.OpenID(i), models.AudienceAll, models.Accepted, ids[i], t0.Add(-time.Hour))
		}
		for _, i := range []int{0, 1} {
			if err := s.ChangeRecipient(ctx, modelstest.OpenID(i), func(r *models.Recipient) { r.OptedOut = true }); err != nil {
				t.Fatal(err)
			}
		}
		b := create(t, s, newBroadcast("now", t0))
		unsent, skipped, err := s.ClaimUnderCap(ctx, b, models.ClaimUnasked, ids, once, t0)
		slices.Sort(unsent)
		if diff := cmp.Diff(ids[:3], unsent); err != nil || diff != "" || skipped != 1 {
			t.Errorf("%d skipped, %v: %s", skipped, err, diff)
		}
		if c, err := s.CountDeliveries(ctx, b.ID); err != nil || c.Skipped != 1 || c.Sending != 1 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

// Broadcasts that claim the same people at the same moment give each of them one message.
func TestClaimsAtOnceKeepTheCap(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		const people, broadcasts, group = 200, 4, 20
		ids := addRecipients(t, s, people)
		all := make([]*models.Broadcast, broadcasts)
		for i := range all {
			all[i] = create(t, s, newBroadcast(modelstest.OpenID(i), t0))
		}
		var claims sync.WaitGroup
		for i, b := range all {
			claims.Go(func() {
				groups := slices.Collect(slices.Chunk(ids, group))
				if i%2 == 1 {
					slices.Reverse(groups)
				}
				for _, some := range groups {
					some = slices.Clone(some)
					if i > 1 {
						slices.Reverse(some)
					}
					if _, _, err := s.ClaimUnderCap(t.Context(), b, models.ClaimUnasked, some, once, time.Now()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		claims.Wait()
		var sending, skipped int64
		for _, b := range all {
			c, err := s.CountDeliveries(t.Context(), b.ID)
			if err != nil {
				t.Fatal(err)
			}
			sending, skipped = sending+c.Sending, skipped+c.Skipped
		}
		if sending != people || skipped != (broadcasts-1)*people {
			t.Errorf("%d are sent to and %d skipped, want %d and %d", sending, skipped, people, (broadcasts-1)*people)
		}
	})
}
