package broadcast_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// errorCode returns the code of an error that people read.
func errorCode(err error) string {
	var e *models.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestAPauseTakesHoldAndLeavesNothingClaimed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{
			Options: simulator.Options{Followers: 300, Faults: simulator.Faults{Latency: 100 * time.Millisecond, BadGateway: .05}},
			rate:    100,
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(100)
		a.pause(0)
		_ = loop.Sleep(t.Context(), 2*time.Second)
		calls := a.calls()
		_ = loop.Sleep(t.Context(), 15*time.Second)
		if more := a.calls() - calls; more > 0 {
			t.Errorf("%d calls later than 2 s after the pause", more)
		}
		if b := a.broadcast(id); b.State != models.Paused || b.Reason != models.ReasonAdmin {
			t.Errorf("%s %s", b.State, b.Reason)
		}
		// Only those of whom nobody knows whether they were sent may keep a row.
		for openID, d := range a.deliveries(id) {
			if got, tries := a.sim.Ledger(openID); d.State == models.Sending && (tries == 0 || len(got) > 0) {
				t.Errorf("%s is claimed after %d tries", openID, tries)
			}
		}
		a.resume(0)
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
	})
}

func TestAPauseAndAResumeAtTheSameMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 300, Faults: simulator.Faults{Latency: 50 * time.Millisecond}}})
		a.start()
		id := a.ask("", models.AudienceAll)
		for n := range 5 {
			a.received(int64(40 * (n + 1)))
			a.pause(id)
			a.resume(id)
		}
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
	})
}

func TestACancelKeepsWhatWasSentAndSendsNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{
			Options: simulator.Options{
				Followers: 300, Faults: simulator.Faults{Latency: 100 * time.Millisecond, CutAccepted: .05},
			},
			rate: 100,
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(100)
		a.cancel(0)
		_ = loop.Sleep(t.Context(), 2*time.Second)
		calls := a.calls()
		_ = loop.Sleep(t.Context(), 15*time.Second)
		if more := a.calls() - calls; more > 0 {
			t.Errorf("%d calls later than 2 s after the cancel", more)
		}
		b := a.broadcast(id)
		if b.State != models.Cancelled || b.Reason != models.ReasonAdmin || b.FinishedAt.IsZero() {
			t.Errorf("%s %s at %s", b.State, b.Reason, b.FinishedAt)
		}
		a.audit(id)
		for _, action := range []func() error{
			func() error { _, err := a.engine.Resume(t.Context(), id, admin); return err },
			func() error { _, err := a.engine.Pause(t.Context(), id, admin); return err },
			func() error { _, err := a.engine.Cancel(t.Context(), id, admin); return err },
		} {
			if code := errorCode(action()); code != models.ErrWrongState {
				t.Errorf("a cancelled broadcast was moved: %q", code)
			}
		}
	})
}

// One that is paused has nobody at work who could settle what is in doubt.
func TestACancelOfAPausedBroadcastSettlesWhatIsInDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 100, Faults: simulator.Faults{CutAccepted: .2, Codes: map[int]float64{43117: .1}}}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.until("all being tried", func() bool { return a.counts(id).Tried() == 101 })
		a.pause(id)
		_ = loop.Sleep(t.Context(), 10*time.Second)
		if a.counts(id).Sending == 0 {
			t.Fatal("nobody is in doubt, so this shows nothing")
		}
		a.cancel(id)
		_ = loop.Sleep(t.Context(), 10*time.Second)
		a.audit(id)
		if c := a.counts(id); c.Uncertain == 0 || c.Failed == 0 {
			t.Errorf("%+v: want those in doubt uncertain, those put off failed", c)
		}
	})
}

func TestTheUndoWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}, undo: 10 * time.Second})
		a.start()
		first := a.ask("", models.AudienceAll)
		_ = loop.Sleep(t.Context(), 9*time.Second)
		if b := a.broadcast(first); b.State != models.Scheduled || a.calls() > 0 {
			t.Errorf("%s, %d calls within the undo window", b.State, a.calls())
		}
		a.cancel(0)
		_ = loop.Sleep(t.Context(), 15*time.Second)
		if a.calls() > 0 {
			t.Errorf("%d calls after it was undone", a.calls())
		}
		if len(a.worded()) > 0 {
			t.Errorf("the admin who cancelled it was told: %q", a.worded())
		}

		// What was undone before anyone got it may be asked for again at once.
		second := a.ask("", models.AudienceAll)
		a.pause(second)
		a.resume(second)
		_ = loop.Sleep(t.Context(), 8*time.Second)
		if a.calls() > 0 {
			t.Errorf("%d calls: a pause and a resume must not cut the undo window short", a.calls())
		}
		a.reaches(second, models.Finished)
		a.audit(second)
		a.everyoneOnce()

		// To testers and to oneself there is nothing to undo.
		me := a.ask("", models.AudienceMe)
		_ = loop.Sleep(t.Context(), 2*time.Second)
		if b := a.broadcast(me); b.State != models.Finished {
			t.Errorf("to oneself: %s", b.State)
		}
	})
}

func TestMovesWithNothingToMove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 1}})
		ctx := t.Context()
		if _, err := a.engine.Pause(ctx, 0, admin); errorCode(err) != models.ErrNothingTo {
			t.Errorf("pause: %v", err)
		}
		if _, err := a.engine.Resume(ctx, 0, admin); errorCode(err) != models.ErrNothingTo {
			t.Errorf("resume: %v", err)
		}
		if _, err := a.engine.Cancel(ctx, 7, admin); errorCode(err) != models.ErrBroadcastUnknown {
			t.Errorf("cancel #7: %v", err)
		}
		if _, err := a.engine.Status(ctx, 0); errorCode(err) != models.ErrNoBroadcast {
			t.Errorf("status: %v", err)
		}
	})
}

func TestStatusOfARunningBroadcast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 499}, rate: 50})
		a.start()
		id := a.ask("", models.AudienceAll)
		_ = loop.Sleep(t.Context(), 5*time.Second)
		st, err := a.engine.Status(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if st.Broadcast.ID != id || st.Rate < 45 || st.Rate > 56 {
			t.Errorf("#%d at %.1f a second, want #%d at 50", st.Broadcast.ID, st.Rate, id)
		}
		if left := st.Left.Seconds(); left < 4 || left > 6 {
			t.Errorf("%.1f s left, want about 5", left)
		}
		if r := st.Remaining(); r < 220 || r > 260 {
			t.Errorf("%d remaining", r)
		}
		a.reaches(id, models.Finished)
		list, err := a.engine.List(t.Context(), 10)
		if err != nil || len(list) != 1 || list[0].Remaining() != 0 || list[0].Rate != 0 {
			t.Errorf("list: %+v, %v", list, err)
		}
		if n, err := a.engine.SentToday(t.Context()); err != nil || n != 500 {
			t.Errorf("sent today: %d, %v", n, err)
		}
	})
}
