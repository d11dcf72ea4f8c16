package broadcast

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

const (
	pollEvery  = 500 * time.Millisecond // how soon a change made by another process is seen
	tidyEvery  = 2 * time.Second
	showEvery  = 5 * time.Second
	hardAfter  = 7 * time.Second // a stop cuts calls in flight after this …
	lastAfter  = 2 * time.Second // … and gives up storing what came of them after this
	retakeLock = 2 * time.Second

	// keepReplies is how long the reply to a chat message is kept for its
	// redelivery, which comes within seconds.
	keepReplies = 24 * time.Hour

	resetWithin = 2 * time.Hour    // how late the platform may reset a quota …
	resetRetry  = 10 * time.Minute // … and how often it is tried meanwhile
)

// Config is what an Engine needs.
type Config struct {
	Store    *models.Store
	Platform *wechat.Client
	Messages *message.Source
	// EverPulled tells whether the follower list was ever complete, and Pull
	// completes it.
	EverPulled func(ctx context.Context) (bool, error)
	Pull       func(ctx context.Context) error
	// Notice words what the asking admin is told of a broadcast.
	Notice func(kind string, st Status) string
	// LateReply words what became of a request whose asker could not be answered in
	// time: asked, or err if it came to nothing.
	LateReply func(asked *Asked, err error) string
	// Concurrency is how many sends are in flight at most, Rate how many are
	// made a second, 0 for no ceiling.
	Concurrency, Rate int
	// UndoWindow is how long a broadcast to all can still be cancelled before
	// its first send.
	UndoWindow time.Duration
	// QuotaReset is when, after midnight in Beijing, the platform's daily quota
	// starts anew.
	QuotaReset time.Duration
	// Cluster shares the work with other replicas; nil to do it alone.
	Cluster *Cluster
	Metrics *Metrics
	Now     func() time.Time
	Log     *slog.Logger
}

// Engine runs broadcasts.
type Engine struct {
	store      *models.Store
	platform   *wechat.Client
	messages   *message.Source
	everPulled func(ctx context.Context) (bool, error)
	pull       func(ctx context.Context) error
	notice     func(kind string, st Status) string
	lateReply  func(asked *Asked, err error) string
	undoWindow time.Duration
	resetAt    time.Duration
	now        func() time.Time
	log        *slog.Logger
	metrics    *Metrics

	pacer     *Pacer
	gate      *Gate
	recorder  *recorder
	receipts  *receipts
	sender    *Sender
	queue     queue
	crew      *crew // nil when the work is not shared
	templates templateCache
	glances   glances
	stalls    stalls
	// pullFailed: the last pull of the followers for a broadcast did.
	pullFailed atomic.Bool
	reading    health      // of the database, when it is looked for broadcasts
	leads      atomic.Bool // this process runs the broadcasts, or coordinates those who do

	// hard ends what may outlast a stop for a while, soft what may not, and last
	// the storing of what is known.
	hard, soft, last          context.Context
	hardEnd, softEnd, lastEnd context.CancelFunc
	asides                    sync.WaitGroup
	woken                     chan struct{}

	// untold are the notices that could not be handed over yet.
	untold map[noticeKey]noticeRest
	// settled are the broadcasts that ended early and left nobody without an outcome.
	settled map[int64]bool

	mu   sync.Mutex
	runs map[int64]*run
	// late are the requests whose askers do not know yet whether they were stored,
	// by asker, audience and content.
	late map[string]*creation
}

