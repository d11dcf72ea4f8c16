package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
)

const (
	// batchesAtOnce is how many batches a replica works on at once: more would leave
	// the last ones of a broadcast to too few.
	batchesAtOnce = 4

	// waitForQueue is how long a program that ends waits for Redis to take its tasks
	// back.
	waitForQueue = 5 * time.Second

	lookForTasks = 200 * time.Millisecond // how often an idle replica does
)

const taskType = "batch"

// assignment is what a task on Redis says: nothing but which batch to look at.
// What there is to do, the database tells.
type assignment struct {
	Broadcast int64 `json:"broadcast"`
	Batch     int64 `json:"batch"`
}

// Queue carries the numbers of batches from the replica that leads to whichever is
// free, through asynq. It is a way to say quickly that there is work, and no more:
// which batches are done, and who has which, is in the database.
type Queue struct {
	sync    *Sync
	log     *slog.Logger
	line    *line         // of the servers
	redis   *redis.Client // of the servers
	servers []*asynq.Server
}

// newQueue returns a Queue whose servers end work for at most patience when they
// stop.
func newQueue(s *Sync, patience time.Duration) *Queue {
	q := &Queue{sync: s, log: s.log}
	q.line, q.redis = newLine(s.redis)
	for _, lane := range audience.Lanes {
		q.servers = append(q.servers, asynq.NewServerFromRedisClient(q.redis, asynq.Config{
			Concurrency:              batchesAtOnce,
			Queues:                   map[string]int{s.lane(lane): 1},
			TaskCheckInterval:        lookForTasks,
			DelayedTaskCheckInterval: time.Second,
			RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return time.Second },
			IsFailure:                func(error) bool { return false }, // no task is ever given up
			Logger:                   queueLog{s.log},
			LogLevel:                 asynq.WarnLevel,
			ShutdownTimeout:          patience,
		}))
	}
	return q
}

// Run has batches worked on until ctx ends and what is under way then has returned.
// It never fails: what is left of a batch, for whatever reason, is offered again by
// who leads, since the database says that it is not done.
func (q *Queue) Run(ctx context.Context, work func(ctx context.Context, broadcast, batch int64)) {
	handler := asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		var a assignment
		if err := json.Unmarshal(t.Payload(), &a); err != nil {
			return fmt.Errorf("read task: %w: %w", err, asynq.SkipRetry)
		}
		work(ctx, a.Broadcast, a.Batch)
		return nil
	})
	var servers sync.WaitGroup
	for _, s := range q.servers {
		if err := s.Start(handler); err != nil {
			q.log.ErrorContext(ctx, "take batches from the queue", "err", err)
			continue
		}
		servers.Go(func() {
			<-ctx.Done()
			s.Shutdown()
		})
	}
	<-ctx.Done()
	// A Redis that does not answer must not keep the program from ending: its tasks
	// are put back in any case.
	patience := waitForQueue
	if !q.sync.Answers() {
		patience = 0
	}
	late := time.AfterFunc(patience, q.line.end)
	servers.Wait()
	late.Stop()
	_ = q.redis.Close()
}

// Offers returns the way to offer batches of a broadcast that nobody works on, in
// their order, to the workers.
func (q *Queue) Offers(b models.Broadcast) func(ctx context.Context, idle []models.Batch) (more bool, err error) {
	d := &dispatcher{
		redis: q.sync.redis, log: q.log.With("broadcast", b.ID), name: q.sync.lane(audience.Of(&b).Lane),
		inspector: asynq.NewInspectorFromRedisClient(q.sync.redis),
		put:       map[int64]time.Time{}, stuck: map[int64]time.Time{},
	}
	return d.offer
}
