package broadcast

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

const (
	sampleSize    = 100 // recipients for whom the message is filled before it is taken
	askPlatform   = 2 * time.Second
	templatesLast = time.Minute
	// SendPath is the path of the API that sends, by which its quota is read.
	SendPath = "/cgi-bin/message/template/send"
)

// Ask takes a broadcast: it fixes the message as it stands in the message file
// now, checks it against the platform's rules, the account's template and some
// of the recipients, and stores it. It returns at once; Run does the rest. The
// same RequestKey gets the same broadcast.
func (e *Engine) Ask(ctx context.Context, q Request) (*Asked, error) {
	if b, err := e.store.FindRequest(ctx, q.RequestKey); b != nil || err != nil {
		return e.asked(ctx, b, err)
	}
	def, err := e.messages.Get(q.Message)
	if err != nil {
		return nil, err
	}
	b, err := e.draft(q, def)
	if err != nil {
		return nil, err
	}
	return e.take(ctx, b, def, q.Again)
}

// Retry takes a broadcast of its own that sends the message of an earlier one
// again to those of its recipients that failed or are uncertain.
func (e *Engine) Retry(ctx context.Context, id int64, askedBy, requestKey string) (*Asked, error) {
	if b, err := e.store.FindRequest(ctx, requestKey); b != nil || err != nil {
		return e.asked(ctx, b, err)
	}
	of, err := e.store.FindBroadcast(ctx, id)
	if err != nil {
		return nil, err
	}
	if !of.State.Final() {
		return nil, models.NewError(models.Conflict, models.ErrWrongState, "ID", id, "State", string(of.State), "Action", "retry")
	}
	var def message.Definition
	if err := json.Unmarshal([]byte(of.Message), &def); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	b, err := e.draft(Request{Audience: models.AudienceRetry, AskedBy: askedBy, RequestKey: requestKey}, &def)
	if err != nil {
		return nil, err
	}
	b.RetryOf = of.ID
	return e.take(ctx, b, &def, false)
}

