package models_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// told is what is told of a broadcast in numbers.
type told struct {
	Counts   models.Counts
	Failures []models.Failures
	Sends    []models.Sends
	Price    models.Price
}

func tell(t *testing.T, s *models.Store, b *models.Broadcast) (x told) {
	t.Helper()
	ctx := t.Context()
	var err [4]error
	x.Counts, err[0] = s.CountDeliveries(ctx, b.ID)
	x.Failures, err[1] = s.CountFailures(ctx, b.ID)
	x.Sends, err[2] = s.CountSends(ctx, b.ID, models.SpanOf(b.Took(t0)))
	x.Price, err[3] = s.CountPrice(ctx, b, t0.Add(1000*time.Hour))
	if err := errors.Join(err[:]...); err != nil {
		t.Fatal(err)
	}
	return x
}

// everyOutcome gives each recipient an outcome, of all states in turn.
func everyOutcome(t *testing.T, s *models.Store, id int64, recipients []int64) {
	t.Helper()
	var all []models.Outcome
	for i, r := range recipients {
		at := t0.Add(time.Duration(i/4) * 2800 * time.Millisecond)
		if i%4 == 0 { // they keep the moment of the claim
			if err := modelstest.Claim(t.Context(), s, id, recipients[i:min(i+4, len(recipients))], at); err != nil {
				t.Fatal(err)
			}
		}
		o := models.Outcome{BroadcastID: id, RecipientID: r, MsgID: id<<32 + r, Attempts: 1, SentAt: at, State: models.Accepted}
		switch i % 8 {
		case 1:
			o.State = models.Delivered
		case 2:
			o.State = models.Blocked
		case 3:
			o.State, o.ErrCode, o.Detail = models.FailedFor, 43004, fmt.Sprintf("rid: %d", i)
		case 4:
			o.State, o.Detail = models.FailedFor, fmt.Sprintf("failed: %d", i/8%3)
		case 5:
			o.State, o.ErrCode = models.Uncertain, -1
		case 6:
			o.State, o.ErrCode = models.FailedFor, 40003
		case 7:
			o.State, o.Detail, o.SentAt = models.Skipped, models.DetailCap, time.Time{}
		}
		all = append(all, o)
	}
	if err := s.RecordOutcomes(t.Context(), all, t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

// sendAll has a broadcast run and try people, and end by an event.
func sendAll(t *testing.T, s *models.Store, b *models.Broadcast, recipients []int64, end models.Event) *models.Broadcast {
	t.Helper()
	create(t, s, b)
	move(t, s, b, models.EventDue)
	if err := s.FreezeAudience(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	everyOutcome(t, s, b.ID, recipients)
	move(t, s, b, end)
	return stored(t, s, b.ID)
}

// tally has the counts of a broadcast be kept, and tells whether they are.
func tally(t *testing.T, s *models.Store, id int64) bool {
	t.Helper()
	kept, err := s.TallyBroadcast(t.Context(), id, t0.Add(48*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// emptyIt deletes all deliveries and batches of a broadcast, n at a time.
func emptyIt(t *testing.T, s *models.Store, id int64, n int, between func()) {
	t.Helper()
	for last := int64(0); ; {
		var err error
		if last, err = s.DropDeliveries(t.Context(), id, last, n); err != nil {
			t.Fatal(err)
		}
		if last == 0 {
			break
		}
		between()
	}
	for more := true; more; {
		var err error
		if more, err = s.DropBatches(t.Context(), id, n); err != nil {
			t.Fatal(err)
		}
		between()
	}
	if err := s.MarkEmptied(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	between()
}

// All numbers of a broadcast are the same before its deliveries are deleted, while they
// are and after it; those of another one stay where they are.
func TestATallyIsWhatTheDeliveriesCameTo(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, 400)
		other := sendAll(t, s, newBroadcast("other", t0), ids[:40], models.EventFinish)
		b := create(t, s, newBroadcast("1", t0))
		move(t, s, b, models.EventDue)
		everyOutcome(t, s, b.ID, ids)
		if err := s.AddBatches(t.Context(), manyBatches(b.ID, 30)); err != nil {
			t.Fatal(err)
		}
		move(t, s, b, models.EventFinish)
		b = stored(t, s, b.ID)
		for i, change := range []func(r *models.Recipient){
			func(r *models.Recipient) { r.Leave(models.At(t0.Add(10 * time.Minute))) },
			func(r *models.Recipient) { r.OptedOut, r.OptedOutAt = true, models.At(t0.Add(10*time.Minute)) },
		} {
			if err := s.ChangeRecipient(t.Context(), modelstest.OpenID(i), change); err != nil {
				t.Fatal(err)
			}
		}
		before, beside := tell(t, s, b), tell(t, s, other)
		if before.Counts.Known() != 400 || before.Counts.Skipped != 50 || before.Price != (models.Price{Left: 1, OptedOut: 1}) || len(before.Sends) < 90 {
			t.Fatalf("too little to tell: %+v", before)
		}
		same := func() {
			t.Helper()
			if diff := cmp.Diff(before, tell(t, s, b)); diff != "" {
				t.Fatalf("told before and now:\n%s", diff)
			}
		}
		for range 2 { // a second time changes nothing
			if !tally(t, s, b.ID) {
				t.Fatal("it is not tallied")
			}
		}
		same()
		emptyIt(t, s, b.ID, 37, same)
		if n := countRows(t, s, b.ID); n != 0 {
			t.Errorf("%d deliveries are left", n)
		}
		if last, err := s.LastBatch(t.Context(), b.ID); last != nil || err != nil {
			t.Errorf("batch %v, %v", last, err)
		}
		if diff := cmp.Diff(beside, tell(t, s, other)); diff != "" || countRows(t, s, other.ID) != 40 {
			t.Errorf("the other one:\n%s", diff)
		}
		if ids, err := s.Ended(t.Context(), t0.Add(time.Hour)); err != nil || len(ids) != 1 || ids[0] != other.ID {
			t.Errorf("%d are to be deleted, %v", ids, err)
		}
	})
}

// Of more causes than are told apart, all recipients stay counted.
func TestATallyOfManyCausesLosesNobody(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, 300)
		b := create(t, s, newBroadcast("1", t0))
		move(t, s, b, models.EventDue)
		all := make([]models.Outcome, len(ids))
		for i, id := range ids {
			all[i] = models.Outcome{BroadcastID: b.ID, RecipientID: id, State: models.FailedFor, Detail: fmt.Sprintf("failed: %d", i), SentAt: t0}
			if i >= 290 {
				all[i].State = models.Uncertain
			}
		}
		if err := s.RecordOutcomes(t.Context(), all, t0); err != nil {
			t.Fatal(err)
		}
		move(t, s, b, models.EventFinish)
		before := tell(t, s, b)
		if !tally(t, s, b.ID) {
			t.Fatal("it is not tallied")
		}
		emptyIt(t, s, b.ID, 100, func() {})
		after, n := tell(t, s, b), int64(0)
		for _, f := range after.Failures {
			n += f.N
		}
		if after.Counts != before.Counts || after.Counts.Failed != 290 || n != 300 || len(before.Failures) > 200 {
			t.Errorf("counted %+v and %d by cause, before %+v", after.Counts, n, before.Counts)
		}
	})
}

// countRows counts the deliveries of a broadcast that are there.
func countRows(t *testing.T, s *models.Store, id int64) int {
	t.Helper()
	list, err := models.DeliveryRows(t.Context(), s, id)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Nothing is deleted of a broadcast that is not tallied, whoever asks for it.
func TestDeliveriesThatAreNotCountedStay(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, 20)
		b := sendAll(t, s, newBroadcast("1", t0), ids, models.EventFinish)
		if err := s.AddBatches(t.Context(), manyBatches(b.ID, 3)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.DropDeliveries(t.Context(), b.ID, 0, 10); err != nil {
			t.Fatal(err)
		}
		if _, err := s.DropBatches(t.Context(), b.ID, 10); err != nil {
			t.Fatal(err)
		}
		err := s.MarkEmptied(t.Context(), b.ID)
		last, found := s.LastBatch(t.Context(), b.ID)
		if n := countRows(t, s, b.ID); n != 20 || err == nil || stored(t, s, b.ID).Emptied || found != nil || last == nil || last.Seq != 3 {
			t.Errorf("%d deliveries, last batch %v, %v", n, last, err)
		}
	})
}

