// Package worker has this process send the batches whose numbers a queue hands it,
// alone or beside other replicas.
package worker

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
	// LookEvery is how soon a change made by another process is seen.
	LookEvery = 500 * time.Millisecond
	// settledAfter is how long a broadcast has run when it may have been paused before.
	settledAfter = 5 * time.Second
	// afterFault is how long a slot rests after a batch that the database interrupted.
	afterFault = 5 * time.Second
)

// The times of a lease on a batch.
var (
	// SharedLease is one among replicas: another takes the batch soon after a crash.
	SharedLease = lease.Times{Lasts: 15 * time.Second, Renew: 5 * time.Second, Margin: 3 * time.Second}
	// LoneLease is one of a process that sends alone. The lock of the database is what
	// keeps others out, and its next holder ends the leases: so no outage of the database
	// and no change of the clock costs a lease.
	LoneLease = lease.Times{Lasts: 30 * 24 * time.Hour, Renew: time.Hour, Margin: 24 * time.Hour}
)

// The causes for which a sending ends before its broadcast does.
var (
	ErrNotRunning = errors.New("the broadcast is no longer running")
	ErrStopping   = errors.New("the program is stopping")
)

// Config is what a Worker needs.
type Config struct {
	Store    *models.Store
	Sender   *delivery.Sender
	Throttle *throttle.Throttle
	// Owner begins the name of each lease.
	Owner string
	// Lease are the times of a lease on a batch.
	Lease lease.Times
	// Shared says that other processes send the same broadcasts.
	Shared bool
	// Storing bounds the storing of what became of a batch.
	Storing context.Context
	// Stopped stores the move of a sending that stopped itself.
	Stopped func(b models.Broadcast, m models.Move)
	Now     func() time.Time
	Log     *slog.Logger
}

// Worker leases a batch in the database, has it sent, and ends the lease. What is left
// of a batch, for whatever reason, is offered again by who leads, since the database
// says that it is not done.
type Worker struct {
	Config
	mu     sync.Mutex
	active map[int64]*Active
	closed bool // nothing is begun any more
}

// New returns a Worker that is idle until Run.
func New(c Config) *Worker { return &Worker{Config: c, active: map[int64]*Active{}} }

// Active is a broadcast that this process sends.
type Active struct {
	*delivery.Active
	batches int           // of it, under way here
	over    chan struct{} // closed once no more of it is under way
	// settled is closed once the move is stored with which it stopped itself, or once it
	// is over and has not.
	settled chan struct{}
}

// Run works on what a queue hands out until ctx ends and what is under way then is
// recorded. It may run again.
func (w *Worker) Run(ctx context.Context, q Queue) {
	w.mu.Lock()
	w.closed = false
	w.mu.Unlock()
	var parts sync.WaitGroup
	parts.Go(func() { loop.Every(ctx, LookEvery, func() { w.look(ctx) }) })
	parts.Go(func() { q.Run(ctx, w.work) })
	<-ctx.Done()
	w.close()
	parts.Wait()
	for _, a := range w.forget(func(int64) bool { return true }) {
		<-a.settled
	}
}

// close ends every sending here, and lets none begin.
func (w *Worker) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, a := range w.active {
		a.End(ErrStopping)
	}
}

// work sends a batch unless its broadcast does not run, or another has it.
func (w *Worker) work(ctx context.Context, broadcast, batch int64) {
	if err := w.try(ctx, broadcast, batch); err != nil && ctx.Err() == nil {
		w.Log.WarnContext(ctx, "batch interrupted, going on with it soon", "broadcast", broadcast, "batch", batch, "err", err)
		_ = loop.Sleep(ctx, afterFault) // so that a database that is away is not asked by everyone at once
	}
}

func (w *Worker) try(ctx context.Context, broadcast, batch int64) error {
	b, err := w.Store.FindBroadcast(ctx, broadcast)
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
	leased, err := w.Store.LeaseBatch(ctx, broadcast, batch, w.Owner+rand.Text(), w.Lease.Lasts)
	if w.Sender.NoteWrite(err) != nil || leased == nil {
		return err
	}
	return w.send(ctx, a, *leased, asked)
}

// send sends a leased batch and gives the lease back.
func (w *Worker) send(task context.Context, a *Active, b models.Batch, asked time.Time) error {
	ctx, cancel := context.WithCancelCause(a.Context())
	defer context.AfterFunc(task, func() { cancel(context.Cause(task)) })()
	var keeping sync.WaitGroup
	keeping.Go(func() { w.keep(ctx, b, asked, cancel) })
	err := w.Sender.Send(ctx, a.Active, b)
	cancel(nil)
	keeping.Wait()

	var undone *delivery.Undone
	var after time.Duration
	switch {
	case err == nil:
		return loop.Persist(w.Storing, w.Log, "finish batch", func(ctx context.Context) error {
			return w.Store.FinishBatch(ctx, b)
		})
	case errors.Is(err, delivery.ErrLeaseLost):
		return err
	case errors.As(err, &undone):
		after, err = undone.Due.Sub(w.Now()), nil
	case a.Context().Err() != nil:
		err = nil
	default:
		after = time.Second
	}
	return errors.Join(err, loop.Persist(w.Storing, w.Log, "end lease", func(ctx context.Context) error {
		return w.Store.LeaveBatch(ctx, b, after)
	}))
}

