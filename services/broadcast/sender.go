package broadcast

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

// releaseEvery is how often the rows of those who are not sent to after all are
// taken back.
const releaseEvery = 100 * time.Millisecond

// Sender sends batches: it claims their recipients in groups, calls the
// platform with a fixed number of workers and has every outcome recorded.
type Sender struct {
	store    *models.Store
	platform *wechat.Client
	pacer    *Pacer
	gate     *Gate
	recorder *recorder
	metrics  *Metrics
	now      func() time.Time
	log      *slog.Logger

	// hard ends calls in flight when a stop takes too long, last the storing of
	// what came of them.
	hard, last context.Context
	jobs       chan *job
	// mute counts the calls in a row that brought no usable answer.
	mute    atomic.Int64
	heard   heard
	writing health // of the database, when deliveries are written
	budget  *budget
	workers sync.WaitGroup
}

func (s *Sender) start(concurrency int) {
	s.budget = newBudget(concurrency, s.now)
	s.jobs = make(chan *job)
	for range concurrency {
		s.workers.Go(func() {
			for j := range s.jobs {
				s.try(j)
			}
		})
	}
}

// stop ends the workers; no batch may be under way.
func (s *Sender) stop() {
	close(s.jobs)
	s.workers.Wait()
}

// SendBatch sends to every recipient of the batch that has no outcome yet and
// returns nil once each has one, recorded. When ctx ends, nothing new is sent,
// what is in flight is recorded, and the cause of ctx is returned; an
// undoneError says that it must be run again. It can be run again at any time,
// also after a crash: recipients whose send was begun are asked again under the
// same client_msg_id while the platform honours it, and are uncertain after that.
func (s *Sender) SendBatch(ctx context.Context, r *run, b models.Batch) error {
	w := &batchWork{read: s.now(), shed: make(chan struct{}, 1), alone: b.Seq == 1 && b.Size == 1}
	tasks, err := s.store.Tasks(ctx, &r.b, b)
	if err != nil {
		return err
	}
	if err := s.fillProfiles(ctx, r, tasks); err != nil {
		return err
	}
	release := s.releasing(ctx, r, w)
	var begun, putOff, fresh []models.Task
	for _, t := range tasks {
		switch due := t.UpdatedAt.Add(laterAfter); {
		case t.State == "":
			fresh = append(fresh, t)
		case t.State == models.Later && s.now().Before(due):
			w.leave(due)
		case t.State == models.Later:
			putOff = append(putOff, t)
		case s.tooOld(t.SentAt.Time):
			s.giveUp(r, w, t)
		default:
			begun = append(begun, t)
		}
	}
	err = s.feed(ctx, r, w, begun, nil)
	if err == nil {
		err = s.feed(ctx, r, w, putOff, s.claimAgain)
	}
	if err == nil {
		err = s.feed(ctx, r, w, fresh, s.claimFresh(w))
	}
	w.pending.Wait()
	err = errors.Join(err, release())
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case w.undone:
		return &undoneError{w.again}
	}
	return nil
}

// tooOld tells whether the platform can no longer be asked again about a send
// that was begun at a moment; one in the future means that the clock was set.
func (s *Sender) tooOld(begun time.Time) bool {
	age := s.now().Sub(begun)
	return age > askAgainFor || age < -time.Minute
}

