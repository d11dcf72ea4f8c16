package worker

import (
	"context"
	"sync"
	"time"

	"wechat-broadcast/models"
)

const (
	// batchesAtOnce is how many batches of a broadcast are under way in a process that
	// sends alone: while some wait for their last retries, the others keep the senders
	// busy.
	batchesAtOnce = 8
	// offerAgain is how long no batch has begun when those are offered again that had
	// been begun before.
	offerAgain = time.Second
)

// Queue carries the numbers of batches from the process that leads to the workers:
// in one process, or on Redis. Who works on which batch, the database says.
type Queue interface {
	// Run has batches worked on until ctx ends and what is under way then has returned.
	Run(ctx context.Context, work func(ctx context.Context, broadcast, batch int64))
	// Offers returns the way to offer batches of a broadcast that nobody works on, in
	// their order, to the workers. more says that further ones can be offered at once.
	Offers(b models.Broadcast) func(ctx context.Context, idle []models.Batch) (more bool, err error)
}

// LocalQueue is a Queue within the process.
type LocalQueue chan offered

// offered is a batch that is to be worked on.
type offered struct {
	models.Batch
	slots <-chan struct{} // of its broadcast; gets one back at the end
}

// NewLocalQueue returns a queue that nobody works on yet.
func NewLocalQueue() LocalQueue { return make(LocalQueue) }

// Run implements Queue.
func (q LocalQueue) Run(ctx context.Context, work func(ctx context.Context, broadcast, batch int64)) {
	var underWay sync.WaitGroup
	defer underWay.Wait()
	for {
		select {
		case b := <-q:
			underWay.Go(func() {
				defer func() { <-b.slots }()
				work(ctx, b.BroadcastID, b.Seq)
			})
		case <-ctx.Done():
			return
		}
	}
}

// Offers implements Queue. Each broadcast has slots of its own, so that none waits for
// another's batches.
func (q LocalQueue) Offers(models.Broadcast) func(ctx context.Context, idle []models.Batch) (more bool, err error) {
	var last int64 // that was begun
	var begun time.Time
	slots := make(chan struct{}, batchesAtOnce)
	return func(ctx context.Context, idle []models.Batch) (more bool, err error) {
		for _, b := range idle {
			if b.Seq <= last && time.Since(begun) < offerAgain {
				continue // it may have been begun just now
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return false, ctx.Err()
			}
			select {
			case q <- offered{b, slots}:
				last, begun, more = b.Seq, time.Now(), true
			case <-ctx.Done():
				return false, ctx.Err()
			}
		}
		return more, nil
	}
}
