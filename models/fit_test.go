package models_test

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// strange are words of the platform that no column takes as they are.
var strange = map[int64]string{
	2: strings.Repeat("失败", 300),
	3: "failed: \xff\xfe broken",
	4: "failed: \x00 nothing",
	5: strings.Repeat("x", 1<<20),
	6: strings.Repeat("😀", 256),
}

const group = 60 // outcomes and receipts at once

// rows returns the deliveries of a broadcast by msgid and checks that all are there.
func rows(t *testing.T, s *models.Store, id int64) map[int64]models.Delivery {
	t.Helper()
	list, err := models.DeliveryRows(t.Context(), s, id)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != group {
		t.Fatalf("%d of %d deliveries have an outcome of their own", len(list), group)
	}
	return list
}

// outcomes are those of a group: each of its msgids 1, 2, 3, ….
func outcomes(broadcast int64, recipients []int64) []models.Outcome {
	list := make([]models.Outcome, len(recipients))
	for i, r := range recipients {
		list[i] = models.Outcome{
			BroadcastID: broadcast, RecipientID: r, State: models.FailedFor,
			MsgID: int64(i + 1), ErrCode: 43004, Detail: "as usual", Attempts: 1, SentAt: t0,
		}
	}
	return list
}

// Whatever the platform says of a send, its outcome and those beside it are
// recorded.
func TestOutcomesThatFitNoColumn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		recipients := addRecipients(t, s, group)
		b := create(t, s, newBroadcast("1", t0))
		list := outcomes(b.ID, recipients)
		for i, words := range strange {
			list[i-1].Detail = words
		}
		list[10].ErrCode, list[11].ErrCode = math.MaxInt64, math.MinInt64
		list[12].Attempts = math.MaxInt64
		if err := s.RecordOutcomes(t.Context(), list, t0); err != nil {
			t.Fatal(err)
		}
		got := rows(t, s, b.ID)
		for id, d := range got {
			if words := strange[id]; words == "" && d.Detail != "as usual" {
				t.Errorf("outcome %d says %q", id, d.Detail)
			} else if words != "" && !fits(d.Detail) {
				t.Errorf("outcome %d says %d runes, valid UTF-8 %t", id, utf8.RuneCountInString(d.Detail), utf8.ValidString(d.Detail))
			}
		}
		if got[11].ErrCode != math.MaxInt32 || got[12].ErrCode != math.MinInt32 || got[13].Attempts != math.MaxInt32 {
			t.Errorf("%d, %d and %d: want the nearest numbers of 32 bits", got[11].ErrCode, got[12].ErrCode, got[13].Attempts)
		}
	})
}

func fits(detail string) bool {
	return detail != "" && utf8.RuneCountInString(detail) <= 255 && utf8.ValidString(detail) && !strings.Contains(detail, "\x00")
}

// An outcome that the database refuses all the same is recorded without what it
// says; the others are whole, and nobody is lost.
func TestARefusedOutcomeIsRecordedWithoutItsWords(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		recipients := addRecipients(t, s, group)
		b := create(t, s, newBroadcast("1", t0))
		if err := models.Poison(t.Context(), s, "poison", 666); err != nil {
			t.Fatal(err)
		}
		if err := modelstest.Claim(t.Context(), s, b.ID, recipients, t0); err != nil {
			t.Fatal(err)
		}
		list := outcomes(b.ID, recipients)
		list[0].Detail, list[30].Detail, list[59].ErrCode = "poison", "poison", 666
		for range 2 { // whoever is in doubt whether it was recorded does so again
			if err := s.RecordOutcomes(t.Context(), list, t0); err != nil {
				t.Fatal(err)
			}
		}
		for id, d := range rows(t, s, b.ID) {
			want := models.Delivery{State: models.FailedFor, ErrCode: 43004, Detail: "as usual", Attempts: 1}
			if id == 1 || id == 31 || id == 60 {
				want.ErrCode, want.Detail = 0, ""
			}
			if d.State != want.State || d.ErrCode != want.ErrCode || d.Detail != want.Detail || d.Attempts != want.Attempts {
				t.Errorf("outcome %d: %+v", id, d)
			}
		}
	})
}

// Of a group of receipts, early ones and others, each is counted, whatever words
// the platform has for it and whatever the database refuses.
func TestReceiptsThatFitNoColumn(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{false, true} {
		t.Run(map[bool]string{false: "in time", true: "early"}[early], func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, s *models.Store) { strangeReceipts(t, s, early) })
		})
	}
}

