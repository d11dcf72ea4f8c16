package simulator

import (
	"context"
	"sync/atomic"
	"time"
)

// barrier is a response barrier: it keeps answers back: the messages are accepted, and nobody is told.
type barrier struct {
	left atomic.Int64  // acceptances that are still answered
	held atomic.Int64  // answers that are kept back now
	over chan struct{} // closed when they may go
}

// HoldAnswers keeps the answers to template sends back once so many more were accepted, until ReleaseAnswers: a caller
// that dies meanwhile dies exactly between the acceptance and its record. Stats.Held tells how many are kept back.
func (s *Simulator) HoldAnswers(after int) {
	b := &barrier{over: make(chan struct{})}
	b.left.Store(int64(after))
	s.release(s.barrier.Swap(b))
}

// ReleaseAnswers lets the answers go that HoldAnswers kept back, and keeps back no more.
func (s *Simulator) ReleaseAnswers() { s.release(s.barrier.Swap(nil)) }

func (s *Simulator) release(b *barrier) {
	if b != nil {
		close(b.over)
	}
}

// letIn lets a send wait whose number is above Faults.WaitAfter, and gives false if its caller has gone away meanwhile.
func (s *Simulator) letIn(ctx context.Context, number int64) bool {
	for {
		if after := s.faults.Load().WaitAfter; after == 0 || number <= after {
			return true
		}
		if !s.wait(5*time.Millisecond) || ctx.Err() != nil {
			return false
		}
	}
}

// mayAnswer keeps an answer back if it is to be, and gives false if its caller has gone away meanwhile.
func (s *Simulator) mayAnswer(ctx context.Context) bool {
	b := s.barrier.Load()
	if b == nil || b.left.Add(-1) >= 0 {
		return true
	}
	b.held.Add(1)
	defer b.held.Add(-1)
	select {
	case <-b.over:
		return true
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return false
}

func (s *Simulator) heldAnswers() int64 {
	if b := s.barrier.Load(); b != nil {
		return b.held.Load()
	}
	return 0
}