// New returns an Engine that is ready for requests and receipts; Run makes it
// send. Close must follow.
func New(c Config) *Engine {
	e := &Engine{
		store: c.Store, platform: c.Platform, messages: c.Messages, everPulled: c.EverPulled, pull: c.Pull,
		notice: c.Notice, lateReply: c.LateReply, undoWindow: c.UndoWindow, resetAt: c.QuotaReset, now: c.Now, log: c.Log, metrics: c.Metrics,
		pacer: NewPacer(c.Rate, c.Now), gate: NewGate(500*time.Millisecond, 30*time.Second),
		receipts: newReceipts(c.Store, c.Metrics, c.Now, c.Log),
		woken:    make(chan struct{}, 1), runs: map[int64]*run{}, untold: map[noticeKey]noticeRest{}, settled: map[int64]bool{},
		glances: glances{last: map[int64]*glance{}}, late: map[string]*creation{},
		stalls: stalls{list: map[int64]*watched{}},
	}
	e.hard, e.hardEnd = context.WithCancel(context.Background())
	e.soft, e.softEnd = context.WithCancel(e.hard)
	e.last, e.lastEnd = context.WithCancel(context.Background())
	e.sender = &Sender{
		store: c.Store, platform: c.Platform, pacer: e.pacer, gate: e.gate,
		metrics: c.Metrics, now: c.Now, log: c.Log, hard: e.hard, last: e.last,
	}
	e.recorder = newRecorder(e.last, c.Store, &e.sender.writing, c.Now, c.Log)
	e.sender.recorder = e.recorder
	e.sender.start(c.Concurrency)
	e.queue = localQueue{e}
	if c.Cluster != nil {
		e.crew = newCrew(e, *c.Cluster)
		e.queue = redisQueue{e.crew}
		e.pacer.shared, e.pacer.changed = newAllowance(e.crew.pulse), e.crew.pulse.soon
	}
	return e
}

// Close ends what New started. Run must have returned.
func (e *Engine) Close() {
	e.softEnd()
	e.asides.Wait()
	if e.crew != nil {
		_ = e.crew.queue.Close()
	}
	e.sender.stop()
	e.recorder.close()
	e.receipts.close()
	e.gate.Stop()
	e.hardEnd()
	e.lastEnd()
}

// Run sends broadcasts until ctx ends: as the one process of the database that
// does, or standing by until that one dies. In a cluster all send, and that one
// decides what. When ctx ends nothing new is sent, what is in flight is
// recorded, and the rest goes on at the next start.
func (e *Engine) Run(ctx context.Context) {
	// Only the end of the program is in a hurry. When the right to send is lost,
	// calls end by themselves, and what came of them waits for the database.
	defer context.AfterFunc(ctx, e.hurry)()
	// Receipts come to every process, to those that stand by too.
	var joining sync.WaitGroup
	defer joining.Wait()
	joining.Go(func() {
		every(ctx, tidyEvery, func() {
			if err := e.receipts.join(ctx); err != nil && ctx.Err() == nil {
				e.log.WarnContext(ctx, "join receipts, trying again", "err", err)
			}
		})
	})
	joining.Go(func() { e.receipts.logCounts(ctx) })
	joining.Go(func() { every(ctx, watchEvery, func() { e.watch(ctx) }) })
	if e.crew != nil {
		joining.Go(func() { e.crew.run(ctx) })
	}
	standby := false
	for ctx.Err() == nil {
		lock, err := e.store.TakeSendLock(ctx)
		switch {
		case err == nil:
			e.sayRole(ctx, true)
			standby = false
			e.metrics.leads.Set(1)
			e.leads.Store(true)
			e.lead(ctx, lock)
			e.leads.Store(false)
			e.metrics.leads.Set(0)
			if err := lock.Release(); err != nil {
				e.log.Debug("release the lock", "err", err)
			}
			continue
		case errors.Is(err, models.ErrLocked):
			if !standby {
				e.sayRole(ctx, false)
			}
			standby = true
			_ = e.reading.note(nil)
		case ctx.Err() == nil:
			_ = e.reading.note(err)
			e.log.WarnContext(ctx, "take the right to send, trying again", "err", err)
		}
		_ = sleep(ctx, retakeLock)
	}
}

// sayRole logs what this process does from now on.
func (e *Engine) sayRole(ctx context.Context, leads bool) {
	switch {
	case e.crew != nil && leads:
		e.log.InfoContext(ctx, "coordinating the replicas")
	case e.crew != nil:
		e.log.InfoContext(ctx, "working: another replica coordinates")
	case leads:
		e.log.InfoContext(ctx, "sending for this database")
	default:
		e.log.InfoContext(ctx, "standing by: another process sends for this database")
	}
}

