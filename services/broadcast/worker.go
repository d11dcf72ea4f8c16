package broadcast

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/delivery"
	"wechat-broadcast/services/lease"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/throttle"
)

const (
	// lookEvery is how soon a change made by another process is seen.
	lookEvery = 500 * time.Millisecond
	// settledAfter is how long a broadcast has run when it may have been paused before.
	settledAfter = 5 * time.Second
)

// batchLease are the times of a lease on a batch.
var batchLease = lease.Times{Lasts: 15 * time.Second, Renew: 5 * time.Second, Margin: 3 * time.Second}

// The causes for which a sending ends before its broadcast does.
var (
	errNotRunning = errors.New("the broadcast is no longer running")
	errStopping   = errors.New("the program is stopping")
)

// worker sends the batches whose numbers a queue hands it: it leases one in the
// database, has it sent, and ends the lease. What is left of a batch, for whatever
// reason, is offered again by who leads, since the database says that it is not done.
type worker struct {
	store    *models.Store
	sender   *delivery.Sender
	throttle *throttle.Throttle
	// owner begins the name of each lease.
	owner   string
	lease   lease.Times
	storing context.Context // bounds the storing of what became of a batch
	// stopped stores the move of a sending that stopped itself.
	stopped func(b models.Broadcast, m models.Move)
	now     func() time.Time
	log     *slog.Logger

	mu     sync.Mutex
	active map[int64]*active
	closed bool // nothing is begun any more
	storer sync.WaitGroup
}

// active is a broadcast that this process sends.
type active struct {
	*delivery.Active
	batches int           // of it, under way here
	over    chan struct{} // closed once no more of it is under way
	moved   chan struct{} // closed once the move of a sending that stopped itself is stored
}

// run works on what a queue hands out until ctx ends and what is under way then is
// recorded.
func (w *worker) run(ctx context.Context, q queue) {
	w.mu.Lock()
	w.closed = false
	w.mu.Unlock()
	var parts sync.WaitGroup
	parts.Go(func() { loop.Every(ctx, lookEvery, func() { w.look(ctx) }) })
	parts.Go(func() { q.Run(ctx, w.work) })
	<-ctx.Done()
	w.close()
	parts.Wait()
	w.forget(func(int64) bool { return true })
	w.storer.Wait()
}

// close ends every sending here, and lets none begin.
func (w *worker) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, a := range w.active {
		a.End(errStopping)
	}
}

// work sends a batch unless its broadcast does not run, or another has it.
func (w *worker) work(ctx context.Context, broadcast, batch int64) {
	if err := w.try(ctx, broadcast, batch); err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "batch interrupted, going on with it soon", "broadcast", broadcast, "batch", batch, "err", err)
	}
}

func (w *worker) try(ctx context.Context, broadcast, batch int64) error {
	b, err := w.store.FindBroadcast(ctx, broadcast)
	switch {
	case models.KindOf(err) != "": // of a database that was there before
		return nil
	case err != nil:
		return err
	case b.State != models.Running:
		return nil
	}
	a := w.join(*b)
	if a == nil {
		return nil
	}
	defer w.leave(a)
	asked := time.Now()
	leased, err := w.store.LeaseBatch(ctx, broadcast, batch, w.owner+rand.Text(), w.lease.Lasts)
	if err != nil || leased == nil {
		return err
	}
	return w.send(ctx, a, *leased, asked)
}

// send sends a leased batch and gives the lease back.
func (w *worker) send(task context.Context, a *active, b models.Batch, asked time.Time) error {
	ctx, cancel := context.WithCancelCause(a.Context())
	defer context.AfterFunc(task, func() { cancel(context.Cause(task)) })()
	var keeping sync.WaitGroup
	keeping.Go(func() { w.keep(ctx, b, asked, cancel) })
	err := w.sender.Send(ctx, a.Active, b)
	cancel(nil)
	keeping.Wait()

	var undone *delivery.Undone
	var after time.Duration
	switch {
	case err == nil:
		return loop.Persist(w.storing, w.log, "finish batch", func(ctx context.Context) error {
			return w.store.FinishBatch(ctx, b)
		})
	case errors.Is(err, delivery.ErrLeaseLost):
		return err
	case errors.As(err, &undone):
		after, err = undone.Due.Sub(w.now()), nil
	case a.Context().Err() != nil:
		err = nil
	default:
		after = time.Second
	}
	return errors.Join(err, loop.Persist(w.storing, w.log, "end lease", func(ctx context.Context) error {
		return w.store.LeaveBatch(ctx, b, after)
	}))
}

