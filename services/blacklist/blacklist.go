// Package blacklist knows whom the account has on its blacklist: the platform takes no
// message for them.
package blacklist

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"wechat-broadcast/cache"
	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const (
	// waitWithin is how long the start of a broadcast waits for the platform.
	waitWithin = 2 * time.Second
	// goodFor is how long a pull counts for the starts after it.
	goodFor = 2 * time.Minute
	// pullWithin is how long one pull may take.
	pullWithin = 5 * time.Minute
)

// Config is what a Puller needs. All fields are required.
type Config struct {
	Store    *models.Store
	Platform *wechat.Client
	// Life ends what is under way.
	Life context.Context //nolint:containedctx // of the Puller, which outlasts the requests
	Log  *slog.Logger
}

// Puller pulls the blacklist. It is safe for concurrent use.
type Puller struct {
	Config
	pulls *cache.Cache[struct{}, int]
	tasks sync.WaitGroup
}

// New returns a Puller. Wait must follow once its Life has ended.
func New(c Config) *Puller {
	p := &Puller{Config: c}
	p.pulls = cache.New(1, cache.For[int](goodFor), func(context.Context, struct{}) (int, error) {
		p.tasks.Add(1)
		defer p.tasks.Done()
		ctx, cancel := context.WithTimeout(p.Life, pullWithin)
		defer cancel()
		return Pull(ctx, p.Store, p.Platform)
	})
	return p
}

// Wait returns once nothing is under way any more.
func (p *Puller) Wait() { p.tasks.Wait() }

// Renew pulls the blacklist unless that was done in the last minutes. It waits for that
// for two seconds at most; then the pull goes on, and so does the broadcast: a send to
// somebody on the list is refused by the platform. A pull that fails is logged.
func (p *Puller) Renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, waitWithin)
	defer cancel()
	if _, err := p.pulls.Get(ctx, struct{}{}); err != nil {
		p.Log.WarnContext(ctx, "the blacklist is not pulled, going on with the last one", "err", err)
	}
}

// Pull has the people on the platform's blacklist marked, and nobody else, and returns
// how many of those who are known are on it. If the list can't be had as a whole, nobody
// is changed.
func Pull(ctx context.Context, store *models.Store, platform *wechat.Client) (int, error) {
	var openIDs []string
	asked := map[string]struct{}{}
	total := int64(0)
	for next, last := "", false; !last; {
		page, err := platform.Blacklist(ctx, next)
		if err != nil {
			return 0, err
		}
		openIDs = append(openIDs, page.OpenIDs...)
		total = max(total, page.Total)
		asked[next] = struct{}{}
		next, last = page.Next, page.Last
		if _, again := asked[next]; again && !last {
			return 0, fmt.Errorf("the blacklist repeats itself after %d people", len(openIDs))
		}
	}
	// It moves while it is read, but not by a tenth.
	if int64(len(openIDs))*10 < total*9 {
		return 0, fmt.Errorf("the blacklist has %d people, and %d were listed", total, len(openIDs))
	}
	return store.SetBlacklist(ctx, openIDs)
}