// needing makes a broadcast for some recipients of another one, for TestWhatIsNotTallied.
func needing(t *testing.T, s *models.Store, key string, to models.Audience, of int64) *models.Broadcast {
	t.Helper()
	b := newBroadcast(key, t0)
	b.Audience, b.OfID = to, of
	return create(t, s, b)
}

// A broadcast that may send still, or whose deliveries say to whom one goes that may send
// still, is not tallied; it is once that one has ended.
func TestWhatIsNotTallied(t *testing.T) {
	t.Parallel()
	restored := models.Move{Event: models.EventRestore, Reason: models.ReasonRestored, Detail: "1 restored"}
	tests := map[string]func(t *testing.T, s *models.Store, ids []int64) (of, open *models.Broadcast){
		"scheduled": func(t *testing.T, s *models.Store, _ []int64) (of, open *models.Broadcast) {
			t.Helper()
			b := create(t, s, newBroadcast("1", t0))
			return b, b
		},
		"planned": func(t *testing.T, s *models.Store, _ []int64) (of, open *models.Broadcast) {
			t.Helper()
			b := planned(t, s, "1", t0.Add(1000*time.Hour), nil)
			return b, b
		},
		"pending": func(t *testing.T, s *models.Store, _ []int64) (of, open *models.Broadcast) {
			t.Helper()
			b := newBroadcast("1", t0)
			if _, err := s.CreateBroadcast(t.Context(), b, models.Asked{Approvals: 1}); err != nil {
				t.Fatal(err)
			}
			return b, b
		},
		"running": func(t *testing.T, s *models.Store, ids []int64) (of, open *models.Broadcast) {
			t.Helper()
			b := create(t, s, newBroadcast("1", t0))
			move(t, s, b, models.EventDue)
			everyOutcome(t, s, b.ID, ids[:10])
			return b, b
		},
		"paused": func(t *testing.T, s *models.Store, ids []int64) (of, open *models.Broadcast) {
			t.Helper()
			b := sendAll(t, s, newBroadcast("1", t0), ids[:10], models.EventPause)
			return b, b
		},
		"restored": func(t *testing.T, s *models.Store, ids []int64) (of, open *models.Broadcast) {
			t.Helper()
			b := create(t, s, newBroadcast("1", t0))
			move(t, s, b, models.EventDue)
			everyOutcome(t, s, b.ID, ids[:10])
			if moved, err := s.MoveBroadcast(t.Context(), b.ID, restored, t0); !moved || err != nil {
				t.Fatal(moved, err)
			}
			return b, b
		},
		"corrected": func(t *testing.T, s *models.Store, ids []int64) (of, open *models.Broadcast) {
			t.Helper()
			of = sendAll(t, s, newBroadcast("1", t0), ids[:10], models.EventFinish)
			return of, needing(t, s, "2", models.AudienceReached, of.ID)
		},
		"retried": func(t *testing.T, s *models.Store, ids []int64) (of, open *models.Broadcast) {
			t.Helper()
			of = sendAll(t, s, newBroadcast("1", t0), ids[:10], models.EventFinish)
			return of, needing(t, s, "2", models.AudienceRetry, of.ID)
		},
		"sent to the rest": func(t *testing.T, s *models.Store, ids []int64) (of, open *models.Broadcast) {
			t.Helper()
			of = sendAll(t, s, newBroadcast("1", t0), ids[:10], models.EventCancel)
			return of, needing(t, s, "2", models.AudienceRest, of.ID)
		},
		"a rest beside another": func(t *testing.T, s *models.Store, ids []int64) (of, open *models.Broadcast) {
			t.Helper()
			first := sendAll(t, s, newBroadcast("1", t0), ids[:10], models.EventCancel)
			rest := newBroadcast("2", t0)
			rest.Audience, rest.OfID = models.AudienceRest, first.ID
			rest = sendAll(t, s, rest, ids[10:15], models.EventCancel)
			return rest, needing(t, s, "3", models.AudienceRest, first.ID)
		},
		"a retry beside another": func(t *testing.T, s *models.Store, ids []int64) (of, open *models.Broadcast) {
			t.Helper()
			first := sendAll(t, s, newBroadcast("1", t0), ids[:10], models.EventFinish)
			retry := newBroadcast("2", t0)
			retry.Audience, retry.OfID = models.AudienceRetry, first.ID
			retry = sendAll(t, s, retry, ids[3:4], models.EventCancel)
			return retry, needing(t, s, "3", models.AudienceRetry, first.ID)
		},
		"its correction is sent to the rest": func(t *testing.T, s *models.Store, ids []int64) (of, open *models.Broadcast) {
			t.Helper()
			of = sendAll(t, s, newBroadcast("1", t0), ids[:10], models.EventFinish)
			right := newBroadcast("2", t0)
			right.Audience, right.OfID = models.AudienceReached, of.ID
			right = sendAll(t, s, right, ids[:1], models.EventCancel)
			return of, needing(t, s, "3", models.AudienceRest, right.ID)
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, s *models.Store) {
				of, open := prepare(t, s, addRecipients(t, s, 20))
				had := countRows(t, s, of.ID)
				if tally(t, s, of.ID) || !stored(t, s, of.ID).TalliedAt.IsZero() {
					t.Fatal("it is tallied")
				}
				if _, err := s.DropDeliveries(t.Context(), of.ID, 0, 500); err != nil || countRows(t, s, of.ID) != had {
					t.Errorf("%d deliveries of %d are left, %v", countRows(t, s, of.ID), had, err)
				}
				move(t, s, open, models.EventCancel)
				if !tally(t, s, of.ID) {
					t.Error("it is not tallied when nobody needs it any more")
				}
			})
		})
	}
}

