package broadcast

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/delivery"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/worker"
)

// offeredAtMost is how many batches of a broadcast are offered to the workers at a
// time: enough for many replicas, and few enough for another broadcast to come
// between.
const offeredAtMost = 128

// run is a broadcast that this process leads: it is planned, its batches are offered
// to the workers, and when all are done it is finished.
type run struct {
	*Engine
	b      models.Broadcast
	cancel context.CancelCauseFunc
	done   chan struct{}
	// quota is what was left of the day's when a planned broadcast started; nil if that is
	// not known.
	quota atomic.Pointer[wechat.Quota]
	// pulling: the followers, or those with a tag, are being pulled, and the last pull did not fail.
	pulling atomic.Bool
}

// lead takes the broadcast to its end. It returns early when ctx ends.
func (r *run) lead(ctx context.Context) error {
	if m := delivery.Unfillable(r.b, r.log); m != nil {
		r.stopped(r.b, *m)
		return worker.ErrNotRunning
	}
	if m := r.checkPlanned(ctx); m != nil {
		r.stopped(r.b, *m)
		return worker.ErrNotRunning
	}
	if err := r.pullFirst(ctx); err != nil {
		return err
	}
	if err := r.gather(ctx); err != nil {
		return err
	}
	planCtx, stopPlanning := context.WithCancel(ctx)
	defer stopPlanning()
	p := r.startPlanning(planCtx)
	if err := r.offer(ctx, p); err != nil {
		return err
	}
	if p.canary {
		return r.afterCanary(ctx)
	}
	return r.finish(ctx)
}

// offer offers the batches that nobody works on, again and again, until all are done
// and none is added any more. Of a canary those may be left who were put off.
func (r *run) offer(ctx context.Context, p *cutting) error {
	offer := r.queue.Offers(r.b)
	for began := time.Now(); ; {
		planned, err := p.over()
		if err != nil {
			return err
		}
		idle, left, err := r.store.IdleBatches(ctx, r.b.ID, offeredAtMost)
		switch {
		case err != nil:
			return err
		case planned && left == 0:
			return nil
		case planned && p.canary && len(idle) == 0:
			if tried, err := r.trial.AllTried(ctx, r.b.ID); tried || err != nil {
				return err
			}
		}
		more, err := offer(ctx, idle)
		if err != nil {
			return err
		}
		if more {
			continue
		}
		// The end of a small broadcast is seen soon, that of a long one soon enough.
		if loop.Sleep(ctx, min(max(time.Since(began)/10, 20*time.Millisecond), worker.LookEvery)) != nil {
			return context.Cause(ctx)
		}
	}
}

// afterCanary pauses a broadcast whose canary was tried until an admin resumes it.
func (r *run) afterCanary(ctx context.Context) error {
	if err := r.trial.Await(ctx, &r.b); err != nil {
		return err
	}
	moved, err := r.store.MoveBroadcast(ctx, r.b.ID, models.Move{Event: models.EventStop, Reason: models.ReasonCanary}, r.now())
	if err == nil && moved {
		r.log.InfoContext(ctx, "the canary was tried, so an admin must say whether the broadcast goes on", "broadcast", r.b.ID)
		r.worker.End(r.b.ID)
		r.wake()
	}
	return err
}

// finish ends a broadcast whose recipients all have an outcome.
func (r *run) finish(ctx context.Context) error {
	if err := r.sender.Receipts.Join(ctx); err != nil {
		return err
	}
	counts, err := r.store.CountDeliveries(ctx, r.b.ID)
	if err != nil {
		return err
	}
	if err := r.store.CloseAudience(ctx, r.b.ID, counts.Known()); err != nil {
		return err
	}
	if err := r.worker.Finishing(ctx, r.b.ID); err != nil {
		return err
	}
	m, err := r.outcome(ctx, counts)
	if err != nil {
		return err
	}
	moved, err := r.store.MoveBroadcast(ctx, r.b.ID, m, r.now())
	if err == nil && moved {
		level := slog.LevelInfo
		if m.Event == models.EventFail {
			level = slog.LevelWarn
		}
		r.log.Log(ctx, level, "broadcast ended", "broadcast", r.b.ID, "state", m.To(), "reason", m.Reason, "detail", m.Detail,
			"accepted", counts.Taken(), "failed", counts.Failed, "uncertain", counts.Uncertain)
		r.wake()
	}
	return err
}

// outcome is how a broadcast ends whose recipients came to these counts.
func (r *run) outcome(ctx context.Context, counts models.Counts) (models.Move, error) {
	switch {
	case counts.Known() == 0:
		return models.Move{Event: models.EventFail, Reason: models.ReasonNobody}, nil
	case counts.Failed == counts.Tried() && counts.Failed > 0:
		said, err := r.contentRefused(ctx)
		if err != nil || said != "" {
			return models.Move{Event: models.EventFail, Reason: models.ReasonContent, Detail: said}, err
		}
	}
	return models.Move{Event: models.EventFinish}, nil
}

// contentRefused returns how the platform refused what a broadcast sent, empty
// if it did not. Too few may have been tried for a streak.
func (r *run) contentRefused(ctx context.Context) (said string, err error) {
	failures, err := r.store.CountFailures(ctx, r.b.ID)
	if err != nil {
		return "", err
	}
	for _, f := range failures {
		if !wechat.RefusesContent(f.ErrCode) {
			continue
		}
		// Only its words name the field that is wrong.
		words, err := r.store.FailureWords(ctx, r.b.ID, f.ErrCode)
		return wechat.Result{Code: f.ErrCode, Detail: words}.Words(), err
	}
	return "", nil
}

// stopped stores the move of a broadcast that stopped itself, and stops all others
// when the account is at stake.
func (e *Engine) stopped(b models.Broadcast, m models.Move) {
	e.log.Warn("broadcast stops itself", "broadcast", b.ID, "state", m.To(), "reason", m.Reason, "detail", m.Detail)
	if m.Event != models.EventQuiet {
		m.ResumeAt = e.resumeAt(m.Reason)
	}
	if m.Event == models.EventStop && m.Reason == models.ReasonAccount {
		e.haltOthers(b.ID, m)
	}
	_ = loop.Persist(e.storing, e.log, "move broadcast", func(ctx context.Context) error {
		_, err := e.store.MoveBroadcast(ctx, b.ID, m, e.now())
		return err
	})
	e.wake()
}

// resumeAt is when a pause for a reason ends by itself, zero for never.
func (e *Engine) resumeAt(reason string) time.Time {
	switch reason {
	case models.ReasonQuota, models.ReasonInfoQuota, models.ReasonSyncQuota, models.ReasonTagsQuota:
		return throttle.QuotaReset(e.now(), e.resetAt)
	}
	return time.Time{}
}

// haltOthers stops every other broadcast, those too that wait for their time or
// for the quota: the account itself is at stake.
func (e *Engine) haltOthers(id int64, m models.Move) {
	for _, a := range e.worker.All() {
		if a.Broadcast.ID != id {
			a.Stop(models.Move{Event: models.EventHalt, Reason: m.Reason, Detail: m.Detail})
		}
	}
	e.background.Go(func() {
		_ = loop.Persist(e.inBackground, e.log, "halt what waits", func(ctx context.Context) error {
			return e.store.HaltOthers(ctx, id, m.Detail, e.now())
		})
	})
}
