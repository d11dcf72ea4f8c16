package models_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// TestPagesQueries counts and lists the outcomes of a broadcast beside which
// another one has its own.
func TestPagesQueries(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		began := time.UnixMilli(1_900_000_000_000)
		var ids []int64
		for i := range 9 {
			err := s.ChangeRecipient(ctx, modelstest.OpenID(i), func(r *models.Recipient) { r.Subscribed = true })
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, int64(i+1))
		}
		rows := []models.Outcome{
			{State: models.Accepted, MsgID: 11},
			{State: models.FailedFor, ErrCode: 43004, Detail: "require subscribe rid: 1"},
			{State: models.FailedFor, ErrCode: 43004, Detail: "require subscribe rid: 2"},
			{State: models.FailedFor, Detail: "failed: system failed"},
			{State: models.Uncertain, ErrCode: -1, Detail: "system error"},
			{State: models.Uncertain, Detail: "read tcp 1: reset"},
			{State: models.Uncertain, Detail: "read tcp 2: reset"},
			{State: models.Delivered, MsgID: 12},
		}
		for i := range rows {
			rows[i].BroadcastID, rows[i].RecipientID, rows[i].Attempts = 7, ids[i], i+1
			rows[i].SentAt = began.Add(time.Duration(i) * 400 * time.Millisecond)
		}
		other := rows[1]
		other.BroadcastID, other.RecipientID = 8, ids[8]
		if err := s.RecordOutcomes(ctx, append(rows, other), began.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}

		failures, err := s.CountFailures(ctx, 7)
		if err != nil {
			t.Fatal(err)
		}
		want := []models.Failures{
			{State: models.FailedFor, ErrCode: 43004, N: 2},
			{State: models.Uncertain, N: 2},
			{State: models.FailedFor, Detail: "failed: system failed", N: 1},
			{State: models.Uncertain, ErrCode: -1, N: 1},
		}
		if diff := cmp.Diff(want, failures); diff != "" {
			t.Errorf("failures (-want +got):\n%s", diff)
		}

		for code, want := range map[int]string{43004: "require subscribe rid: 1", -1: "", 40003: ""} {
			if got, err := s.FailureWords(ctx, 7, code); got != want || err != nil {
				t.Errorf("%d: %q, %v", code, got, err)
			}
		}

		if err := modelstest.Claim(ctx, s, 7, ids[8:], began); err != nil {
			t.Fatal(err) // without an outcome it counts nowhere
		}
		sends, err := s.CountSends(ctx, 7, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, b := range sends {
			got = append(got, fmt.Sprintf("%s %d", b.At.Sub(began), b.N))
		}
		if diff := cmp.Diff([]string{"0s 3", "1s 2", "2s 3"}, got); diff != "" {
			t.Errorf("sends by second (-want +got):\n%s", diff)
		}

		var listed []string
		for after := int64(0); ; {
			page, err := s.Unreached(ctx, 7, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range page {
				after = u.RecipientID
				listed = append(listed, fmt.Sprintf("%s %s %d %s %d %s", u.OpenID, u.State, u.ErrCode, u.Detail, u.Attempts, u.SentAt.Sub(began)))
			}
			if len(page) < 2 {
				break
			}
		}
		wantListed := []string{
			modelstest.OpenID(1) + " failed 43004 require subscribe rid: 1 2 400ms",
			modelstest.OpenID(2) + " failed 43004 require subscribe rid: 2 3 800ms",
			modelstest.OpenID(3) + " failed 0 failed: system failed 4 1.2s",
			modelstest.OpenID(4) + " uncertain -1 system error 5 1.6s",
			modelstest.OpenID(5) + " uncertain 0 read tcp 1: reset 6 2s",
			modelstest.OpenID(6) + " uncertain 0 read tcp 2: reset 7 2.4s",
		}
		if diff := cmp.Diff(wantListed, listed); diff != "" {
			t.Errorf("unreached (-want +got):\n%s", diff)
		}
	})
}
