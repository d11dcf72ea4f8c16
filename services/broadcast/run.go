package broadcast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

const (
	// batchesAtOnce is how many batches of a broadcast are under way: while some
	// wait for their last retries, the others keep the workers busy.
	batchesAtOnce = 8

	contentStreak = 10 // refusals of the content in a row that stop a broadcast …
	contentFor    = 2 * time.Second
	codeStreak    = 20 // … and of any one code
	// narrowEvery is how often one call is made while it is undecided whether a
	// streak stops the broadcast. 40037 comes in bursts for templates that are there
	// (forum oCJUsw8UM-wAaWS_UpUzTwZE2sM8), so it takes contentFor to tell.
	narrowEvery = 500 * time.Millisecond
	busyStreak  = 5 // answers of "system busy" in a row that slow the account down
	codeBusy    = -1
)

// The causes for which a run ends before its broadcast does.
var (
	errStopped  = errors.New("the broadcast is no longer running")
	errStopping = errors.New("the program is stopping")
	errSelf     = errors.New("the broadcast stopped itself")
)

// run is a broadcast being sent by this process.
type run struct {
	e       *Engine
	b       models.Broadcast
	content *message.Content
	meter   *meter
	cancel  context.CancelCauseFunc
	done    chan struct{}
	// calls counts those that wait for their answer.
	calls atomic.Int64
	gone  departures
	// looked is closed once it was looked whether the platform answers; looking says
	// that somebody does.
	looked  chan struct{}
	looking atomic.Bool
	// narrow lets one call at a time through while a streak of refusals is undecided.
	narrow *Gate
	// pulling: the followers are being pulled, and the last pull did not fail.
	pulling atomic.Bool

	mu      sync.Mutex
	taken   bool // something was accepted
	code    int  // the code of the streak
	count   int
	busy    int // answers of "system busy" in a row
	since   time.Time
	stopped bool
	failed  int           // the code that failed the broadcast
	moved   chan struct{} // closed once the state of a run that stopped itself is stored
}

// newRun returns a run whose first call goes alone.
func newRun(e *Engine, b models.Broadcast) *run {
	r := &run{
		e: e, b: b, meter: &meter{}, done: make(chan struct{}), moved: make(chan struct{}),
		narrow: NewGate(narrowEvery, narrowEvery), looked: make(chan struct{}),
	}
	r.narrow.Probe()
	return r
}

// send plans the broadcast, sends its batches and finishes it. It returns early
// when ctx ends.
func (r *run) send(ctx context.Context) error {
	var err error
	if r.content, err = message.NewContent(r.b); err != nil {
		r.unfillable(err)
		return context.Cause(ctx)
	}
	if err := r.pullFirst(ctx); err != nil {
		return err
	}
	planCtx, stopPlanning := context.WithCancel(ctx)
	defer stopPlanning()
	if err := r.e.queue.work(ctx, r, r.startPlanning(planCtx)); err != nil {
		return err
	}
	return r.finish(ctx)
}

// finish ends a broadcast whose recipients all have an outcome.
func (r *run) finish(ctx context.Context) error {
	if err := r.e.receipts.join(ctx); err != nil {
		return err
	}
	counts, err := r.e.store.CountDeliveries(ctx, r.b.ID)
	if err != nil {
		return err
	}
	if err := r.e.store.CloseAudience(ctx, r.b.ID, counts.Tried()); err != nil {
		return err
	}
	if err := r.markRest(ctx); err != nil {
		return err
	}
	change := models.Change{FinishedAt: r.e.now()}
	state := models.Finished
	switch {
	case counts.Tried() == 0:
		state, change.Reason = models.Failed, models.ReasonNobody
	case counts.Failed == counts.Tried():
		said, err := r.contentRefused(ctx)
		if err != nil {
			return err
		}
		if said != "" {
			state, change.Reason, change.Detail = models.Failed, models.ReasonContent, said
		}
	}
	moved, err := r.e.store.MoveBroadcast(ctx, r.b.ID, []models.BroadcastState{models.Running}, state, change)
	if err == nil && moved {
		level := slog.LevelInfo
		if state == models.Failed {
			level = slog.LevelWarn
		}
		r.e.log.Log(ctx, level, "broadcast ended", "broadcast", r.b.ID, "state", state, "reason", change.Reason, "detail", change.Detail,
			"accepted", counts.Taken(), "failed", counts.Failed, "uncertain", counts.Uncertain)
		r.e.wake()
	}
	return err
}

// contentRefused returns how the platform refused what a broadcast sent, empty
// if it did not. Too few may have been tried for a streak.
func (r *run) contentRefused(ctx context.Context) (said string, err error) {
	failures, err := r.e.store.CountFailures(ctx, r.b.ID)
	if err != nil {
		return "", err
	}
	for _, f := range failures {
		if !wechat.RefusesContent(f.ErrCode) {
			continue
		}
		// Only its words name the field that is wrong.
		words, err := r.e.store.FailureWords(ctx, r.b.ID, f.ErrCode)
		return describe(wechat.Result{Code: f.ErrCode, Detail: words}), err
	}
	return "", nil
}

// accepted ends a streak of refusals.
func (r *run) accepted() {
	r.mu.Lock()
	r.count, r.busy, r.taken = 0, 0, true
	r.mu.Unlock()
}

// undecided tells whether calls are refused in a row, and it is not clear yet
// whether that stops the broadcast: from the first call on for a content that was
// never accepted, else once as many were refused as stop one.
func (r *run) undecided() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count >= contentStreak || r.count > 0 && !r.taken && wechat.RefusesContent(r.code)
}

