package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models"
)

const (
	// askAgain is how often it is made sure that Redis still has a batch.
	askAgain = 3 * time.Second
	// stuckAfter is how long a batch that nobody has leased may be in the hands of
	// a worker: after that the worker is taken for dead.
	stuckAfter = 5 * time.Second
)

// dispatcher puts the batches of one broadcast into the queue.
type dispatcher struct {
	redis     *redis.Client
	log       *slog.Logger
	name      string // of the queue
	client    *asynq.Client
	inspector *asynq.Inspector
	put       map[int64]time.Time // when it was last made sure that a batch is there
	stuck     map[int64]time.Time // since when a batch has been with a worker that did not lease it
}

// offer puts batches that nobody works on into the queue, unless they are there.
// What Redis does not take now is put in later.
func (d *dispatcher) offer(ctx context.Context, idle []models.Batch) (more bool, err error) {
	// A fresh one each time names the queue to Redis anew, should that have
	// forgotten it.
	d.client = asynq.NewClientFromRedisClient(d.redis)
	if err := d.offerAll(ctx, idle); err != nil && ctx.Err() == nil {
		d.log.DebugContext(ctx, "queue batches, trying again", "err", err)
	}
	return false, nil
}

func (d *dispatcher) offerAll(ctx context.Context, idle []models.Batch) error {
	now := time.Now()
	for _, b := range idle {
		if now.Sub(d.put[b.Seq]) < askAgain {
			continue
		}
		there, err := d.ensure(ctx, b, now)
		if err != nil {
			return err
		}
		if there {
			d.put[b.Seq] = now
		}
	}
	return nil
}

// ensure has a batch, which nobody works on, be in the queue, and tells whether
// it surely is.
func (d *dispatcher) ensure(ctx context.Context, b models.Batch, now time.Time) (there bool, err error) {
	id := fmt.Sprintf("b%d-%d", b.BroadcastID, b.Seq)
	there, err = d.enqueue(ctx, id, b)
	if there || err != nil {
		delete(d.stuck, b.Seq)
		return there, err
	}
	info, err := d.inspector.GetTaskInfo(d.name, id)
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		return false, nil // it was just at its end
	case err != nil:
		return false, fmt.Errorf("look at task: %w", err)
	case info.State == asynq.TaskStateArchived, info.State == asynq.TaskStateCompleted:
		if err := d.inspector.DeleteTask(d.name, id); err != nil {
			return false, fmt.Errorf("delete task: %w", err)
		}
		return d.enqueue(ctx, id, b)
	case info.State != asynq.TaskStateActive:
		delete(d.stuck, b.Seq)
		return true, nil // it waits for its turn
	}
	if d.stuck[b.Seq].IsZero() {
		d.stuck[b.Seq] = now
	}
	if b.Owner == "" && now.Sub(d.stuck[b.Seq]) < stuckAfter {
		return false, nil
	}
	// Its worker died with it: with its lease over, or before it had one. asynq
	// would notice after a minute or two.
	_, err = d.enqueue(ctx, fmt.Sprintf("%s.%d", id, b.LeaseCount), b)
	return true, err
}

// enqueue queues a batch under an id, unless there is such a task already.
func (d *dispatcher) enqueue(ctx context.Context, id string, b models.Batch) (queued bool, err error) {
	payload, err := json.Marshal(assignment{b.BroadcastID, b.Seq})
	if err != nil {
		return false, err
	}
	_, err = d.client.EnqueueContext(ctx, asynq.NewTask(taskType, payload), asynq.TaskID(id), asynq.Queue(d.name),
		asynq.MaxRetry(math.MaxInt32), asynq.Timeout(7*24*time.Hour))
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("queue batch: %w", err)
	}
	return true, nil
}