// keep renews the lease on a batch until ctx ends, and calls lost when it can't.
func (w *Worker) keep(ctx context.Context, b models.Batch, asked time.Time, lost context.CancelCauseFunc) {
	err := lease.Keep(ctx, w.Lease, asked, func(ctx context.Context) (bool, error) {
		return w.Store.RenewBatch(ctx, b, w.Lease.Lasts)
	})
	if err == nil {
		return
	}
	if errors.Is(err, lease.ErrExpired) {
		w.Log.WarnContext(ctx, "lease not renewed in time", "broadcast", b.BroadcastID, "batch", b.Seq)
	}
	lost(delivery.ErrLeaseLost)
}

// join returns this process's part in a broadcast that runs, nil if it may have
// none now. leave must follow.
func (w *Worker) join(b models.Broadcast) *Active {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.active[b.ID]
	switch {
	case w.closed:
		return nil
	case a != nil && a.Context().Err() == nil:
		a.batches++
		return a
	case a != nil && a.underWay():
		return nil // it ended, and the database may not know yet
	case a != nil:
		w.remove(b.ID)
	}
	if w.Shared && w.Now().Sub(b.StartedAt.Time) > settledAfter {
		w.Throttle.ProbeFirst() // it may have been paused, and its reason may still be there
	}
	a = &Active{Active: w.Sender.Activate(b), batches: 1, over: make(chan struct{}), settled: make(chan struct{})}
	w.active[b.ID] = a
	go w.awaitStop(a)
	return a
}

// awaitStop has the move stored with which a sending stops itself, should it do so.
func (w *Worker) awaitStop(a *Active) {
	defer close(a.settled)
	select {
	case m := <-a.Stops():
		w.Stopped(a.Broadcast, m)
		return
	case <-a.over:
	}
	select { // of two that are ready, the one above may have missed the move
	case m := <-a.Stops():
		w.Stopped(a.Broadcast, m)
	default:
	}
}

// underWay tells whether calls may still wait for their answer, or a move to be stored.
// The caller holds the worker's mu.
func (a *Active) underWay() bool {
	if a.batches > 0 {
		return true
	}
	if !a.Stopped() {
		return false
	}
	select {
	case <-a.settled:
		return false
	default:
		return true
	}
}

func (w *Worker) leave(a *Active) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.batches--
}

// look ends the sending here of broadcasts that no longer run: another process, or
// an admin through it, may have stopped them.
func (w *Worker) look(ctx context.Context) {
	known := map[int64]bool{} // what is begun from now on is not looked for
	for _, a := range w.All() {
		known[a.Broadcast.ID] = true
	}
	if len(known) == 0 {
		return
	}
	list, err := w.Store.InState(ctx, 1000, models.Running)
	if err != nil {
		if ctx.Err() == nil {
			w.Log.WarnContext(ctx, "look for broadcasts, trying again", "err", err)
		}
		return
	}
	for _, b := range list {
		delete(known, b.ID)
	}
	for _, a := range w.forget(func(id int64) bool { return known[id] }) {
		if err := w.markDeparted(ctx, a); err != nil && ctx.Err() == nil {
			w.Log.WarnContext(ctx, "mark who left", "broadcast", a.Broadcast.ID, "err", err)
		}
	}
}

// forget ends the sending here of the broadcasts that are over, and returns those of
// which nothing is under way any more.
func (w *Worker) forget(over func(id int64) bool) (gone []*Active) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, a := range w.active {
		if !over(id) {
			continue
		}
		a.End(ErrNotRunning)
		if a.batches == 0 {
			w.remove(id)
			gone = append(gone, a)
		}
	}
	return gone
}

// remove drops a broadcast. The caller holds mu.
func (w *Worker) remove(id int64) {
	close(w.active[id].over)
	delete(w.active, id)
}

// markDeparted marks whom this process's part in a broadcast leaves to mark, if the
// broadcast was sent to its end.
func (w *Worker) markDeparted(ctx context.Context, a *Active) error {
	b, err := w.Store.FindBroadcast(ctx, a.Broadcast.ID)
	if err != nil || b.State != models.Finished {
		return err
	}
	return w.Store.MarkGone(ctx, a.Departed())
}

// Finishing marks whom a broadcast that was sent to its end leaves to mark here.
func (w *Worker) Finishing(ctx context.Context, id int64) error {
	if a := w.Find(id); a != nil {
		return w.Store.MarkGone(ctx, a.Departed())
	}
	return nil
}

// End ends the sending of a broadcast here.
func (w *Worker) End(id int64) {
	if a := w.Find(id); a != nil {
		a.End(ErrNotRunning)
	}
}

// Find returns this process's part in a broadcast, or nil.
func (w *Worker) Find(id int64) *Active {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active[id]
}

// Sends tells whether this process sends a broadcast, or waits for its last calls.
func (w *Worker) Sends(id int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.active[id]
	return a != nil && a.underWay()
}

// All returns every broadcast that this process sends.
func (w *Worker) All() []*Active {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]*Active, 0, len(w.active))
	for _, a := range w.active {
		list = append(list, a)
	}
	return list
}

// Meters are those of the broadcasts that this process sends, by number.
func (w *Worker) Meters() map[int64]*throttle.Meter {
	meters := map[int64]*throttle.Meter{}
	for _, a := range w.All() {
		meters[a.Broadcast.ID] = a.Meter()
	}
	return meters
}
