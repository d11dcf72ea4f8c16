// Package tags pulls those who have a tag on the platform, for the broadcast that names it.
package tags

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"wechat-broadcast/cache"
	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const (
	// GoodFor is how long what was pulled is as good as pulled anew.
	GoodFor = 10 * time.Minute
	// askWithin is how long the reply to a request waits for the platform.
	askWithin = 2 * time.Second
	// pullWithin is how long one pull may take.
	pullWithin = 30 * time.Minute
	// keepFor is how long a pull that no broadcast is for is kept; one may be under way.
	keepFor = 2 * time.Hour
	// pullsAtMost is how many pulls are remembered.
	pullsAtMost = 200
)

// Config is what a Puller needs. All fields are required.
type Config struct {
	Store    *models.Store
	Platform *wechat.Client
	// Life ends what is under way.
	Life context.Context //nolint:containedctx // of the Puller, which outlasts the requests
	Now  func() time.Time
	Log  *slog.Logger
}

// Puller pulls tags. It is safe for concurrent use.
type Puller struct {
	Config
	// pulls are the segments that were pulled, or are being pulled.
	pulls *cache.Cache[pull, int64]
	tasks sync.WaitGroup
}

// pull is that of a tag for a broadcast. All who wait for it share it.
type pull struct {
	// request is the broadcast's RequestKey: it has no number yet when its pull begins.
	request, by string
	tag         int64
	name        string
}

// New returns a Puller. Wait must follow once its Life has ended.
func New(c Config) *Puller {
	p := &Puller{Config: c}
	p.pulls = cache.New(pullsAtMost, cache.For[int64](GoodFor), func(_ context.Context, w pull) (int64, error) {
		p.tasks.Add(1)
		defer p.tasks.Done()
		return p.pull(w)
	})
	return p
}

// Wait returns once nothing is under way any more.
func (p *Puller) Wait() { p.tasks.Wait() }

// Known returns the account's tags. A platform that does not tell them in time, or refuses
// to, is a models.ErrTagsUnchecked.
func (p *Puller) Known(ctx context.Context) ([]wechat.Tag, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	list, err := p.Platform.KnownTags(ctx)
	var refused *wechat.APIError
	switch {
	case err == nil:
		return list, nil
	case errors.As(err, &refused):
		return nil, unchecked(refused.Code, refused.Msg, err)
	default:
		return nil, unchecked(0, err.Error(), err)
	}
}

func unchecked(code int, reason string, cause error) error {
	err := models.NewError(models.Unavailable, models.ErrTagsUnchecked, "Code", code, "Reason", reason)
	err.Err = cause
	return err
}

// Soon pulls the tags of a broadcast that is asked for, if that takes no longer than its
// asker can wait, and enters what was pulled into its target. Else the pull goes on, and
// Ready takes it up.
func (p *Puller) Soon(ctx context.Context, b *models.Broadcast) {
	if !b.Target.Unpulled() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	pulled, err := p.all(ctx, b, unpulled(b.Target))
	if err != nil {
		p.Log.WarnContext(ctx, "the tags of a broadcast are not pulled yet", "message", b.Name, "err", err)
		return
	}
	b.Target = b.Target.WithSegments(pulled)
}

// Announced is how many have the tags for which a broadcast is, by the platform's count.
func (p *Puller) Announced(ctx context.Context, b *models.Broadcast) (n int64) {
	list, err := p.Known(ctx)
	if err != nil {
		p.Log.WarnContext(ctx, "the sizes of tags are not known", "err", err)
	}
	for _, g := range b.Target.Groups {
		if i := slices.IndexFunc(list, func(t wechat.Tag) bool { return t.ID == g.ID }); g.Kind == models.GroupTag && i >= 0 {
			n += list[i].Count
		}
	}
	return n
}

// Ready sees to it that the tags of a broadcast are pulled, not longer ago than GoodFor,
// as long as its audience is not fixed. Those that a broadcast has from an earlier one
// stay as they are.
//
// If the platform refuses: models.ErrTagGone for a tag that was deleted,
// models.ErrTagsQuota, or models.ErrTagsUnchecked. Another error passes by itself.
func (p *Puller) Ready(ctx context.Context, id int64) error {
	b, err := p.Store.FindBroadcast(ctx, id)
	if err != nil || !b.PlannedAt.IsZero() || b.ThroughID != 0 && b.OfID == 0 {
		return err
	}
	missing, own, err := p.missing(ctx, b)
	if err != nil || len(missing) == 0 {
		return err
	}
	if last, err := p.Store.LastBatch(ctx, id); err != nil || last != nil {
		return err
	}
	pulled, err := p.all(ctx, b, missing)
	if err != nil {
		return err
	}
	_, err = p.Store.SetPulled(ctx, id, pulled, own)
	return err
}

// missing returns the tags of a broadcast that are to be pulled, and what was pulled of
// its tags for itself.
func (p *Puller) missing(ctx context.Context, b *models.Broadcast) (missing []models.Group, own []int64, err error) {
	var ids []int64
	for _, g := range b.Target.All() {
		if g.Kind == models.GroupTag && g.Segment != 0 {
			ids = append(ids, g.Segment)
		}
	}
	segments, err := p.Store.FindSegments(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	missing = unpulled(b.Target)
	for _, s := range segments {
		// One without an earlier broadcast has its own, even if the platform delivered its
		// message again after they were pulled.
		if b.OfID != 0 && s.MadeAt.Before(b.AskedAt.Time) {
			continue
		}
		own = append(own, s.ID)
		if p.Now().Sub(s.MadeAt.Time) < GoodFor {
			continue
		}
		for _, g := range b.Target.All() {
			if g.Kind == models.GroupTag && g.Segment == s.ID {
				missing = append(missing, g)
			}
		}
	}
	return missing, own, nil
}

func unpulled(t models.Target) (list []models.Group) {
	for _, g := range t.All() {
		if g.Kind == models.GroupTag && g.Segment == 0 {
			list = append(list, g)
		}
	}
	return list
}

// all pulls tags and returns their segments by their numbers on the platform.
func (p *Puller) all(ctx context.Context, b *models.Broadcast, groups []models.Group) (map[int64]int64, error) {
	pulled := map[int64]int64{}
	for _, g := range groups {
		segment, _, err := p.pulls.GetWithin(ctx, pull{b.RequestKey, b.AskedBy, g.ID, g.Name}, GoodFor)
		if err != nil {
			return nil, err
		}
		pulled[g.ID] = segment
	}
	return pulled, nil
}

// Tidy deletes what was pulled and is for no broadcast.
func (p *Puller) Tidy(ctx context.Context) error {
	return p.Store.DropPulled(ctx, p.Now().Add(-keepFor))
}
