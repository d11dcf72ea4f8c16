package delivery

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// aheadFor is how much of the sending is claimed ahead, in time: what it takes
	// to write one group while the one before it is sent.
	aheadFor = 25 * time.Millisecond
	// mostAhead is how many recipients a group has at most.
	mostAhead = 500
	// budgetEvery is how often the budget is fitted to the speed.
	budgetEvery = 100 * time.Millisecond
)

// budget bounds the rows in state sending: those in flight, those whose outcome
// is not recorded yet, and two groups that are up next. Each of them may have
// been sent to after a crash, so that a group is no larger than the speed of
// the sending makes worthwhile: a database writes a large group much faster
// than many small ones, which matters only when the platform answers faster
// still.
type budget struct {
	*semaphore.Weighted
	least int // a group's size however slow the sending is
	now   func() time.Time

	mu     sync.Mutex
	group  int
	ended  int64 // rows that got their outcome since
	fitted time.Time
	asking int // for a group: it does not shrink meanwhile, or one could be larger than the budget
}

// newBudget returns a budget for as many sends in flight at most.
func newBudget(concurrency int, now func() time.Time) *budget {
	least := min(max(concurrency/2, 8), 100)
	b := &budget{
		Weighted: semaphore.NewWeighted(int64(concurrency + 2*mostAhead)),
		least:    least, now: now, group: least, fitted: now(),
	}
	// What the budget does not give out, it holds itself.
	b.TryAcquire(int64(2 * (mostAhead - least)))
	return b
}

// take takes the part of a group of at most n and returns how many it may have.
func (b *budget) take(ctx context.Context, n int) (int, error) {
	b.mu.Lock()
	n = min(n, b.group)
	b.asking++
	b.mu.Unlock()
	err := b.Acquire(ctx, int64(n))
	b.mu.Lock()
	b.asking--
	b.mu.Unlock()
	return n, err
}

// Release gives n rows back.
func (b *budget) Release(n int64) {
	b.Weighted.Release(n)
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended += n
	took := now.Sub(b.fitted)
	if took < budgetEvery {
		return
	}
	ahead := time.Duration(b.ended) * aheadFor / took
	b.ended, b.fitted = 0, now
	group := min(max(int(ahead), b.least), mostAhead)
	switch {
	case group > b.group:
		b.Weighted.Release(int64(2 * (group - b.group)))
	case b.asking > 0, !b.TryAcquire(int64(2 * (b.group - group))):
		return // they are in use; the next time
	}
	b.group = group
}
