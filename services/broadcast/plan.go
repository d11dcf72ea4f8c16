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

const pullAgain = 15 * time.Second // after a pull that failed

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
	return r.afterPull(ctx, err, "the followers", unpulled)
}

// afterPull returns what a pull that ended with err means for the run: nil if it can go on.
// A refusal stops the broadcast with the move that why makes of it.
func (r *run) afterPull(ctx context.Context, err error, what string, why func(*models.Error) models.Move) error {
	var told *models.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !errors.As(err, &told):
		// The platform or the database is away: the run is tried again, but not so
		// often that it uses up the day's calls.
		r.throttle.Hear(wechat.Result{Verdict: wechat.Away, Detail: "pull " + what})
		_ = loop.Sleep(ctx, pullAgain)
		return err
	}
	r.log.WarnContext(ctx, "what a broadcast needs could not be pulled", "broadcast", r.b.ID, "what", what, "err", err)
	r.stopped(r.b, why(told))
	return worker.ErrNotRunning
}

// refusal returns the platform's code and words of an error, empty if it has none.
func refusal(err *models.Error) string {
	code, _ := err.Args["Code"].(int)
	if code == 0 {
		return ""
	}
	return fmt.Sprintf("%d %v", code, err.Args["Reason"])
}

// unpulled says why a broadcast waits for its followers.
func unpulled(err *models.Error) models.Move {
	m := models.Move{Event: models.EventStop, Reason: models.ReasonSync, Detail: refusal(err)}
	switch err.Code {
	case models.ErrSyncQuota:
		m.Reason, m.Detail = models.ReasonSyncQuota, ""
	case models.ErrSyncShort:
		m.Reason, m.Detail = models.ReasonSyncShort, ""
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