// keep renews the lease on a batch until ctx ends, and calls lost when it can't.
func (w *worker) keep(ctx context.Context, b models.Batch, asked time.Time, lost context.CancelCauseFunc) {
	err := lease.Keep(ctx, w.lease, asked, func(ctx context.Context) (bool, error) {
		return w.store.RenewBatch(ctx, b, w.lease.Lasts)
	})
	if err == nil {
		return
	}
	if errors.Is(err, lease.ErrExpired) {
		w.log.WarnContext(ctx, "lease not renewed in time", "broadcast", b.BroadcastID, "batch", b.Seq)
	}
	lost(delivery.ErrLeaseLost)
}

// join returns this process's part in a broadcast that runs, nil if it may have
// none now. leave must follow.
func (w *worker) join(b models.Broadcast) *active {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.active[b.ID]
	switch {
	case w.closed:
		return nil
	case a != nil && a.Context().Err() == nil:
		a.batches++
		return a
	case a != nil && (a.batches > 0 || a.Stopped() && !isClosed(a.moved)):
		return nil // it ended, and the database may not know yet
	case a != nil:
		w.remove(b.ID)
	}
	if w.now().Sub(b.StartedAt.Time) > settledAfter {
		w.throttle.ProbeFirst() // it may have been paused, and its reason may still be there
	}
	a = &active{Active: w.sender.Activate(b), batches: 1, over: make(chan struct{}), moved: make(chan struct{})}
	w.active[b.ID] = a
	w.storer.Go(func() { w.awaitStop(a) })
	return a
}

// awaitStop has the move stored with which a sending stops itself, should it do so.
func (w *worker) awaitStop(a *active) {
	select {
	case m := <-a.Stops():
		w.stopped(a.Broadcast, m)
		close(a.moved)
	case <-a.over:
		select {
		case m := <-a.Stops():
			w.stopped(a.Broadcast, m)
			close(a.moved)
		default:
		}
	}
}

func (w *worker) leave(a *active) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.batches--
}

// look ends the sending here of broadcasts that no longer run: another process, or
// an admin through it, may have stopped them.
func (w *worker) look(ctx context.Context) {
	w.mu.Lock()
	idle := len(w.active) == 0
	w.mu.Unlock()
	if idle {
		return
	}
	list, err := w.store.Broadcasts(ctx, 1000, models.Running)
	if err != nil {
		if ctx.Err() == nil {
			w.log.WarnContext(ctx, "look for broadcasts, trying again", "err", err)
		}
		return
	}
	running := map[int64]bool{}
	for _, b := range list {
		running[b.ID] = true
	}
	for _, a := range w.forget(func(id int64) bool { return !running[id] }) {
		if err := w.markDeparted(ctx, a); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "mark who left", "broadcast", a.Broadcast.ID, "err", err)
		}
	}
}

// forget ends the sending here of the broadcasts that are over, and returns those of
// which nothing is under way any more.
func (w *worker) forget(over func(id int64) bool) (gone []*active) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, a := range w.active {
		if !over(id) {
			continue
		}
		a.End(errNotRunning)
		if a.batches == 0 {
			w.remove(id)
			gone = append(gone, a)
		}
	}
	return gone
}

// remove drops a broadcast. The caller holds mu.
func (w *worker) remove(id int64) {
	close(w.active[id].over)
	delete(w.active, id)
}

// markDeparted marks whom this process's part in a broadcast leaves to mark, if the
// broadcast was sent to its end.
func (w *worker) markDeparted(ctx context.Context, a *active) error {
	b, err := w.store.FindBroadcast(ctx, a.Broadcast.ID)
	if err != nil || b.State != models.Finished {
		return err
	}
	return w.store.MarkGone(ctx, a.Departed())
}

// finishing marks whom a broadcast that was sent to its end leaves to mark here.
func (w *worker) finishing(ctx context.Context, id int64) error {
	if a := w.find(id); a != nil {
		return w.store.MarkGone(ctx, a.Departed())
	}
	return nil
}

// end ends the sending of a broadcast here.
func (w *worker) end(id int64) {
	if a := w.find(id); a != nil {
		a.End(errNotRunning)
	}
}

// find returns this process's part in a broadcast, or nil.
func (w *worker) find(id int64) *active {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active[id]
}

// sends tells whether this process sends a broadcast, or waits for its last calls.
func (w *worker) sends(id int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.active[id]
	return a != nil && (a.batches > 0 || a.Stopped() && !isClosed(a.moved))
}

// all returns every broadcast that this process sends.
func (w *worker) all() []*active {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]*active, 0, len(w.active))
	for _, a := range w.active {
		list = append(list, a)
	}
	return list
}

// meters are those of the broadcasts that this process sends, by number.
func (w *worker) meters() map[int64]*throttle.Meter {
	meters := map[int64]*throttle.Meter{}
	for _, a := range w.all() {
		meters[a.Broadcast.ID] = a.Meter()
	}
	return meters
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
