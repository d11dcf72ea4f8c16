// Package delivery sends batches: it claims their recipients in groups, calls the
// platform for each when the throttle lets it, decides what the answer means, has
// every outcome recorded, and counts the receipts. It knows nothing of how a
// broadcast came about or who else sends it.
package delivery

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/models"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/zone"
)

// ErrLeaseLost is the cause with which the sending of a batch ends that another may
// have taken: its rows are that one's.
var ErrLeaseLost = errors.New("the lease on the batch is lost")

// Undone says that part of a batch is left, and when it may be run again.
type Undone struct{ Due time.Time }

func (e *Undone) Error() string { return "part of the batch is left" }

// Config is what a Sender needs.
type Config struct {
	Store    *models.Store
	Platform *wechat.Client
	Channel  wechat.Channel
	Throttle *throttle.Throttle
	// Concurrency is how many calls are made at the same time at most.
	Concurrency int
	// Cap is how many broadcasts a person gets at most, and Quiet are the hours in which
	// nothing is sent, where an audience's policy says that they hold.
	Cap   models.Cap
	Quiet zone.Hours
	// Calls ends the calls in flight when a stop takes too long, Storing the storing
	// of what came of them.
	Calls, Storing context.Context
	Metrics        prometheus.Registerer
	Now            func() time.Time
	Log            *slog.Logger
}

// Sender sends batches with a fixed number of workers. It is safe for concurrent
// use.
type Sender struct {
	Receipts *Receipts

	store          *models.Store
	platform       *wechat.Client
	channel        wechat.Channel
	throttle       *throttle.Throttle
	limit          models.Cap
	quiet          zone.Hours
	calls, storing context.Context
	metrics        *metrics
	now            func() time.Time
	log            *slog.Logger

	recorder *recorder
	writing  models.Health // of the database, when deliveries are written
	budget   *budget
	jobs     chan *job
	workers  sync.WaitGroup
}

// New returns a Sender that is ready. Close must follow.
func New(c Config) *Sender {
	s := &Sender{
		store: c.Store, platform: c.Platform, channel: c.Channel, throttle: c.Throttle, limit: c.Cap, quiet: c.Quiet, calls: c.Calls, storing: c.Storing,
		metrics: newMetrics(c.Metrics), now: c.Now, log: c.Log,
		budget: newBudget(c.Concurrency, c.Now), jobs: make(chan *job),
	}
	s.Receipts = newReceipts(c.Store, s.metrics, c.Now, c.Log)
	s.recorder = newRecorder(c.Storing, c.Store, &s.writing, c.Now, c.Log)
	for range c.Concurrency {
		s.workers.Go(func() {
			for j := range s.jobs {
				s.try(j)
			}
		})
	}
	return s
}

// Close ends the workers. No batch may be under way.
func (s *Sender) Close() {
	close(s.jobs)
	s.workers.Wait()
	s.recorder.close()
	s.Receipts.close()
}

// Fault returns why deliveries could not be written when they last had to be, nil if
// they could.
func (s *Sender) Fault() error { return s.writing.Fault() }

// NoteWrite takes note of how another write for the sending went, and returns its error.
func (s *Sender) NoteWrite(err error) error { return s.writing.Note(err) }

// tooOld tells whether the platform can no longer be asked again about a send
// that was begun at a moment; one in the future means that the clock was set.
func (s *Sender) tooOld(begun time.Time) bool {
	age := s.now().Sub(begun)
	return age > s.channel.RepeatFor() || age < -time.Minute
}