func strangeReceipts(t *testing.T, s *models.Store, early bool) {
	t.Helper()
	ctx := t.Context()
	recipients := addRecipients(t, s, group)
	b := create(t, s, newBroadcast("1", t0))
	if err := models.Poison(ctx, s, "poison", 666); err != nil {
		t.Fatal(err)
	}
	sent := outcomes(b.ID, recipients)
	for i := range sent {
		sent[i].State, sent[i].ErrCode, sent[i].Detail = models.Accepted, 0, ""
	}
	record := func() {
		t.Helper()
		if err := s.RecordOutcomes(ctx, sent, t0); err != nil {
			t.Fatal(err)
		}
	}
	receipts := make([]models.Receipt, group)
	for i := range receipts {
		id := int64(i + 1)
		receipts[i] = models.Receipt{MsgID: id, State: models.FailedFor, Detail: strange[id], ReceivedAt: models.At(t0)}
	}
	receipts[20].Detail = "poison"
	apply := func() {
		t.Helper()
		n, err := s.ApplyReceipts(ctx, receipts, t0)
		if want := map[bool]int{true: group}[early]; err != nil || n != want {
			t.Fatalf("%d are early, want %d: %v", n, want, err)
		}
	}
	if early {
		apply()
		record()
		if n, err := s.JoinReceipts(ctx, t0.Add(-time.Minute), 500, t0); err != nil || n != group {
			t.Fatalf("%d joined: %v", n, err)
		}
		if n, err := s.JoinReceipts(ctx, t0.Add(-time.Minute), 500, t0); err != nil || n != 0 {
			t.Fatalf("%d joined again: %v", n, err)
		}
	} else {
		record()
		apply()
	}
	for id, d := range rows(t, s, b.ID) {
		if d.State != models.FailedFor {
			t.Errorf("receipt %d: the delivery is %s", id, d.State)
		}
		if strange[id] != "" && !fits(d.Detail) || strange[id] == "" && d.Detail != "" {
			t.Errorf("receipt %d says %.40q", id, d.Detail)
		}
	}
}

// Keys that no column takes are told apart all the same.
func TestKeysThatFitNoColumn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		long := strings.Repeat("k", 300)
		keys := []string{"m:o:1", long, long + "1", "钥匙", "钥匙2", "\xff", "\xfe", "a\x00b", "ab"}
		for _, key := range keys {
			if got, err := s.SaveReply(ctx, key, "to "+key[:1]+strings.Repeat("好", 30_000), t0); err != nil || !utf8.ValidString(got) || len(got) > 65535 {
				t.Errorf("%.20q: %d bytes stored, %v", key, len(got), err)
			}
			q := newBroadcast("1", t0)
			q.RequestKey, q.Audience = key, models.AudienceMe
			created, err := s.CreateBroadcast(ctx, q, models.Asked{Again: true})
			if err != nil || !created {
				t.Errorf("%.20q: made %t, %v", key, created, err)
			}
		}
		for _, key := range keys {
			if _, found, err := s.FindReply(ctx, key); err != nil || !found {
				t.Errorf("%.20q: its reply is found %t, %v", key, found, err)
			}
			if b, err := s.FindRequest(ctx, key); err != nil || b == nil {
				t.Errorf("%.20q: its broadcast is not found: %v", key, err)
			}
		}
		if _, found, err := s.FindReply(ctx, long+"2"); err != nil || found {
			t.Errorf("a key has another's reply: %t, %v", found, err)
		}
	})
}

// A broadcast's reason and a person's scene may be whatever the platform said.
func TestWordsThatFitNoColumn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		b := create(t, s, newBroadcast("1", t0))
		for _, words := range strange {
			move(t, s, b, models.EventDue)
			moved, err := s.MoveBroadcast(ctx, b.ID, models.Move{Event: models.EventStop, Reason: models.ReasonStreak, Detail: words}, t0)
			if err != nil || !moved {
				t.Errorf("%.20q: moved %t, %v", words, moved, err)
			}
			move(t, s, b, models.EventResume)
			err = s.ChangeRecipient(ctx, modelstest.OpenID(1), func(r *models.Recipient) { r.Subscribed, r.Scene = true, words })
			if err != nil {
				t.Errorf("%.20q: %v", words, err)
			}
		}
	})
}
