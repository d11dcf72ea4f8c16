package broadcast

import (
	"context"
	"errors"
	"sync"
	"time"

	"wechat-broadcast/models"
)

// queue has the batches of a broadcast sent: in this process, or by whichever
// replica is free.
type queue interface {
	// work returns nil once every batch of the run is done and none is added any
	// more. It returns early when ctx ends, and when the planning fails.
	work(ctx context.Context, r *run, p *planning) error
}

// planning is the cutting of a broadcast into batches, which goes on beside
// their being sent.
type planning struct {
	done chan struct{}
	err  error
}

// startPlanning plans until it is done or ctx ends.
func (r *run) startPlanning(ctx context.Context) *planning {
	p := &planning{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = r.plan(ctx)
	}()
	return p
}

// over tells whether no batch is added any more, with the error if that is why.
func (p *planning) over() (bool, error) {
	select {
	case <-p.done:
		return true, p.err
	default:
		return false, nil
	}
}

// localQueue hands the batches to workers of this process.
type localQueue struct{ e *Engine }

// work goes through the batches until each is done.
func (q localQueue) work(ctx context.Context, r *run, p *planning) error {
	for {
		due, err := q.pass(ctx, r, p)
		if err != nil || due.IsZero() {
			return err
		}
		if err := sleep(ctx, time.Until(due)); err != nil {
			return context.Cause(ctx)
		}
	}
}

// pass goes once through the batches that are not done, while the planner may
// still be adding some. It returns when to look again, zero if all are done.
func (q localQueue) pass(ctx context.Context, r *run, p *planning) (due time.Time, err error) {
	batches := make(chan models.Batch)
	var workers sync.WaitGroup
	var mu sync.Mutex
	for range batchesAtOnce {
		workers.Go(func() {
			for b := range batches {
				again, ok := q.batch(ctx, r, b)
				if ok {
					continue
				}
				mu.Lock()
				if due.IsZero() || again.Before(due) {
					due = again
				}
				mu.Unlock()
			}
		})
	}
	err = q.deal(ctx, r, p, batches)
	close(batches)
	workers.Wait()
	if ctx.Err() != nil {
		return due, context.Cause(ctx)
	}
	return due, err
}

// deal hands out every batch that is not done, in order.
func (q localQueue) deal(ctx context.Context, r *run, p *planning, batches chan<- models.Batch) error {
	var last int64
	for {
		planned, err := p.over()
		if err != nil {
			return err
		}
		list, err := q.e.store.TodoBatches(ctx, r.b.ID, last, batchesAtOnce)
		if err != nil {
			return err
		}
		for _, b := range list {
			select {
			case batches <- b:
				last = b.Seq
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if len(list) > 0 {
			continue
		}
		if planned {
			return nil
		}
		select {
		case <-p.done:
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// batch sends one batch and marks it done. ok is false if something of it is
// left, for when again comes.
func (q localQueue) batch(ctx context.Context, r *run, b models.Batch) (again time.Time, ok bool) {
	err := q.e.sender.SendBatch(ctx, r, b)
	if err == nil {
		err = q.e.store.FinishBatch(ctx, b)
	}
	if err == nil {
		return time.Time{}, true
	}
	var undone *undoneError
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &undone):
		return undone.again, false
	default:
		q.e.log.WarnContext(ctx, "batch interrupted, going on with it soon", "broadcast", r.b.ID, "batch", b.Seq, "err", err)
		_ = sleep(ctx, time.Second) // so that a database that is away is not asked by everyone at once
	}
	return q.e.now().Add(time.Second), false
}
