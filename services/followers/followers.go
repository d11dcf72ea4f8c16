// Package followers knows who follows the account: it pulls the platform's
// list, keeps it current by the events in between, and keeps people's wishes to
// be left alone and the test list.
package followers

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

// Config is what a Service needs. Store and Platform are required.
type Config struct {
	Store    *models.Store
	Platform *wechat.Client
	// Cap is how many broadcasts a person gets at most.
	Cap models.Cap
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Log is where syncs are told; nothing is logged if nil.
	Log *slog.Logger
}

// Service keeps the list of followers. It is safe for concurrent use.
type Service struct {
	store    *models.Store
	platform *wechat.Client
	limit    models.Cap
	now      func() time.Time
	log      *slog.Logger
	syncing  atomic.Bool

	// background ends with Close; mu guards that nothing is added to tasks then.
	mu            sync.Mutex
	background    context.Context
	endBackground context.CancelFunc
	tasks, syncs  sync.WaitGroup

	// heard are the texts that are to be stored; storeHeard begins to, once. What comes
	// through askHeard is closed when those before it are stored.
	heard      chan models.Heard
	askHeard   chan chan struct{}
	storeHeard func()
}

// New returns a Service. Close must follow if StartSync, Heard or Who is used.
func New(cfg Config) *Service {
	s := &Service{
		store:    cfg.Store,
		platform: cfg.Platform,
		limit:    cfg.Cap,
		now:      cfg.Now,
		log:      cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.background, s.endBackground = context.WithCancel(context.Background())
	s.heard, s.askHeard = make(chan models.Heard, maxHeard), make(chan chan struct{})
	s.storeHeard = sync.OnceFunc(s.startHeard)
	return s
}

// Stats is how many people there are of each sort.
type Stats struct {
	models.RecipientCounts
	// LastSync is when a sync last saw the whole list; zero for never.
	LastSync time.Time
}

// Stats counts the people.
func (s *Service) Stats(ctx context.Context) (Stats, error) {
	counts, err := s.store.CountRecipients(ctx)
	if err != nil {
		return Stats{}, err
	}
	last, err := s.store.LastSync(ctx)
	return Stats{counts, last.CompleteAt.Time}, err
}

// EverPulled tells whether the follower list was ever complete: before that, a
// broadcast to all would miss most.
func (s *Service) EverPulled(ctx context.Context) (bool, error) {
	at, err := s.store.Fact(ctx, models.FactPulled)
	return at != "", err
}

// Syncing tells whether a sync is under way, in this process or another on the
// database.
func (s *Service) Syncing(ctx context.Context) (bool, error) {
	if s.syncing.Load() {
		return true, nil
	}
	return s.store.SyncLeased(ctx)
}
