// Package intercepted finds out how many messages of a broadcast the platform took and
// then kept back.
package intercepted

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

const (
	// pagesAtMost is how many pages of one template are read: ten thousand messages.
	pagesAtMost = 100
	// askWithin is how long the platform is asked about one broadcast.
	askWithin = 10 * time.Second
	// lookBack is how long after its end a broadcast is still asked about.
	lookBack = 24 * time.Hour
	// among is how many of the latest broadcasts may have sent the same template meanwhile.
	among = 50
	// slack is how far the platform's clock may be off, with its whole seconds.
	slack = 5 * time.Second
)

// Asker asks the platform. Store, Platform, Now and Log are required.
type Asker struct {
	Store    *models.Store
	Platform *wechat.Client
	Now      func() time.Time
	Log      *slog.Logger
	// tried are the broadcasts that were asked about, by number.
	tried *lru.Cache[int64, struct{}]
}

// New returns an Asker.
func New(store *models.Store, platform *wechat.Client, now func() time.Time, log *slog.Logger) *Asker {
	tried, _ := lru.New[int64, struct{}](200) // only a size of 0 is an error
	return &Asker{Store: store, Platform: platform, Now: now, Log: log, tried: tried}
}

// Count returns how many messages of a broadcast the platform intercepted so far: those
// that it lists for the template, were sent since the start of the broadcast, and went to
// somebody whom this broadcast sent to at that time, rather than another one with the same
// template.
func (a *Asker) Count(ctx context.Context, b *models.Broadcast) (int64, error) {
	template := templateOf(b)
	if b.StartedAt.IsZero() || template == "" {
		return 0, nil
	}
	latest, err := a.Store.Broadcasts(ctx, among)
	if err != nil {
		return 0, err
	}
	same := []int64{b.ID}
	for _, o := range latest {
		if o.ID != b.ID && !o.StartedAt.IsZero() && templateOf(&o) == template {
			same = append(same, o.ID)
		}
	}
	people := map[string]struct{}{}
	largest, since := int64(0), b.StartedAt.Add(-slack)
	for range pagesAtMost {
		page, err := a.Platform.Intercepted(ctx, template, largest)
		if err != nil {
			return 0, err
		}
		if err := a.match(ctx, b.ID, same, recent(page, since), people); err != nil {
			return 0, err
		}
		before := largest
		for _, m := range page {
			largest = max(largest, m.ID)
		}
		if largest == before { // the end, or a platform that gives the same page again
			break
		}
	}
	return int64(len(people)), nil
}

func recent(page []wechat.Interception, since time.Time) (list []wechat.Interception) {
	for _, m := range page {
		if !m.SentAt.Before(since) {
			list = append(list, m)
		}
	}
	return list
}

// match adds to people those of a page whom a broadcast sent the message to.
func (a *Asker) match(ctx context.Context, id int64, same []int64, page []wechat.Interception, people map[string]struct{}) error {
	openIDs := make([]string, len(page))
	for i, m := range page {
		openIDs[i] = m.OpenID
	}
	sent, err := a.Store.SentBy(ctx, same, openIDs)
	if err != nil {
		return err
	}
	for _, m := range page {
		if nearest(sent[m.OpenID], m.SentAt) == id {
			people[m.OpenID] = struct{}{}
		}
	}
	return nil
}

// nearest is the broadcast that sent to a person nearest to a moment, 0 for none.
func nearest(sent map[int64]time.Time, at time.Time) (id int64) {
	var least time.Duration
	for other, then := range sent {
		if d := at.Sub(then).Abs(); id == 0 || d < least || d == least && other < id {
			id, least = other, d
		}
	}
	return id
}

func templateOf(b *models.Broadcast) string {
	var def message.Definition
	if err := json.Unmarshal([]byte(b.Message), &def); err != nil {
		return ""
	}
	return def.TemplateID
}

// Look asks once about each broadcast that ended, when its receipts are in or late, and
// stores what it is told. What the platform does not tell stays unknown.
func (a *Asker) Look(ctx context.Context) error {
	list, err := a.Store.Uncounted(ctx, a.Now().Add(-lookBack))
	if err != nil {
		return err
	}
	for _, b := range list {
		if a.tried.Contains(b.ID) {
			continue
		}
		counts, err := a.counts(ctx, &b)
		if err != nil {
			return err
		}
		if counts == nil { // not yet
			continue
		}
		n := int64(0)
		if counts.Taken()+counts.Uncertain > 0 {
			n, err = a.ask(ctx, &b)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.tried.Add(b.ID, struct{}{})
		if err != nil {
			a.Log.WarnContext(ctx, "what the platform intercepted is not known", "broadcast", b.ID, "err", err)
			continue
		}
		if err := a.Store.SetIntercepted(ctx, b.ID, n); err != nil {
			return fmt.Errorf("broadcast %d: %w", b.ID, err)
		}
	}
	return nil
}

// counts are those of a broadcast that ended, nil as long as its receipts are waited for.
func (a *Asker) counts(ctx context.Context, b *models.Broadcast) (*models.Counts, error) {
	since := a.Now().Sub(b.FinishedAt.Time)
	counts, err := a.Store.CountDeliveries(ctx, b.ID)
	if err != nil || counts.Accepted > 0 && since < models.ReceiptsWithin || counts.Sending > 0 && since < models.ReceiptsWithin {
		return nil, err
	}
	return &counts, nil
}

func (a *Asker) ask(ctx context.Context, b *models.Broadcast) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return a.Count(ctx, b)
}

// Looked tells whether it is known what was intercepted of a broadcast that ended, or will
// not be known before people are told of its end.
func (a *Asker) Looked(b *models.Broadcast) bool {
	return b.Intercepted >= 0 || b.StartedAt.IsZero() || a.tried.Contains(b.ID) ||
		a.Now().Sub(b.FinishedAt.Time) > models.ReceiptsWithin+askWithin
}