// lead runs broadcasts for as long as the lock is held and ctx lasts.
func (e *Engine) lead(ctx context.Context, lock *models.SendLock) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var chores sync.WaitGroup
	defer chores.Wait()
	chores.Go(func() {
		every(ctx, retakeLock, func() {
			if err := lock.Check(ctx); err != nil && ctx.Err() == nil {
				e.log.WarnContext(ctx, "the right to send may be lost, stopping until it is back", "err", err)
				stop(err)
			}
		})
	})
	chores.Go(func() { every(ctx, tidyEvery, func() { e.tidy(ctx) }) })
	chores.Go(func() { every(ctx, showEvery, func() { e.show(ctx) }) })
	chores.Go(func() { every(ctx, time.Hour, func() { e.forget(ctx) }) })

	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if err := e.supervise(ctx); err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "look for broadcasts, trying again", "err", err)
		}
		select {
		case <-tick.C:
		case <-e.woken:
		case <-ctx.Done():
			e.drain()
			return
		}
	}
}

// drain ends every run and waits for what is in flight.
func (e *Engine) drain() {
	runs := e.ledRuns()
	for _, r := range runs {
		r.cancel(errStopping)
	}
	for _, r := range runs {
		<-r.done
	}
}

// hurry ends what keeps a stop waiting for too long.
func (e *Engine) hurry() {
	if sleep(e.last, hardAfter) == nil {
		e.hardEnd()
	}
	if sleep(e.last, lastAfter) == nil {
		e.lastEnd()
	}
}

// wake has the engine look at the broadcasts at once.
func (e *Engine) wake() {
	select {
	case e.woken <- struct{}{}:
	default:
	}
}

// supervise starts what is due, resumes what waited for its time and stops the
// runs of broadcasts that are no longer running.
func (e *Engine) supervise(ctx context.Context) error {
	list, err := e.store.Broadcasts(ctx, 1000, models.Scheduled, models.Running, models.Paused)
	if e.reading.note(err) != nil {
		return err
	}
	now := e.now()
	running := map[int64]bool{}
	for _, b := range list {
		switch {
		case b.State == models.Scheduled && !now.Before(b.NotBefore.Time) && !e.unconfirmed(b.RequestKey):
			running[b.ID], err = e.store.MoveBroadcast(ctx, b.ID, []models.BroadcastState{models.Scheduled},
				models.Running, models.Change{StartedAt: now})
		case b.State == models.Paused && !b.ResumeAt.IsZero() && !now.Before(b.ResumeAt.Time):
			e.gate.Probe()
			running[b.ID], err = e.store.ResumeDue(ctx, b.ID, now)
		case b.State == models.Running:
			running[b.ID] = true
		}
		if err != nil {
			return err
		}
		if running[b.ID] {
			e.startRun(ctx, b)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, r := range e.runs {
		if !running[id] {
			r.cancel(errStopped)
		}
	}
	return nil
}

// startRun starts sending a broadcast, unless it is being sent already.
func (e *Engine) startRun(ctx context.Context, b models.Broadcast) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.runs[b.ID] != nil {
		return
	}
	r := newRun(e, b)
	runCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	r.cancel = cancel
	e.runs[b.ID] = r
	e.log.InfoContext(ctx, "broadcast goes", "broadcast", b.ID, "message", b.Name, "audience", b.Audience)
	go func() {
		defer close(r.done)
		defer cancel(nil)
		err := r.send(runCtx)
		r.wait()
		if err != nil && runCtx.Err() == nil {
			e.log.WarnContext(ctx, "broadcast interrupted, going on soon", "broadcast", b.ID, "err", err)
			_ = sleep(runCtx, time.Second)
		}
		e.mu.Lock()
		delete(e.runs, b.ID)
		e.mu.Unlock()
		e.wake()
	}()
}
