package broadcast

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models"
	"wechat-broadcast/services/lease"
	"wechat-broadcast/services/message"
)

// batchLease are the times of a lease on a batch.
var batchLease = lease.Times{Lasts: 15 * time.Second, Renew: 5 * time.Second, Margin: 3 * time.Second}

const (
	// settledAfter is how long a broadcast has run when it may have been paused before.
	settledAfter = 5 * time.Second

	// crewBatches is how many batches a replica works on at once: more would leave
	// the last ones of a broadcast to too few.
	crewBatches = 4

	// waitForQueue is how long a program that ends waits for Redis to take its tasks
	// back.
	waitForQueue = 5 * time.Second

	lookForTasks = 200 * time.Millisecond // how often an idle replica does
)

// errLeaseLost says that another replica may have taken the batch.
var errLeaseLost = errors.New("the lease on the batch is lost")

// Cluster is what the replicas of one database share beside it.
type Cluster struct {
	// Redis carries the batches, the rate and what is learnt about it.
	Redis *redis.Client
	// Account is the AppID. It is a part of every key and queue name, so that
	// several accounts can use one Redis.
	Account string
}

func (c Cluster) key(name string) string { return "wechat-broadcast:" + c.Account + ":" + name }

// queueName names the queue on Redis of a broadcast's batches. Those for testers
// and for the admin have one of their own, or they would wait behind thousands.
func (c Cluster) queueName(to models.Audience) string {
	if to == models.AudienceMe || to == models.AudienceTest {
		return "tests-" + c.Account
	}
	return "broadcasts-" + c.Account
}

// assignment is what a task on Redis says: nothing but which batch to look at.
// What there is to do, the database tells.
type assignment struct {
	Broadcast int64 `json:"broadcast"`
	Batch     int64 `json:"batch"`
}

const taskType = "batch"

// crew works on the batches that the queue on Redis hands to this replica.
type crew struct {
	Cluster
	e       *Engine
	pulse   *pulse
	line    *line         // of the queue
	queue   *redis.Client // of the servers
	servers []*asynq.Server
	lease   lease.Times

	mu       sync.Mutex
	runs     map[int64]*shift
	stopping bool
}

// shift is a run that this replica has a part in.
type shift struct {
	*run
	ctx     context.Context // ends with the run
	batches int             // of it, under way here
	pushed  int64           // the last Unix second whose outcomes are counted on Redis
}

func newCrew(e *Engine, c Cluster) *crew {
	w := &crew{Cluster: c, e: e, lease: batchLease, runs: map[int64]*shift{}}
	w.pulse = newPulse(w)
	w.line, w.queue = newLine(c.Redis)
	for _, name := range []string{w.queueName(models.AudienceAll), w.queueName(models.AudienceTest)} {
		w.servers = append(w.servers, asynq.NewServerFromRedisClient(w.queue, asynq.Config{
			Concurrency:              crewBatches,
			Queues:                   map[string]int{name: 1},
			TaskCheckInterval:        lookForTasks,
			DelayedTaskCheckInterval: time.Second,
			RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return time.Second },
			IsFailure:                func(error) bool { return false }, // no task is ever given up
			Logger:                   queueLog{e.log},
			LogLevel:                 asynq.WarnLevel,
			ShutdownTimeout:          hardAfter + lastAfter + time.Second,
		}))
	}
	return w
}

// run works until ctx ends and what is in flight then is recorded.
func (c *crew) run(ctx context.Context) {
	var chores, servers sync.WaitGroup
	chores.Go(func() { c.pulse.run(ctx) })
	chores.Go(func() { every(ctx, pollEvery, func() { c.look(ctx) }) })
	for _, s := range c.servers {
		if err := s.Start(asynq.HandlerFunc(c.work)); err != nil {
			c.e.log.ErrorContext(ctx, "take batches from the queue", "err", err)
			continue
		}
		servers.Go(func() {
			<-ctx.Done()
			s.Shutdown()
		})
	}
	<-ctx.Done()
	c.stop()
	// A Redis that does not answer must not keep the program from ending: its tasks
	// are put back in any case.
	patience := waitForQueue
	if !c.pulse.answers() {
		patience = 0
	}
	late := time.AfterFunc(patience, c.line.end)
	servers.Wait()
	late.Stop()
	_ = c.queue.Close()
	chores.Wait()
}

// stop ends every run here, and lets none begin.
func (c *crew) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	for _, s := range c.runs {
		s.cancel(errStopping)
	}
}

// work is what a task asks for. It never fails: what is left of a batch, for
// whatever reason, is put into the queue again by who coordinates, since the
// database says that it is not done.
func (c *crew) work(ctx context.Context, t *asynq.Task) error {
	var a assignment
	if err := json.Unmarshal(t.Payload(), &a); err != nil {
		return fmt.Errorf("read task: %w: %w", err, asynq.SkipRetry)
	}
	if err := c.take(ctx, a); err != nil && ctx.Err() == nil {
		c.e.log.WarnContext(ctx, "batch interrupted, going on with it soon", "broadcast", a.Broadcast, "batch", a.Batch, "err", err)
	}
	return nil
}

