package simulator

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// status is the outcome that a receipt reports.
type status uint8

const (
	statusSuccess status = iota
	statusUserBlock
	statusSystemFailed
	statusFreqLimit
)

// String is the status as the platform spells it, spaces included (WeChat: template message docs, and field reports).
func (s status) String() string {
	return [...]string{"success", "failed:user block", "failed: system failed", "failed:freq limit"}[s]
}

// receipt is one TEMPLATESENDJOBFINISH that is to be sent. What is posted depends on nothing else, so a try that is
// repeated posts the same bytes.
type receipt struct {
	due    int64 // Unix nanoseconds
	msgID  int64
	id     uint32
	stamp  uint32 // CreateTime and timestamp, Unix seconds
	status status
	try    uint8 // from 0
	again  uint8 // 1 for one that comes a second time although it was answered
}

// outcome is what the receipt of a message to id will say.
func (s *Simulator) outcome(id uint32, chance *rng, r *Receipts) status {
	switch {
	case s.people.blocking(id), chance.chance(r.UserBlock):
		return statusUserBlock
	case chance.chance(r.SystemFailed):
		return statusSystemFailed
	case chance.chance(r.FreqLimit):
		return statusFreqLimit
	default:
		return statusSuccess
	}
}

// report sees to the receipt of an accepted message: at once if it is to be early, else in its time.
func (s *Simulator) report(r record, chance *rng, opts *Receipts) {
	if *s.callback.Load() == "" {
		return
	}
	early, lost, repeat := chance.chance(opts.Early), chance.chance(opts.Lost), chance.chance(opts.Repeat)
	delay := func() time.Duration {
		return time.Duration(chance.between(int64(opts.DelayMin), int64(opts.DelayMax)))
	}
	rec := receipt{msgID: r.msgID, id: r.id, status: r.status}
	if lost {
		s.tally.add(&s.tally.receipts.Lost)
		return
	}
	if early {
		s.tally.add(&s.tally.receipts.Early)
		rec.stamp = uint32(r.at.Unix()) //nolint:gosec // fits until 2106
		s.postReceipt(rec)
	} else {
		s.outbox.put(rec.after(delay(), r.at))
	}
	if repeat {
		s.tally.add(&s.tally.receipts.Repeated)
		rec.again = 1
		s.outbox.put(rec.after(delay(), r.at))
	}
}

// after is the receipt, due after d by the wall clock and stamped by the simulator's.
func (r receipt) after(d time.Duration, sent time.Time) receipt {
	r.due = time.Now().Add(d).UnixNano()
	r.stamp = uint32(sent.Add(d).Unix()) //nolint:gosec // fits until 2106
	return r
}

// push is the callback of a receipt.
func (s *Simulator) push(r receipt) push {
	seed := newRNG(s.opts.Seed, uint64(r.msgID), uint64(r.again)) //nolint:gosec // any bits will do
	if s.opts.ResignRetries {
		seed = newRNG(seed.state, uint64(r.try))
	}
	p := push{
		openID: s.people.openID(r.id),
		stamp:  int64(r.stamp),
		nonce:  strconv.FormatUint(seed.next()%1e10, 10),
		fields: fmt.Sprintf("<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>%d</MsgID><Status><![CDATA[%s]]></Status>",
			r.msgID, r.status),
	}
	binary.BigEndian.PutUint64(p.salt[:8], seed.next())
	binary.BigEndian.PutUint64(p.salt[8:], seed.next())
	return p
}

// postReceipt posts a receipt once and, if it was not answered, puts it back for its next try.
func (s *Simulator) postReceipt(r receipt) {
	begin := time.Now()
	_, err := s.post(s.ctx, s.push(r))
	took := time.Since(begin)
	if s.ctx.Err() != nil {
		return
	}
	s.tally.answered(took, err == nil, took >= s.opts.CallbackTimeout)
	if err == nil {
		return
	}
	s.opts.Logger.Debug("a receipt was not answered", "try", r.try+1, "error", err)
	if r.try++; r.try >= callbackTries {
		s.tally.add(&s.tally.receipts.GivenUp)
		return
	}
	r.due = time.Now().Add(s.opts.CallbackRetry).UnixNano()
	s.outbox.put(r)
}

// outbox holds the receipts until they are due.
type outbox struct {
	mu      sync.Mutex
	heap    byDue
	working int
	wake    chan struct{}
}

// byDue has the next receipt first.
type byDue []receipt

func (h byDue) Len() int           { return len(h) }
func (h byDue) Less(i, j int) bool { return h[i].due < h[j].due }
func (h byDue) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byDue) Push(r any)        { *h = append(*h, r.(receipt)) } //nolint:forcetypeassert // heap.Interface
func (h *byDue) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	*h = (*h)[:last]
	return r
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

func (o *outbox) put(r receipt) {
	o.mu.Lock()
	heap.Push(&o.heap, r)
	next := o.heap[0] == r
	o.mu.Unlock()
	if next { // the dispatcher may be waiting for a later one
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
}

// take removes the next receipt if it is due, else gives how long to wait; a wait below 0 is for ever.
func (o *outbox) take(now int64) (r receipt, wait time.Duration, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.heap) == 0 {
		return receipt{}, -1, false
	}
	if r = o.heap[0]; r.due > now {
		return receipt{}, time.Duration(r.due - now), false
	}
	heap.Pop(&o.heap)
	o.working++
	return r, 0, true
}

// finish counts a taken receipt as dealt with.
func (o *outbox) finish() {
	o.mu.Lock()
	o.working--
	o.mu.Unlock()
}

// pending is how many receipts are not dealt with yet.
func (o *outbox) pending() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.heap) + o.working
}

// sendReceipts posts what is due, so many at once, until the simulator closes.
func (s *Simulator) sendReceipts(atOnce int) {
	var posts errgroup.Group
	defer func() { _ = posts.Wait() }() // none fails
	posts.SetLimit(atOnce)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for s.ctx.Err() == nil {
		r, wait, ok := s.outbox.take(time.Now().UnixNano())
		if ok {
			posts.Go(func() error {
				s.postReceipt(r)
				s.outbox.finish()
				return nil
			})
			continue
		}
		var due <-chan time.Time
		if wait >= 0 {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-due:
		case <-s.outbox.wake:
		case <-s.ctx.Done():
		}
	}
}
