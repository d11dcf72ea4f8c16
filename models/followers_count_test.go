package models_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// Whoever asks for a broadcast does not wait until very many followers are counted: the last
// sync tells how many there are, and nobody counts as having left since.
func TestFollowersWhoTakeTooLongToCount(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		count := func(what string, want int64, listed bool) *models.Broadcast {
			t.Helper()
			b := newBroadcast(what, t0)
			n, err := s.CountAudience(ctx, b)
			if err != nil || n != want || b.Listed != listed {
				t.Errorf("%s: %d, listed %t, %v, want %d, %t", what, n, b.Listed, err, want, listed)
			}
			b.Recipients = n
			return create(t, s, b)
		}
		addRecipients(t, s, 2)
		models.CountWithin(s, 0)
		count("never synced", 2, false)

		st, err := s.BeginSync(ctx, models.At(t0), false)
		if err != nil {
			t.Fatal(err)
		}
		next := st
		next.Pages, next.Listed, next.Announced, next.Pulled = 1, 3, 40, true
		if st, err = s.StorePage(ctx, st, next, []string{modelstest.OpenID(0), modelstest.OpenID(1), modelstest.OpenID(2)}); err != nil {
			t.Fatal(err)
		}
		count("in the middle of a sync", 40, true)
		if st, _, err = s.MergeList(ctx, st, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.FinishSync(ctx, st, models.At(t0)); err != nil {
			t.Fatal(err)
		}
		err = s.ChangeRecipient(ctx, modelstest.OpenID(1), func(r *models.Recipient) { r.OptedOut = true })
		if err != nil {
			t.Fatal(err)
		}
		if b := count("synced", 3, true); b.AskedFor != 0 {
			t.Errorf("asked for %d", b.AskedFor)
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if n, err := s.CountAudience(gone, newBroadcast("gone", t0)); !errors.Is(err, context.Canceled) {
			t.Errorf("nobody waits any more: %d, %v", n, err)
		}
		models.CountWithin(s, time.Minute)
		if b := count("soon enough", 2, false); b.AskedFor != 2 {
			t.Errorf("asked for %d", b.AskedFor)
		}
	})
}