// Whoever would have to be told from deleted deliveries gets nothing: what is asked for
// some recipients of such a broadcast is refused, and nothing else is.
func TestDeletedDeliveriesAreNotReliedOn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, 30)
		part := func(key string, to models.Audience, of int64, some []int64) *models.Broadcast {
			b := newBroadcast(key, t0)
			b.Audience, b.OfID = to, of
			return sendAll(t, s, b, some, models.EventCancel)
		}
		first := sendAll(t, s, newBroadcast("1", t0), ids[:10], models.EventCancel)
		rest := part("2", models.AudienceRest, first.ID, ids[10:12])
		retry := part("3", models.AudienceRetry, first.ID, ids[3:4])
		right := part("4", models.AudienceReached, first.ID, ids[:1])
		kept := sendAll(t, s, newBroadcast("5", t0), ids[:10], models.EventCancel)
		steps := []struct {
			tallied *models.Broadcast
			to      models.Audience
			of      int64
			refused bool
		}{
			{nil, models.AudienceRest, first.ID, false},
			{nil, models.AudienceRetry, first.ID, false},
			{rest, models.AudienceRest, first.ID, true},
			{nil, models.AudienceRetry, first.ID, false},
			{nil, models.AudienceReached, first.ID, false},
			{retry, models.AudienceRetry, first.ID, true},
			{nil, models.AudienceRest, right.ID, false},
			{nil, models.AudienceReached, first.ID, false},
			{first, models.AudienceReached, first.ID, true},
			{nil, models.AudienceRest, right.ID, true},
			{nil, models.AudienceRetry, right.ID, false},
			{nil, models.AudienceAll, 0, false},
			{nil, models.AudienceTest, 0, false},
			{nil, models.AudienceRest, kept.ID, false},
			{nil, models.AudienceRetry, kept.ID, false},
			{nil, models.AudienceReached, kept.ID, false},
		}
		last := first
		for i, step := range steps {
			if step.tallied != nil {
				if last = step.tallied; !tally(t, s, last.ID) {
					t.Fatalf("%d: it is not tallied", i)
				}
			}
			b := newBroadcast(fmt.Sprintf("step %d", i), t0)
			b.Audience, b.OfID = step.to, step.of
			looked := s.RefuseDeleted(t.Context(), b)
			_, err := s.CreateBroadcast(t.Context(), b, models.Asked{Again: true})
			for _, err := range []error{looked, err} {
				var e *models.Error
				refused := errors.As(err, &e) && e.Code == models.ErrDeliveriesGone
				if refused != step.refused || err != nil && !refused {
					t.Errorf("%d: %s of #%d: %v", i, step.to, step.of, err)
				}
				if refused && (e.Args["ID"] != step.of || e.Args["Moment"] != stored(t, s, last.ID).TalliedAt.Time) {
					t.Errorf("%d: refused with %v", i, e.Args)
				}
			}
			if err == nil {
				move(t, s, b, models.EventCancel)
			}
		}
	})
}