// giveUp records a recipient as uncertain without asking again.
func (s *Sender) giveUp(r *run, w *batchWork, t models.Task) {
	w.pending.Add(1)
	s.recorder.in <- record{
		outcome: models.Outcome{
			BroadcastID: r.b.ID, RecipientID: t.RecipientID, State: models.Uncertain,
			Attempts: max(t.Attempts, 1), SentAt: t.SentAt.Time, Detail: "begun and not recorded; too late to ask again",
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

// claimFunc writes the rows of recipients that are about to be sent to and
// returns those who are not to be sent to any more.
type claimFunc func(ctx context.Context, b *models.Broadcast, recipients []int64, now time.Time) (unwilling []int64, err error)

// claimAgain is the claimFunc for those who were put off. Each is asked about
// before the call.
func (s *Sender) claimAgain(ctx context.Context, b *models.Broadcast, recipients []int64, now time.Time) ([]int64, error) {
	return nil, s.store.ReclaimDeliveries(ctx, b.ID, recipients, now)
}

// feed hands the tasks to the workers, a group at a time, each group claimed
// before the first of it is sent; a nil claim is for those that have their row.
func (s *Sender) feed(ctx context.Context, r *run, w *batchWork, tasks []models.Task, claim claimFunc) error {
	for len(tasks) > 0 {
		group := tasks[:min(s.budget.size(), len(tasks))]
		probe := false
		if claim != nil {
			// Nobody is claimed who can't be sent to now, and for a probe only one is.
			var err error
			if probe, err = s.admit(ctx, r, unclaimed); err != nil {
				return err
			}
			if probe {
				group = group[:1]
			}
		}
		tasks = tasks[len(group):]
		now, err := s.take(ctx, r, &group, claim)
		if probe && len(group) == 0 {
			s.gate.Abandon()
		}
		if err != nil {
			return err
		}
		for _, t := range group {
			j := &job{ctx: ctx, run: r, batch: w, task: t, calls: t.Attempts, spent: t.Attempts, claimed: now, probe: probe}
			switch t.State {
			case "":
				j.willing = w.willingAt(now)
			case models.Later:
				j.putOff = true
			default:
				j.doubt, j.claimed = true, t.SentAt.Time
				s.gate.Doubt(1)
			}
			w.pending.Add(1)
			if probe {
				s.try(j) // not by a worker: they may all wait for what comes of it
				continue
			}
			s.hand(j)
		}
	}
	return nil
}

// take takes a group's part of the budget and claims it, unless claim is nil. It
// leaves in the group those who are to be sent to, and returns when it was claimed.
func (s *Sender) take(ctx context.Context, r *run, group *[]models.Task, claim claimFunc) (now time.Time, err error) {
	taken := *group
	*group = nil
	if err := s.budget.Acquire(ctx, int64(len(taken))); err != nil {
		return now, err
	}
	now = s.now()
	if claim != nil {
		if taken, err = s.claim(r, taken, claim, now); err != nil {
			return now, err
		}
	}
	*group = taken
	return now, nil
}

// releasing takes the rows of those back who are claimed and not sent to, as soon
// as they are known to be, until the function that it returns is called: that takes
// the last of them back and says whether all were.
func (s *Sender) releasing(ctx context.Context, r *run, w *batchWork) (end func() error) {
	// Who lost the lease on the batch leaves the rows to whoever has it now.
	storing, cancel := context.WithCancel(s.last)
	unlink := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errLeaseLost) {
			cancel()
		}
	})
	var failed error
	release := func() {
		w.mu.Lock()
		ids := w.unsent
		w.unsent = nil
		w.mu.Unlock()
		if len(ids) == 0 || errors.Is(context.Cause(ctx), errLeaseLost) {
			return
		}
		failed = errors.Join(failed, persist(storing, s.log, "release deliveries", func(ctx context.Context) error {
			return s.store.ReleaseDeliveries(ctx, r.b.ID, ids)
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

// claimFresh is the claimFunc for those who have no row yet. To ask for their
// wish in the same statement is worth it when their batch has been waiting.
func (s *Sender) claimFresh(w *batchWork) claimFunc {
	return func(ctx context.Context, b *models.Broadcast, recipients []int64, now time.Time) ([]int64, error) {
		if w.willingAt(now).Before(now) {
			return nil, s.store.ClaimDeliveries(ctx, b.ID, recipients, now)
		}
		return s.store.ClaimWilling(ctx, b, recipients, now)
	}
}

// claim claims a group and returns those of it who are to be sent to.
func (s *Sender) claim(r *run, group []models.Task, claim claimFunc, now time.Time) ([]models.Task, error) {
	ids := make([]int64, len(group))
	for i, t := range group {
		ids[i] = t.RecipientID
	}
	// Not with the run's ctx: a claim that is cut short may be there all the same,
	// and those whom nobody sent to would be in doubt.
	unwilling, err := claim(s.last, &r.b, ids, now)
	if s.writing.note(err) != nil {
		s.budget.Release(int64(len(group)))
		return nil, err
	}
	if len(unwilling) == 0 {
		return group, nil
	}
	s.budget.Release(int64(len(unwilling)))
	return slices.DeleteFunc(group, func(t models.Task) bool { return slices.Contains(unwilling, t.RecipientID) }), nil
}
