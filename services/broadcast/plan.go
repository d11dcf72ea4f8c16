package broadcast

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/worker"
)

const pullAgain = 15 * time.Second // after a pull of the followers that failed

// pullFirst pulls the followers before the first broadcast to all of them.
func (r *run) pullFirst(ctx context.Context) error {
	if !audience.Of(&r.b).NeedsSync || r.b.ThroughID != 0 {
		return nil
	}
	pulled, err := r.everPulled(ctx)
	if err != nil || pulled {
		return err
	}
	r.pulling.Store(!r.pullFailed.Load())
	err = r.pull(ctx)
	r.pulling.Store(false)
	r.pullFailed.Store(err != nil)
	var told *models.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !errors.As(err, &told):
		// The platform or the database is away: the run is tried again, but not so
		// often that it uses up the day's calls.
		r.throttle.Hear(wechat.Result{Verdict: wechat.Away, Detail: "pull the followers"})
		_ = loop.Sleep(ctx, pullAgain)
		return err
	}
	r.log.WarnContext(ctx, "the followers could not be pulled", "broadcast", r.b.ID, "err", err)
	r.stopped(r.b, unpulled(told))
	return worker.ErrNotRunning
}

// unpulled says why a broadcast waits for its followers.
func unpulled(err *models.Error) models.Move {
	m := models.Move{Event: models.EventStop, Reason: models.ReasonSync}
	switch code, _ := err.Args["Code"].(int); {
	case err.Code == models.ErrSyncQuota:
		m.Reason = models.ReasonSyncQuota
	case err.Code == models.ErrSyncShort:
		m.Reason = models.ReasonSyncShort
	case code != 0:
		m.Detail = fmt.Sprintf("%d %v", code, err.Args["Reason"])
	}
	return m
}

// cutting is the cutting of a broadcast into batches, which goes on beside
// their being sent.
type cutting struct {
	done chan struct{}
	// canary says that the canary alone was planned. It and err are set once done is closed.
	canary bool
	err    error
}

// startPlanning plans until it is done or ctx ends.
func (r *run) startPlanning(ctx context.Context) *cutting {
	p := &cutting{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.canary, p.err = r.planner.Plan(ctx, r.b)
	}()
	return p
}

// over tells whether no batch is added any more, with the error if that is why.
func (p *cutting) over() (bool, error) {
	select {
	case <-p.done:
		return true, p.err
	default:
		return false, nil
	}
}