// take checks a broadcast and stores it.
func (e *Engine) take(ctx context.Context, b *models.Broadcast, def *message.Definition, again bool) (*Asked, error) {
	var warnings []Warning
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		people, err := e.sample(gctx, b)
		if err != nil {
			return err
		}
		warnings, err = e.checkContent(gctx, b, people)
		return err
	})
	var quota *wechat.Quota
	group.Go(func() (err error) { quota, err = e.checkPlatform(gctx, def); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if quota != nil && b.Recipients > quota.Remain {
		warnings = append(warnings, Warning{WarnQuota, map[string]any{
			"Remain": quota.Remain, "Recipients": b.Recipients, "ResumeAt": e.quotaReset(),
		}})
	}
	return e.create(ctx, b, again, warnings)
}

// asked describes a broadcast to whoever asked for it.
func (e *Engine) asked(ctx context.Context, b *models.Broadcast, err error) (*Asked, error) {
	if err != nil {
		return nil, err
	}
	a := &Asked{Broadcast: *b, Recipients: b.Recipients}
	if b.Audience == models.AudienceAll && b.MaxRecipientID == 0 {
		pulled, err := e.everPulled(ctx)
		if err != nil {
			return nil, err
		}
		a.SyncFirst = !pulled
	}
	return a, nil
}

// draft is the broadcast as it will be stored.
func (e *Engine) draft(q Request, def *message.Definition) (*models.Broadcast, error) {
	fixed, err := json.Marshal(def)
	if err != nil {
		return nil, fmt.Errorf("fix message: %w", err)
	}
	now := e.now()
	b := &models.Broadcast{
		RequestKey: q.RequestKey, Name: def.Name, Message: string(fixed), Digest: def.Digest(),
		Audience: q.Audience, AskedBy: q.AskedBy, State: models.Scheduled, AskedAt: models.At(now), NotBefore: models.At(now),
		Salt: strings.ToLower(rand.Text()[:8]),
	}
	if q.Audience == models.AudienceAll {
		b.NotBefore = models.At(now.Add(e.undoWindow))
	}
	return b, nil
}

// sample counts the audience and returns some of it.
func (e *Engine) sample(ctx context.Context, b *models.Broadcast) ([]models.Recipient, error) {
	switch b.Audience {
	case models.AudienceMe:
		if err := e.store.EnsureRecipient(ctx, b.AskedBy, b.AskedAt.Time); err != nil {
			return nil, err
		}
	case models.AudienceAll:
		if pulled, err := e.pullSoon(ctx); err != nil || !pulled {
			return nil, err
		}
	case models.AudienceTest, models.AudienceRetry:
	}
	var err error
	if b.Recipients, err = e.store.CountAudience(ctx, b); err != nil {
		return nil, err
	}
	if b.Recipients == 0 {
		switch b.Audience {
		case models.AudienceTest:
			return nil, e.noTesters(ctx)
		case models.AudienceRetry:
			return nil, models.NewError(models.Conflict, models.ErrNothingToRetry, "ID", b.RetryOf)
		case models.AudienceMe, models.AudienceAll:
			return nil, models.NewError(models.Conflict, models.ErrNoRecipients)
		}
	}
	return e.store.SampleAudience(ctx, b, sampleSize)
}

// noTesters says why nobody on the test list can be sent to.
func (e *Engine) noTesters(ctx context.Context) error {
	testers, err := e.store.Testers(ctx)
	if err != nil {
		return err
	}
	if len(testers) > 0 {
		return models.NewError(models.Conflict, models.ErrTestersAway)
	}
	return models.NewError(models.Conflict, models.ErrNoTesters)
}

// pullSoon sees to it that the followers are known before the first broadcast to
// all of them, if that takes no longer than the asker can wait. Otherwise it
// returns false: the pull goes on, and the broadcast waits for it.
func (e *Engine) pullSoon(ctx context.Context) (pulled bool, err error) {
	if pulled, err = e.everPulled(ctx); pulled || err != nil {
		return pulled, err
	}
	done := make(chan error, 1)
	e.asides.Go(func() { done <- e.pull(e.soft) })
	select {
	case err := <-done:
		var told *models.Error
		if err == nil || errors.As(err, &told) {
			return err == nil, err
		}
		e.log.WarnContext(ctx, "pull the followers, trying again when the broadcast starts", "err", err)
		return false, nil
	case <-time.After(askPlatform):
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// checkContent fills the message for some of its recipients.
func (e *Engine) checkContent(ctx context.Context, b *models.Broadcast, people []models.Recipient) ([]Warning, error) {
	refuse := func(err error) error {
		return models.NewError(models.Invalid, models.ErrContent, "Name", b.Name, "Reason", err)
	}
	c, err := message.NewContent(*b)
	if err != nil {
		return nil, refuse(err)
	}
	if len(people) == 0 || !c.Varies() {
		people = []models.Recipient{{OpenID: b.AskedBy}}
	}
	checked, err := e.checkable(ctx, c, people)
	warnings := unchecked(c, b, len(checked), err)
	seen := map[string]bool{}
	for _, p := range checked {
		_, cuts, err := c.Fill(p.Recipient)
		switch {
		case errors.As(err, new(*message.RenderError)), errors.As(err, new(*wechat.FieldError)):
			return nil, refuse(err)
		case err != nil:
			return nil, err
		}
		for _, f := range cuts {
			if !seen[f.Key] {
				seen[f.Key] = true
				warnings = append(warnings, Warning{WarnCut, map[string]any{"Field": f.Key, "Value": f.Value}})
			}
		}
	}
	return warnings, nil
}

// checkPlatform holds the message against the account's template and reads what
// is left of the day's quota, nil if that is not known. A platform that does not
// answer in time forbids nothing.
func (e *Engine) checkPlatform(ctx context.Context, def *message.Definition) (*wechat.Quota, error) {
	ctx, cancel := context.WithTimeout(ctx, askPlatform)
	defer cancel()
	var quota *wechat.Quota
	var wait sync.WaitGroup
	wait.Go(func() {
		q, err := e.platform.Quota(ctx, SendPath)
		if err != nil {
			e.log.DebugContext(ctx, "read the quota", "err", err)
			return
		}
		quota = &q
	})
	err := e.checkTemplate(ctx, def)
	wait.Wait()
	return quota, err
}

// checkTemplate refuses a message whose template the account does not have, or
// that does not fit it. A list that can't be read forbids nothing.
func (e *Engine) checkTemplate(ctx context.Context, def *message.Definition) error {
	t, fresh, err := e.template(ctx, def.TemplateID, false)
	if err == nil && t == nil && !fresh {
		t, _, err = e.template(ctx, def.TemplateID, true) // it may have been added just now
	}
	switch {
	case err != nil:
		e.log.WarnContext(ctx, "the account's templates could not be read, so the message goes unchecked", "err", err)
		return nil
	case t == nil:
		return models.NewError(models.Invalid, models.ErrTemplateUnknown, "Name", def.Name, "ID", def.TemplateID)
	}
	return def.CheckTemplate(*t)
}

// template returns one of the account's templates, nil if it has no such one.
// fresh says that the list was read just now.
func (e *Engine) template(ctx context.Context, id string, anew bool) (t *wechat.Template, fresh bool, err error) {
	list, fresh, err := e.templates.get(ctx, e.platform, e.now(), anew)
	if err != nil {
		return nil, fresh, err
	}
	i := slices.IndexFunc(list, func(t wechat.Template) bool { return t.ID == id })
	if i < 0 {
		return nil, fresh, nil
	}
	return &list[i], fresh, nil
}

// templateCache keeps the account's templates for a while: asking for them has
// a quota of its own.
type templateCache struct {
	mu   sync.Mutex
	at   time.Time
	list []wechat.Template
}

// get returns the templates; fresh says that the platform was asked, as it always
// is with anew.
func (c *templateCache) get(ctx context.Context, p *wechat.Client, now time.Time, anew bool) (list []wechat.Template, fresh bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list != nil && !anew && now.Sub(c.at) < templatesLast {
		return c.list, false, nil
	}
	list, err = p.Templates(ctx)
	var refused *wechat.APIError
	if err != nil {
		if errors.As(err, &refused) {
			return nil, true, err
		}
		return nil, true, fmt.Errorf("read templates: %w", err)
	}
	c.list, c.at = list, now
	return list, true, nil
}
