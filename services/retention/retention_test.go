package retention_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/retention"
)

const keep = 48 * time.Hour

var ended = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// sent stores a broadcast that ended, with n deliveries.
func sent(tb testing.TB, s *models.Store, key string, n int64, at time.Time) *models.Broadcast {
	tb.Helper()
	ctx := tb.Context()
	b := &models.Broadcast{RequestKey: key, Name: "notice", Message: "{}", Audience: models.AudienceAll, State: models.Scheduled, AskedAt: models.At(at)}
	if _, err := s.CreateBroadcast(ctx, b, models.Asked{Again: true}); err != nil {
		tb.Fatal(err)
	}
	moves(tb, s, b.ID, models.EventDue, at)
	for first := int64(1); first <= n; first += 500 {
		var ids []int64
		var outcomes []models.Outcome
		for id := first; id < min(first+500, n+1); id++ {
			o := models.Outcome{BroadcastID: b.ID, RecipientID: id, State: models.Accepted, MsgID: b.ID<<40 + id, Attempts: 1, SentAt: at}
			if id%10 == 0 {
				o.State, o.MsgID, o.ErrCode = models.FailedFor, 0, 40003
			}
			ids, outcomes = append(ids, id), append(outcomes, o)
		}
		if err := errors.Join(modelstest.Claim(ctx, s, b.ID, ids, at), s.RecordOutcomes(ctx, outcomes, at)); err != nil {
			tb.Fatal(err)
		}
	}
	var batches []models.Batch
	for seq := range n / 500 {
		batches = append(batches, models.Batch{BroadcastID: b.ID, Seq: seq + 1, AfterID: seq * 500, ThroughID: seq*500 + 500, Size: 500, State: models.BatchDone})
	}
	if len(batches) > 0 {
		if err := s.AddBatches(ctx, batches); err != nil {
			tb.Fatal(err)
		}
	}
	moves(tb, s, b.ID, models.EventFinish, at)
	return found(tb, s, b.ID)
}

func moves(tb testing.TB, s *models.Store, id int64, on models.Event, at time.Time) {
	tb.Helper()
	if moved, err := s.MoveBroadcast(context.WithoutCancel(tb.Context()), id, models.Move{Event: on}, at); !moved || err != nil {
		tb.Fatal(on, moved, err)
	}
}