// Of a broadcast that is asked for and a tally at the same moment one comes first: either
// the deliveries stay, or the broadcast is refused.
func TestATallyAndARequestComeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, 10)
		for round := range 30 {
			of := sendAll(t, s, newBroadcast(fmt.Sprintf("%d", round), t0), ids, models.EventFinish)
			b := newBroadcast(fmt.Sprintf("%d, asked", round), t0)
			b.Audience, b.OfID = []models.Audience{models.AudienceRetry, models.AudienceReached, models.AudienceRest}[round%3], of.ID
			var kept bool
			var asked, tallied error
			var both sync.WaitGroup
			both.Go(func() { kept, tallied = s.TallyBroadcast(t.Context(), of.ID, t0) })
			both.Go(func() { _, asked = s.CreateBroadcast(t.Context(), b, models.Asked{Again: true}) })
			both.Wait()
			var e *models.Error
			if tallied != nil || asked != nil && (!errors.As(asked, &e) || e.Code != models.ErrDeliveriesGone) {
				t.Fatalf("round %d: %v, %v", round, tallied, asked)
			}
			if kept == (asked == nil) {
				t.Errorf("round %d: tallied %t, asked: %v", round, kept, asked)
			}
			if asked == nil {
				move(t, s, b, models.EventCancel)
			}
		}
	})
}

