package progress

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"wechat-broadcast/cache"
	"wechat-broadcast/services/wechat"
)

const (
	titlesLast  = 10 * time.Minute
	titlesRetry = time.Minute     // after the platform did not answer
	titlesWait  = time.Second     // of a page
	titlesAsk   = 5 * time.Second // of the question to the platform
)

// titles has the account's templates for the cards of messages. A page waits a
// moment for the first list, and never for a newer one.
type titles struct {
	lists *cache.Cache[struct{}, titleList]
	known atomic.Pointer[titleList] // the last one that was read
}

// titleList has templates by their ids; nil if the platform did not answer.
type titleList map[string]wechat.Template

func newTitles(platform templateList, log *slog.Logger) *titles {
	t := &titles{}
	ttl := func(list titleList, _ time.Duration) time.Duration {
		if list == nil {
			return titlesRetry
		}
		return titlesLast
	}
	t.lists = cache.New(1, ttl, func(ctx context.Context, _ struct{}) (titleList, error) {
		ctx, cancel := context.WithTimeout(ctx, titlesAsk)
		defer cancel()
		read, _, err := platform.KnownTemplates(ctx, time.Minute)
		if err != nil {
			log.DebugContext(ctx, "read the account's templates for a page", "err", err)
			return nil, nil
		}
		list := make(titleList, len(read))
		for _, template := range read {
			list[template.ID] = template
		}
		t.known.Store(&list)
		return list, nil
	})
	return t
}

// find returns a template by its id, or one without content.
func (t *titles) find(ctx context.Context, id string) wechat.Template {
	var patience time.Duration
	if t.known.Load() == nil {
		patience = titlesWait
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, _ = t.lists.Get(ctx, struct{}{}) // starts a read if one is due
	if known := t.known.Load(); known != nil {
		return (*known)[id]
	}
	return wechat.Template{}
}