func found(tb testing.TB, s *models.Store, id int64) *models.Broadcast {
	tb.Helper()
	b, err := s.FindBroadcast(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// deliveries counts those that are there, past any tally.
func deliveries(tb testing.TB, s *models.Store, id int64) (n int) {
	tb.Helper()
	for after := int64(0); ; {
		page, err := s.DeliveriesAfter(tb.Context(), id, after, 1000)
		if err != nil {
			tb.Fatal(err)
		}
		if n += len(page); len(page) == 0 {
			return n
		}
		after = page[len(page)-1].RecipientID
	}
}

func cleaner(s *models.Store, now time.Time, log *slog.Logger) *retention.Cleaner {
	return &retention.Cleaner{
		Store: s, Keep: keep, Now: func() time.Time { return now }, Log: log, Sending: func() bool { return false },
		Counted: func(context.Context, models.Broadcast) (bool, error) { return true, nil },
	}
}

// follow adds people, so that deliveries have somebody to be of.
func follow(tb testing.TB, s *models.Store, n int) {
	tb.Helper()
	number, err := s.OpenImport(tb.Context(), time.Hour)
	if err != nil {
		tb.Fatal(err)
	}
	for from := 0; from < n; from += 500 {
		var some []models.Confirmed
		for i := from; i < min(from+500, n); i++ {
			some = append(some, models.Confirmed{OpenID: modelstest.OpenID(i)})
		}
		if err := s.AddConfirmed(tb.Context(), some, ended, number); err != nil {
			tb.Fatal(err)
		}
	}
}

// When the deliveries of a broadcast go.
func TestWhenDeliveriesGo(t *testing.T) {
	t.Parallel()
	uncounted := func(context.Context, models.Broadcast) (bool, error) { return false, nil }
	tests := []struct {
		name   string
		after  time.Duration // since the end
		change func(c *retention.Cleaner)
		gone   bool
	}{
		{"in their time", keep, nil, false},
		{"a minute more for those who had not heard of the end", keep + time.Minute, nil, false},
		{"after it", keep + time.Minute + time.Second, nil, true},
		{"kept for ever", 1000 * keep, func(c *retention.Cleaner) { c.Keep = 0 }, false},
		{"kept for ever, with a cap", 1000 * keep, func(c *retention.Cleaner) { c.Keep, c.Cap = 0, models.Cap{Max: 1, Within: time.Hour} }, false},
		{"within the time of the cap", 2 * keep, func(c *retention.Cleaner) { c.Cap = models.Cap{Max: 3, Within: 2 * keep} }, false},
		{"after the time of the cap", 2*keep + 2*time.Minute, func(c *retention.Cleaner) { c.Cap = models.Cap{Max: 3, Within: 2 * keep} }, true},
		{"a shorter cap", keep + 2*time.Minute, func(c *retention.Cleaner) { c.Cap = models.Cap{Max: 3, Within: time.Hour} }, true},
		{"outcomes are open", 2 * keep, func(c *retention.Cleaner) { c.Counted = uncounted }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := modelstest.SQLite(t)
			follow(t, s, 20)
			b := sent(t, s, "1", 20, ended)
			c := cleaner(s, ended.Add(tt.after), modelstest.Log(t))
			if tt.change != nil {
				tt.change(c)
			}
			if err := c.Clean(t.Context()); err != nil {
				t.Fatal(err)
			}
			b = found(t, s, b.ID)
			if n := deliveries(t, s, b.ID); n == 0 != tt.gone || b.Emptied != tt.gone || b.TalliedAt.IsZero() == tt.gone {
				t.Errorf("%d deliveries are left, emptied %t", n, b.Emptied)
			}
		})
	}
}

// Whenever a process ends in the middle, counts are as they were, and the next one goes on.
func TestKillsInTheMiddle(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		const people = 4000
		follow(t, s, people)
		var all []*models.Broadcast
		var before []models.Counts
		for i := range 3 {
			b := sent(t, s, fmt.Sprint(i), people, ended.Add(time.Duration(i)*time.Hour))
			counts, err := s.CountDeliveries(t.Context(), b.ID)
			if err != nil || counts.Known() != people {
				t.Fatal(counts, err)
			}
			all, before = append(all, b), append(before, counts)
		}
		kills, partly := 0, 0
		for done := false; !done; kills++ {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(40_000))*time.Microsecond)
			err := cleaner(s, ended.Add(1000*time.Hour), modelstest.Log(t)).Clean(ctx)
			done = err == nil && ctx.Err() == nil
			cancel()
			for i, b := range all {
				counts, err := s.CountDeliveries(t.Context(), b.ID)
				if err != nil || counts != before[i] {
					t.Fatalf("after %d kills: %+v, %v, want %+v", kills, counts, err, before[i])
				}
				now, n := found(t, s, b.ID), deliveries(t, s, b.ID)
				if now.TalliedAt.IsZero() && n != people || now.Emptied && n != 0 {
					t.Fatalf("after %d kills: %d deliveries, tallied %v, emptied %t", kills, n, now.TalliedAt, now.Emptied)
				}
				if n > 0 && n < people {
					partly++
				}
			}
			if kills > 2000 {
				t.Fatal("it comes to no end")
			}
		}
		for _, b := range all {
			if n := deliveries(t, s, b.ID); n != 0 || !found(t, s, b.ID).Emptied {
				t.Errorf("%d deliveries are left", n)
			}
		}
		if kills < 3 || partly == 0 {
			t.Errorf("%d kills, %d in the middle of a broadcast: too few", kills, partly)
		}
	})
}