// A transaction that ends in the middle leaves nothing of itself.
func TestATallyThatFailsKeepsNothing(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, 300)
		b := sendAll(t, s, newBroadcast("1", t0), ids, models.EventFinish)
		before := tell(t, s, b)
		for i := range 40 { // each is cut off a little later than the one before
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
			kept, err := s.TallyBroadcast(ctx, b.ID, t0)
			cancel()
			if is := !stored(t, s, b.ID).TalliedAt.IsZero(); kept && !is || err == nil && kept != is {
				t.Fatalf("kept %t, %v, but tallied %t", kept, err, is)
			}
			if diff := cmp.Diff(before, tell(t, s, b)); diff != "" {
				t.Fatalf("told before and now:\n%s", diff)
			}
		}
		if !tally(t, s, b.ID) {
			t.Error("it is not tallied in the end")
		}
		emptyIt(t, s, b.ID, 100, func() {
			if diff := cmp.Diff(before, tell(t, s, b)); diff != "" {
				t.Fatalf("told before and now:\n%s", diff)
			}
		})
	})
}

// The recipients of a rest that are counted as taken over stay counted.
func TestWhatWasTakenOverStaysCounted(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, 60)
		first := sendAll(t, s, newBroadcast("1", t0), ids[:20], models.EventCancel)
		for i := range 2 {
			rest := newBroadcast(fmt.Sprintf("rest %d", i), t0)
			rest.Audience, rest.OfID = models.AudienceRest, first.ID
			rest = sendAll(t, s, rest, ids[20+10*i:30+10*i], models.EventCancel)
			want := func() {
				t.Helper()
				if n, err := s.CountTakenOver(t.Context(), first); n != int64(10*i+10) || err != nil {
					t.Errorf("%d were taken over, %v", n, err)
				}
			}
			want()
			if i == 0 { // the second is counted from its deliveries
				continue
			}
			if !tally(t, s, rest.ID) {
				t.Fatal("it is not tallied")
			}
			emptyIt(t, s, rest.ID, 4, want)
		}
	})
}
