package broadcast_test

import (
	"context"
	"fmt"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
)

func (a *account) broadcast(id int64) models.Broadcast {
	a.t.Helper()
	b, err := a.store.FindBroadcast(context.Background(), id)
	if err != nil {
		a.t.Fatal(err)
	}
	return *b
}

func (a *account) counts(id int64) models.Counts {
	a.t.Helper()
	c, err := a.store.CountDeliveries(context.Background(), id)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// until waits for something, for an hour at most (five minutes if the clock is
// real), in steps of a fiftieth of the time that it took so far.
func (a *account) until(what string, happened func() bool) {
	a.t.Helper()
	for begun := time.Now(); !happened(); {
		waited := time.Since(begun)
		if waited > time.Hour || a.set.overHTTP && waited > 5*time.Minute {
			a.t.Fatalf("%s did not happen within %s", what, waited)
		}
		_ = loop.Sleep(context.Background(), max(waited/50, 20*time.Millisecond))
	}
}

// reaches waits until a broadcast is in a state and returns it.
func (a *account) reaches(id int64, state models.BroadcastState) models.Broadcast {
	a.t.Helper()
	var b models.Broadcast
	a.until(fmt.Sprintf("broadcast %d being %s", id, state), func() bool {
		b = a.broadcast(id)
		if b.State != state && b.State.Final() {
			a.t.Fatalf("broadcast %d is %s (%s %s), want %s", id, b.State, b.Reason, b.Detail, state)
		}
		return b.State == state
	})
	return b
}

// finishes waits until a broadcast is finished and fails unless each of so many
// people received it exactly once.
func (a *account) finishes(id, people int64) {
	a.t.Helper()
	a.reaches(id, models.Finished)
	a.audit(id)
	a.everyoneOnce()
	if c := a.counts(id); c.Accepted != people {
		a.t.Errorf("%+v", c)
	}
}

func (a *account) pause(id int64) { a.t.Helper(); a.mayMove(a.engine.Pause(a.t.Context(), id, admin)) }

func (a *account) resume(id int64) {
	a.t.Helper()
	a.mayMove(a.engine.Resume(a.t.Context(), id, admin))
}

func (a *account) cancel(id int64) {
	a.t.Helper()
	if _, err := a.engine.Cancel(a.t.Context(), id, admin); err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) mayMove(_ *models.Broadcast, err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// received waits until so many followers received something.
func (a *account) received(n int64) {
	a.t.Helper()
	a.until(fmt.Sprintf("%d messages arriving", n), func() bool { return a.sim.Stats().Accepted >= n })
}

// delivery is a row of the table, with the person's OpenID.
type delivery struct {
	OpenID   string
	State    models.DeliveryState
	MsgID    int64
	Code     int
	Detail   string
	Attempts int
	SentAt   int64
}

func (a *account) deliveries(id int64) map[string]delivery {
	a.t.Helper()
	rows, err := a.db.QueryContext(context.Background(), `SELECT r.openid, d.state, d.msgid, d.errcode, d.detail, d.attempts, d.sent_at
		FROM deliveries d JOIN recipients r ON r.id = d.recipient_id WHERE d.broadcast_id = ?`, id)
	if err != nil {
		a.t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]delivery{}
	for rows.Next() {
		var d delivery
		if err := rows.Scan(&d.OpenID, &d.State, &d.MsgID, &d.Code, &d.Detail, &d.Attempts, &d.SentAt); err != nil {
			a.t.Fatal(err)
		}
		all[d.OpenID] = d
	}
	if err := rows.Err(); err != nil {
		a.t.Fatal(err)
	}
	return all
}

// counted fails unless the counts of a broadcast become what its deliveries come to: a receipt
// may come between the two.
func (a *account) counted(id int64) {
	a.t.Helper()
	a.until("the counts being those of the deliveries", func() bool {
		got := a.counts(id)
		got.DeferredSince = models.Time{}
		var want models.Counts
		for _, d := range a.deliveries(id) {
			switch d.State {
			case models.Sending:
				want.Sending++
			case models.Deferred:
				want.Sending++
				want.Deferred++
			case models.Accepted:
				want.Accepted++
			case models.Delivered:
				want.Delivered++
			case models.Blocked:
				want.Blocked++
			case models.FailedFor:
				want.Failed++
			case models.Uncertain:
				want.Uncertain++
			case models.Skipped:
				want.Skipped++
			}
		}
		return got == want
	})
}

// audit holds what the database says of a broadcast, the only one, against what
// the followers received: each at most once, and nobody counted falsely.
func (a *account) audit(id int64) {
	a.t.Helper()
	if a.broadcast(id).State.Final() {
		a.counted(id)
	}
	rows, faults := a.deliveries(id), 0
	fault := func(format string, args ...any) {
		a.t.Helper()
		if faults++; faults <= 5 {
			a.t.Errorf(format, args...)
		}
	}
	defer func() {
		if faults > 5 {
			a.t.Errorf("… and %d more", faults-5)
		}
	}()
	for _, openID := range a.people() {
		got, _ := a.sim.Ledger(openID)
		row, tried := rows[openID]
		switch {
		case len(got) > 1:
			fault("%s received it %d times (%s)", openID, len(got), row.State)
		case !tried && len(got) > 0:
			fault("%s received it and has no delivery", openID)
		}
		if !tried {
			continue
		}
		switch row.State {
		case models.Accepted, models.Delivered, models.Blocked:
			if len(got) != 1 || got[0].MsgID != row.MsgID {
				fault("%s is %s with msgid %d and received %d, not that one once", openID, row.State, row.MsgID, len(got))
			}
		case models.FailedFor, models.Skipped:
			if len(got) != 0 {
				fault("%s is %s (%d %s) and received it", openID, row.State, row.Code, row.Detail)
			}
		case models.Uncertain:
		case models.Sending, models.Deferred:
			if a.broadcast(id).State.Final() {
				fault("%s is still %s after the end", openID, row.State)
			}
		}
	}
}

// everyoneOnce fails unless each follower received exactly one message.
func (a *account) everyoneOnce() {
	a.t.Helper()
	if twice := a.sim.Received(2, -1, 5); len(twice) > 0 {
		a.t.Errorf("received more than once: %v", twice)
	}
	if missing := a.sim.Missing(5); len(missing) > 0 {
		a.t.Errorf("received nothing: %v", missing)
	}
}

// recipient returns a person's row number.
func (a *account) recipient(openID string) int64 {
	a.t.Helper()
	var id int64
	if err := a.db.QueryRowContext(context.Background(), "SELECT id FROM recipients WHERE openid = ?", openID).Scan(&id); err != nil {
		a.t.Fatalf("find %s: %v", openID, err)
	}
	return id
}

// calls counts the sends that the platform got.
func (a *account) calls() int64 { return a.sim.Stats().Calls }

// sent counts the outcomes that came of an engine's sends.
func (a *account) sent(e *broadcast.Engine) (n float64) {
	a.t.Helper()
	families, err := a.figures[e].Gather()
	if err != nil {
		a.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "broadcast_sends_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			n += m.GetCounter().GetValue()
		}
	}
	return n
}

// busy tells whether a broadcast is still being sent.
func (a *account) busy(id int64) bool {
	a.t.Helper()
	busy, err := a.engine.Busy(context.Background(), id)
	if err != nil {
		a.t.Fatal(err)
	}
	return busy
}