// A cap that was made longer after deliveries had gone can't count them: the log says so,
// and until when.
func TestACapThatCountsFurtherBackIsToldOf(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		follow(t, s, 20)
		sent(t, s, "1", 20, ended)
		now := ended.Add(keep + time.Hour)
		var text bytes.Buffer
		c := cleaner(s, now, slog.New(slog.NewTextHandler(&text, nil)))
		says := func(within time.Duration, want bool) {
			t.Helper()
			text.Reset()
			ctx, cancel := context.WithCancel(t.Context())
			c.Cap = models.Cap{Max: 1, Within: within}
			ran := make(chan struct{})
			go func() { defer close(ran); c.Run(ctx) }()
			for deadline := time.Now().Add(10 * time.Second); deliveries(t, s, 1) > 0 && within <= keep && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(20 * time.Millisecond)
			cancel()
			<-ran
			if got := strings.Contains(text.String(), "MAX_PER_FOLLOWER"); got != want {
				t.Errorf("within %s: %s", within, text.String())
			}
		}
		says(100*time.Hour, false)
		says(keep, false)
		says(100*time.Hour, true)
		says(keep, false)
	})
}

// BenchmarkDeletion deletes the deliveries of a broadcast to 100,000, alone and with the
// pauses that it makes while a broadcast runs, during which another one claims and records
// groups. Run it once:
//
//	go test ./services/retention -run '^$' -bench . -benchtime 1x
func BenchmarkDeletion(b *testing.B) {
	for driver, open := range map[string]func(testing.TB) *models.Store{models.SQLite: modelstest.SQLite, models.MySQL: modelstest.MySQL} {
		for _, sending := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s, sending %t", driver, sending), func(b *testing.B) {
				for range b.N {
					deletion(b, open(b), sending)
				}
			})
		}
	}
}

func deletion(b *testing.B, s *models.Store, sending bool) {
	const people = 100_000
	follow(b, s, people)
	old := sent(b, s, "old", people, ended)
	c := cleaner(s, ended.Add(1000*time.Hour), slog.New(slog.DiscardHandler))
	c.Sending = func() bool { return sending }
	w := &writer{ready: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{})}
	if sending {
		go w.run(b, s, old.ID+1)
		<-w.ready
	}
	began := time.Now()
	kept, err := s.TallyBroadcast(b.Context(), old.ID, ended.Add(1000*time.Hour))
	if !kept || err != nil {
		b.Fatal(kept, err)
	}
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms/tally")
	if err := c.Clean(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(began).Seconds(), "s/all")
	if sending {
		close(w.done)
		<-w.ended
		report(b, w.writes[:alone], "alone")
		report(b, w.writes[alone:], "beside")
	}
}

// alone is how many writes there are before the deletion begins.
const alone = 100

// writer stores what another broadcast stores while the deletion goes on.
type writer struct {
	ready, done, ended chan struct{}
	writes             []time.Duration
}

func (w *writer) run(b *testing.B, s *models.Store, id int64) {
	defer close(w.ended)
	for at := int64(1); ; at += 50 {
		select {
		case <-w.done:
			return
		case <-time.After(20 * time.Millisecond):
		}
		ids, outcomes := make([]int64, 50), make([]models.Outcome, 50)
		for i := range ids {
			ids[i] = at + int64(i)
			outcomes[i] = models.Outcome{BroadcastID: id, RecipientID: ids[i], State: models.Accepted, MsgID: 1<<50 + ids[i], SentAt: ended}
		}
		began := time.Now()
		if err := errors.Join(modelstest.Claim(b.Context(), s, id, ids, ended), s.RecordOutcomes(b.Context(), outcomes, ended)); err != nil {
			b.Error(err)
		}
		if w.writes = append(w.writes, time.Since(began)); len(w.writes) == alone {
			close(w.ready)
		}
	}
}

// report tells of the median and the longest of some times.
func report(b *testing.B, times []time.Duration, what string) {
	b.Helper()
	times = slices.Clone(times)
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "ms/median-write-"+what)
	b.ReportMetric(float64(times[len(times)-1].Microseconds())/1000, "ms/longest-write-"+what)
}