// refused counts a refusal and stops the broadcast when they do not end.
func (r *run) refused(res wechat.Result) {
	switch {
	case res.Code == 0, res.Gone:
		// See left; it does not say that another streak is over.
		return
	case res.Code == codeBusy:
		r.mu.Lock()
		r.busy++
		busy := r.busy
		r.mu.Unlock()
		if busy >= busyStreak {
			r.e.pacer.Slow()
		}
		return
	}
	now := r.e.now()
	r.mu.Lock()
	r.busy = 0
	if r.count == 0 || r.code != res.Code {
		r.code, r.count, r.since = res.Code, 0, now
	}
	r.count++
	count, lasted := r.count, now.Sub(r.since)
	r.mu.Unlock()
	switch {
	case res.Group == wechat.HaltContent && count >= contentStreak && lasted >= contentFor:
		r.fail(res)
	case res.Group == wechat.HaltAccount && count >= contentStreak:
		r.halt(res)
	case res.Group == "" && count >= codeStreak && lasted >= contentFor:
		r.stop(models.Paused, models.Change{Reason: models.ReasonStreak, Detail: describe(res)})
	}
}

// haltOthers stops every other broadcast, those too that wait for their time or
// for the quota: the account itself is at stake.
func (e *Engine) haltOthers(r *run, res wechat.Result) {
	why := models.Change{Reason: models.ReasonAccount, Detail: describe(res)}
	for _, other := range e.allRuns() {
		if other.b.ID != r.b.ID {
			other.stop(models.Paused, why)
		}
	}
	e.asides.Go(func() {
		_ = persist(e.soft, e.log, "halt what waits", func(ctx context.Context) error {
			list, err := e.store.Broadcasts(ctx, 1000, models.Scheduled, models.Paused, models.Running)
			for _, b := range list {
				if b.ID == r.b.ID || b.State == models.Paused && b.ResumeAt.IsZero() {
					continue
				}
				_, moveErr := e.store.MoveBroadcast(ctx, b.ID, []models.BroadcastState{b.State}, models.Paused, why)
				err = errors.Join(err, moveErr)
			}
			return err
		})
	})
}

// allRuns returns every run that this process leads or has a part in.
func (e *Engine) allRuns() []*run {
	all := e.ledRuns()
	if e.crew != nil {
		for _, s := range e.crew.list() {
			all = append(all, s.run)
		}
	}
	return all
}

// ledRuns returns every run that this process leads.
func (e *Engine) ledRuns() []*run {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Values(e.runs))
}

// runOf returns the run of a broadcast that this process leads, or nil.
func (e *Engine) runOf(id int64) *run {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runs[id]
}

// hold pauses the broadcast until the platform's daily quota is reset.
func (r *run) hold(res wechat.Result) {
	until := r.e.quotaReset()
	r.stop(models.Paused, models.Change{Reason: models.ReasonQuota, Detail: describe(res), ResumeAt: until})
}

// halt stops what cannot work, or must not go on.
func (r *run) halt(res wechat.Result) {
	switch res.Group {
	case wechat.HaltContent:
		r.fail(res)
	case wechat.HaltAccount:
		r.stop(models.Paused, models.Change{Reason: models.ReasonAccount, Detail: describe(res)})
		r.e.haltOthers(r, res)
	default:
		r.stop(models.Paused, models.Change{Reason: models.ReasonCredentials, Detail: describe(res)})
	}
}

// unfillable stops a broadcast whose message can no longer be made: the program,
// and with it what it allows, is another than when it was asked for.
func (r *run) unfillable(err error) {
	r.e.log.Warn("the message can't be filled in", "broadcast", r.b.ID, "message", r.b.Name, "err", err)
	change := models.Change{Reason: models.ReasonMessage, FinishedAt: r.e.now()}
	var (
		problems message.Problems
		unfilled *message.RenderError
		misfit   *wechat.FieldError
	)
	switch {
	case errors.As(err, &problems) && len(problems) > 0:
		change.Detail = problems[0].Path
	case errors.As(err, &unfilled):
		change.Detail = unfilled.Field
	case errors.As(err, &misfit):
		change.Detail = misfit.Key
	}
	r.stop(models.Failed, change)
}

func (r *run) fail(res wechat.Result) {
	r.mu.Lock()
	r.failed = res.Code
	r.mu.Unlock()
	r.stop(models.Failed, models.Change{Reason: models.ReasonContent, Detail: describe(res), FinishedAt: r.e.now()})
}

// failedBy tells whether this code is what failed the broadcast.
func (r *run) failedBy(code int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed != 0 && r.failed == code
}

// stop ends the run at once and stores why; the first reason counts.
func (r *run) stop(state models.BroadcastState, c models.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	r.stopped = true
	r.cancel(errSelf)
	r.e.log.Warn("broadcast stops itself", "broadcast", r.b.ID, "state", state, "reason", c.Reason, "detail", c.Detail)
	go func() {
		defer close(r.moved)
		_ = persist(r.e.last, r.e.log, "move broadcast", func(ctx context.Context) error {
			_, err := r.e.store.MoveBroadcast(ctx, r.b.ID, []models.BroadcastState{models.Running}, state, c)
			return err
		})
		r.e.wake()
	}()
}

// stored tells whether the state of a run that stopped itself is stored; true
// of one that did not.
func (r *run) stored() bool {
	r.mu.Lock()
	stopped := r.stopped
	r.mu.Unlock()
	if !stopped {
		return true
	}
	select {
	case <-r.moved:
		return true
	default:
		return false
	}
}

// wait blocks until the state of a run that stopped itself is stored.
func (r *run) wait() {
	r.mu.Lock()
	stopped := r.stopped
	r.mu.Unlock()
	if stopped {
		<-r.moved
	}
}

func describe(res wechat.Result) string {
	if res.Code == 0 {
		return res.Detail
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", res.Code, res.Detail))
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
