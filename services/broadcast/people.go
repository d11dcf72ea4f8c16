package broadcast

import (
	"context"
	"fmt"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/blacklist"
	"wechat-broadcast/services/intercepted"
	"wechat-broadcast/services/tags"
	"wechat-broadcast/services/wechat"
)

// askPlatformWith makes the parts that ask the platform for groups of people.
func (e *Engine) askPlatformWith(c Config) {
	e.tags = tags.New(tags.Config{Store: c.Store, Platform: c.Platform, Life: e.inBackground, Now: c.Now, Log: c.Log})
	e.groups = &audience.Groups{Store: c.Store, Tags: e.tags, Log: c.Log}
	e.blacklist = blacklist.New(blacklist.Config{Store: c.Store, Platform: c.Platform, Life: e.inBackground, Log: c.Log})
	e.interceptions = intercepted.New(c.Store, c.Platform, c.Now, c.Log)
}

// Tags returns the account's tags. The errors are those of tags.Puller.Known.
func (e *Engine) Tags(ctx context.Context) ([]wechat.Tag, error) { return e.tags.Known(ctx) }

// prepare pulls in the undo window what a broadcast needs when it starts. Whatever fails
// is tried again then.
func (e *Engine) prepare(b models.Broadcast) {
	if b.Audience.Trial() || b.NotBefore.Sub(e.now()) > tags.GoodFor {
		return
	}
	e.background.Go(func() { e.blacklist.Renew(e.inBackground) })
	e.background.Go(func() {
		if err := e.tags.Ready(e.inBackground, b.ID); err != nil && e.inBackground.Err() == nil {
			e.log.WarnContext(e.inBackground, "pull the tags of a broadcast, trying again when it starts", "broadcast", b.ID, "err", err)
		}
	})
}

// gather pulls what must be known of people before a broadcast is planned.
func (r *run) gather(ctx context.Context) error {
	if !r.b.PlannedAt.IsZero() || r.b.Audience.Trial() {
		return nil
	}
	r.pulling.Store(true)
	r.blacklist.Renew(ctx)
	err := r.tags.Ready(ctx, r.b.ID)
	r.pulling.Store(false)
	return r.afterPull(ctx, err, "the tags", untagged)
}

// untagged says why a broadcast waits for its tags.
func untagged(err *models.Error) models.Move {
	m := models.Move{Event: models.EventStop, Reason: models.ReasonTags, Detail: refusal(err)}
	switch err.Code {
	case models.ErrTagsQuota:
		m.Reason, m.Detail = models.ReasonTagsQuota, ""
	case models.ErrTagGone:
		m.Detail = fmt.Sprint(err.Args["Name"])
	}
	return m
}

// lookEvery is how often ended broadcasts are looked through for what was intercepted.
const lookEvery = 2 * time.Second

func (e *Engine) lookIntercepted(ctx context.Context) {
	if err := e.interceptions.Look(ctx); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "look for what was intercepted, trying again", "err", err)
	}
}

// Looked tells whether it is known what the platform intercepted of a broadcast that
// ended, or will not be known soon.
func (e *Engine) Looked(b *models.Broadcast) bool { return e.interceptions.Looked(b) }
