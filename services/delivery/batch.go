package delivery

import (
	"context"
	"errors"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
)

const (
	// releaseEvery is how often the rows of those who are not sent to after all are
	// taken back.
	releaseEvery = 100 * time.Millisecond
	// readFor is how long it is taken for granted that the people of a batch that was
	// read can still be written to. Their claim can ask them all at once: at a speed at
	// which a batch takes less, it need not.
	readFor = 250 * time.Millisecond
)

// batchRun is a batch being sent.
type batchRun struct {
	read    time.Time // when its recipients were, of whom only the reachable were
	alone   bool      // its only recipient is the broadcast's only one
	pending sync.WaitGroup

	claims claims

	mu     sync.Mutex
	unsent []int64       // claimed, surely not sent
	shed   chan struct{} // has something when unsent does
	undone bool          // something is left for another run of the batch
	due    time.Time
}

// Send sends to every recipient of the batch that has no outcome yet and returns nil
// once each has one, recorded. When ctx ends, nothing new is sent, what is in flight
// is recorded, and the cause of ctx is returned; an Undone says that the batch must
// be run again. It can be run again at any time, also after a crash: recipients whose
// send was begun are asked again under the same client_msg_id while the platform
// honours it, and are uncertain after that. ctx must end with that of a.
func (s *Sender) Send(ctx context.Context, a *Active, b models.Batch) error {
	w := &batchRun{read: s.now(), shed: make(chan struct{}, 1), alone: b.Seq == 1 && b.Size == 1, claims: claims{store: s.store, batch: b}}
	tasks, err := s.store.Tasks(ctx, &a.Broadcast, b)
	if err != nil {
		return err
	}
	if err := s.fillProfiles(ctx, a, tasks); err != nil {
		return err
	}
	release := s.releasing(ctx, b, w)
	begun, deferred, fresh := s.sort(a, w, tasks)
	err = s.feed(ctx, a, w, begun, nil)
	if err == nil {
		err = s.feed(ctx, a, w, deferred, s.claimAgain)
	}
	if err == nil {
		err = s.feed(ctx, a, w, fresh, s.claimFresh(w))
	}
	w.pending.Wait()
	err = errors.Join(err, release())
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case w.undone:
		return &Undone{w.due}
	}
	return nil
}

// sort parts the recipients of a batch into those whose send was begun, those whose
// rest is over and those who have no row. It records those whom the platform can't be
// asked about again.
func (s *Sender) sort(a *Active, w *batchRun, tasks []models.Task) (begun, deferred, fresh []models.Task) {
	for _, t := range tasks {
		switch due := t.UpdatedAt.Add(DeferFor); {
		case t.State == "":
			fresh = append(fresh, t)
		case t.State == models.Deferred && s.now().Before(due):
			w.leave(due)
		case t.State == models.Deferred:
			deferred = append(deferred, t)
		case s.tooOld(t.SentAt.Time):
			s.giveUp(a, w, t)
		default:
			begun = append(begun, t)
		}
	}
	return begun, deferred, fresh
}

// giveUp records a recipient as uncertain without asking again.
func (s *Sender) giveUp(a *Active, w *batchRun, t models.Task) {
	w.pending.Add(1)
	s.recorder.in <- entry{
		outcome: models.Outcome{
			BroadcastID: a.Broadcast.ID, RecipientID: t.RecipientID, State: models.Uncertain,
			Attempts: max(t.Attempts, 1), SentAt: t.SentAt.Time, Detail: models.DetailUnrecorded,
		},
		done: func(recorded bool) {
			if !recorded {
				w.leave(s.now())
			}
			w.pending.Done()
		},
	}
	s.metrics.sent(models.Uncertain)
}

// reachableAt is when those were last known to be reachable whom nobody has been sent
// to and who are claimed now: a claim asks them if it is too long ago.
func (w *batchRun) reachableAt(now time.Time) time.Time {
	if now.Sub(w.read) < readFor {
		return w.read
	}
	return now
}

// leave notes that a recipient is left for another run, not before a moment.
func (w *batchRun) leave(due time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.undone || due.Before(w.due) {
		w.due = due
	}
	w.undone = true
}

// unsend notes a recipient who is claimed and was surely not sent to.
func (w *batchRun) unsend(recipient int64) {
	w.mu.Lock()
	w.unsent = append(w.unsent, recipient)
	w.mu.Unlock()
	select {
	case w.shed <- struct{}{}:
	default:
	}
}

// takeUnsent returns those who were noted since the last time.
func (w *batchRun) takeUnsent() []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := w.unsent
	w.unsent = nil
	return ids
}

// releasing takes the rows of those back who are claimed and not sent to, as soon
// as they are known to be, until the function that it returns is called: that takes
// the last of them back and says whether all were.
func (s *Sender) releasing(ctx context.Context, b models.Batch, w *batchRun) (end func() error) {
	// Who lost the lease on the batch leaves the rows to whoever has it now.
	storing, cancel := context.WithCancel(s.storing)
	unlink := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), ErrLeaseLost) {
			cancel()
		}
	})
	var failed error
	release := func() {
		ids := w.takeUnsent()
		if len(ids) == 0 || errors.Is(context.Cause(ctx), ErrLeaseLost) {
			return
		}
		failed = errors.Join(failed, loop.Persist(storing, s.log, "release deliveries", func(ctx context.Context) error {
			return errors.Join(w.claims.drop(ctx, ids), s.store.ReleaseDeliveries(ctx, b, ids))
		}))
	}
	stop := make(chan struct{})
	var releaser sync.WaitGroup
	releaser.Go(func() {
		for {
			select {
			case <-w.shed:
				select { // those that come together go together
				case <-time.After(releaseEvery):
					release()
				case <-stop:
					return
				}
			case <-stop:
				return
			}
		}
	})
	return func() error {
		close(stop)
		releaser.Wait()
		release()
		unlink()
		cancel()
		return failed
	}
}
