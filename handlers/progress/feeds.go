// Package progress is how a broadcast gets on as pages show it: what there is to say of it
// in words, and its live state, which all who look share.
package progress

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"wechat-broadcast/cache"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/wechat"
)

// engine is what the pages ask of a *broadcast.Engine.
type engine interface {
	Status(ctx context.Context, id int64) (*broadcast.Status, error)
	List(ctx context.Context, n int) ([]broadcast.Status, error)
	Preview(ctx context.Context, b models.Broadcast) (wechat.Message, error)
}

// templateList is what the pages ask of a *wechat.Client.
type templateList interface {
	KnownTemplates(ctx context.Context, age time.Duration) ([]wechat.Template, time.Time, error)
}

// Config is what Feeds work with. All fields are required.
type Config struct {
	Store    *models.Store
	Engine   engine
	Platform templateList
	// Language is that of most pages: zh or en.
	Language string
	Now      func() time.Time
	Log      *slog.Logger
}

// Feeds have the live state of an account's broadcasts. They are safe for concurrent use.
type Feeds struct {
	config  Config
	words   map[string]*Words
	titles  *titles
	tag     string // of this process, in the ids of events
	streams atomic.Int64

	ctx     context.Context
	cancel  context.CancelFunc
	pollers sync.WaitGroup

	mu      sync.Mutex
	feeds   map[int64]*feed
	history *cache.Cache[struct{}, []broadcast.Status]
}

// New returns Feeds. Close must follow.
func New(c Config) (*Feeds, error) {
	p := &Feeds{
		config: c, words: map[string]*Words{}, feeds: map[int64]*feed{},
		titles: newTitles(c.Platform, c.Log), history: newHistory(c.Engine.List), tag: rand.Text()[:8],
	}
	for _, language := range lang.Languages {
		var err error
		if p.words[language], err = NewWords(language, c.Log); err != nil {
			return nil, err
		}
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// Close ends the event streams and what keeps them up to date. It can be called
// again.
func (p *Feeds) Close() {
	p.mu.Lock()
	p.cancel()
	p.mu.Unlock()
	p.pollers.Wait()
}

// begin runs f in the background. Its ctx ends with Close.
func (p *Feeds) begin(f func(ctx context.Context)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() == nil {
		p.pollers.Go(func() { f(p.ctx) })
	}
}

// Words returns what there is to say in a language, nil if there are no words of it.
func (p *Feeds) Words(language string) *Words { return p.words[language] }

// Snapshot returns the state of a broadcast that is at most about a second old. There
// being none of that id is an Error of kind NotFound.
func (p *Feeds) Snapshot(ctx context.Context, id int64) (*Snapshot, error) {
	return p.feed(id).refresh(ctx)
}

// Still returns the state of a broadcast that was read at a moment, without what takes
// long to count.
func Still(st broadcast.Status, at time.Time) *Snapshot {
	return &Snapshot{Status: st, at: at, rate: st.Rate, left: st.Left}
}

// At is the moment of a snapshot.
func (s *Snapshot) At() time.Time { return s.at }