// take sends a batch unless its broadcast does not run, or another has it.
func (c *crew) take(ctx context.Context, a assignment) error {
	b, err := c.e.store.FindBroadcast(ctx, a.Broadcast)
	var known *models.Error
	switch {
	case errors.As(err, &known): // of a database that was there before
		return nil
	case err != nil:
		return err
	case b.State != models.Running:
		return nil
	}
	s := c.join(*b)
	if s == nil {
		return nil
	}
	defer c.leave(s)
	began := time.Now()
	batch, err := c.e.store.LeaseBatch(ctx, a.Broadcast, a.Batch, rand.Text(), c.lease.Lasts)
	if err != nil || batch == nil {
		return err
	}
	return c.send(ctx, s, *batch, began)
}

// send sends a leased batch and gives the lease back.
func (c *crew) send(task context.Context, s *shift, b models.Batch, leased time.Time) error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer context.AfterFunc(task, func() { cancel(context.Cause(task)) })()
	var keeping sync.WaitGroup
	keeping.Go(func() { c.keep(ctx, b, leased, cancel) })
	err := c.e.sender.SendBatch(ctx, s.run, b)
	cancel(nil)
	keeping.Wait()

	var undone *undoneError
	var after time.Duration
	switch {
	case err == nil:
		return persist(c.e.last, c.e.log, "finish batch", func(ctx context.Context) error {
			return c.e.store.FinishLeased(ctx, b)
		})
	case errors.Is(err, errLeaseLost):
		return err
	case errors.As(err, &undone):
		after, err = undone.again.Sub(c.e.now()), nil
	case s.ctx.Err() != nil:
		err = nil
	default:
		after = time.Second
	}
	return errors.Join(err, persist(c.e.last, c.e.log, "end lease", func(ctx context.Context) error {
		return c.e.store.LeaveBatch(ctx, b, after)
	}))
}

// keep renews the lease on a batch until ctx ends, and calls lost when it can't.
func (c *crew) keep(ctx context.Context, b models.Batch, leased time.Time, lost context.CancelCauseFunc) {
	err := lease.Keep(ctx, c.lease, leased, func(ctx context.Context) (bool, error) {
		return c.e.store.RenewBatch(ctx, b, c.lease.Lasts)
	})
	if err == nil {
		return
	}
	if errors.Is(err, lease.ErrExpired) {
		c.e.log.WarnContext(ctx, "lease not renewed in time", "broadcast", b.BroadcastID, "batch", b.Seq)
	}
	lost(errLeaseLost)
}

// join returns this replica's part in a broadcast that runs, nil if it may have
// none now. leave must follow.
func (c *crew) join(b models.Broadcast) *shift {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.runs[b.ID]
	switch {
	case c.stopping:
		return nil
	case s != nil && s.ctx.Err() == nil:
		s.batches++
		return s
	case s != nil && !s.stored():
		return nil // it stopped itself, and the database does not know yet
	}
	s = &shift{run: newRun(c.e, b), batches: 1}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	c.runs[b.ID] = s
	if c.e.now().Sub(b.StartedAt.Time) > settledAfter {
		c.e.gate.Probe() // it may have been paused, and its reason may still be there
	}
	var err error
	if s.content, err = message.NewContent(b); err != nil {
		s.unfillable(err)
	}
	return s
}

func (c *crew) leave(s *shift) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.batches--
}

// look ends the runs here of broadcasts that no longer run: another replica, or
// an admin through it, may have stopped them.
func (c *crew) look(ctx context.Context) {
	c.mu.Lock()
	idle := len(c.runs) == 0
	c.mu.Unlock()
	if idle {
		return
	}
	list, err := c.e.store.Broadcasts(ctx, 1000, models.Running)
	if err != nil {
		if ctx.Err() == nil {
			c.e.log.WarnContext(ctx, "look for broadcasts, trying again", "err", err)
		}
		return
	}
	running := map[int64]bool{}
	for _, b := range list {
		running[b.ID] = true
	}
	for _, s := range c.end(running) {
		if err := c.markRest(ctx, s); err != nil && ctx.Err() == nil {
			c.e.log.WarnContext(ctx, "mark who left", "broadcast", s.b.ID, "err", err)
		}
	}
}

// end stops the runs here of broadcasts other than those that run, and returns
// those that are over.
func (c *crew) end(running map[int64]bool) (over []*shift) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, s := range c.runs {
		if !running[id] {
			s.cancel(errStopped)
			if s.batches == 0 {
				delete(c.runs, id)
				over = append(over, s)
			}
		}
	}
	return over
}

// markRest marks whom this replica's part in a broadcast leaves to mark, if the
// broadcast was sent to its end.
func (c *crew) markRest(ctx context.Context, s *shift) error {
	b, err := c.e.store.FindBroadcast(ctx, s.b.ID)
	if err != nil || b.State != models.Finished {
		return err
	}
	return s.run.markRest(ctx)
}

// cancel ends the run here of a broadcast.
func (c *crew) cancel(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.runs[id]; s != nil {
		s.cancel(errStopped)
	}
}

// list returns the runs that this replica has a part in.
func (c *crew) list() []*shift {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*shift, 0, len(c.runs))
	for _, s := range c.runs {
		list = append(list, s)
	}
	return list
}
