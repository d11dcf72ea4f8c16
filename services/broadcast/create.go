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
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
)

const (
	askPlatform   = 2 * time.Second
	templatesLast = time.Minute
)

// Create takes a broadcast: it fixes the message as it stands now, with the changes for
// this broadcast, checks it against the platform's rules, the account's template and some
// of the recipients, and stores it. It returns at once; Run does the rest. The
// same RequestKey gets the same broadcast.
func (e *Engine) Create(ctx context.Context, q Request) (*Created, error) {
	if b, err := e.store.FindRequest(ctx, q.RequestKey); b != nil || err != nil {
		return e.shown(ctx, b, err)
	}
	def, err := e.messages.Resolve(ctx, q.Message, q.Fields)
	if err != nil {
		return nil, err
	}
	b, err := e.draft(q, def)
	if err != nil {
		return nil, err
	}
	return e.submit(ctx, b, def, q.Again)
}

// Retry takes a broadcast of its own that sends the message of an earlier one
// again to those of its recipients that failed or are uncertain.
func (e *Engine) Retry(ctx context.Context, id int64, askedBy, requestKey string) (*Created, error) {
	if b, err := e.store.FindRequest(ctx, requestKey); b != nil || err != nil {
		return e.shown(ctx, b, err)
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
	b.OfID = of.ID
	return e.submit(ctx, b, &def, false)
}

// submit validates a broadcast and stores it.
func (e *Engine) submit(ctx context.Context, b *models.Broadcast, def *message.Definition, again bool) (*Created, error) {
	var checked Created
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		people, err := e.sample(gctx, b)
		if err != nil {
			return err
		}
		checked.Message, checked.Warnings, err = e.checkContent(gctx, b, people)
		return err
	})
	var quota *wechat.Quota
	group.Go(func() (err error) { checked.Template, quota, err = e.checkPlatform(gctx, def); return err })
	if err := group.Wait(); err != nil {
		return nil, e.inWords(ctx, def, err)
	}
	nameFields(checked)
	if quota != nil && b.Recipients > quota.Remain {
		checked.Warnings = append(checked.Warnings, Warning{WarnQuota, map[string]any{
			"Remain": quota.Remain, "Recipients": b.Recipients, "ResumeAt": throttle.QuotaReset(e.now(), e.resetAt),
		}})
	}
	return e.save(ctx, b, again, checked)
}

// inWords returns a refusal of a message with its fields as the template calls them,
// if the platform tells it in time.
func (e *Engine) inWords(ctx context.Context, def *message.Definition, err error) error {
	var told *models.Error
	if !errors.As(err, &told) || told.Code != models.ErrContent {
		return err
	}
	if reason, ok := told.Args["Reason"].(error); ok {
		t, _ := e.messages.Template(ctx, def.TemplateID)
		told.Args["Reason"] = message.InWords(reason, t)
	}
	return err
}

// nameFields has the warnings name fields as the template calls them.
func nameFields(checked Created) {
	for _, w := range checked.Warnings {
		if key, ok := w.Args["Field"].(string); ok {
			w.Args["Field"] = checked.Template.Name(key)
		}
	}
}

// shown is created with the message as it looks.
func (e *Engine) shown(ctx context.Context, b *models.Broadcast, err error) (*Created, error) {
	a, err := e.created(ctx, b, err)
	if err != nil {
		return nil, err
	}
	if m, err := e.Preview(ctx, a.Broadcast); err == nil {
		a.Message = m
		a.Template, _ = e.messages.Template(ctx, m.TemplateID)
	}
	return a, nil
}

// created describes a broadcast to whoever asked for it.
func (e *Engine) created(ctx context.Context, b *models.Broadcast, err error) (*Created, error) {
	if err != nil {
		return nil, err
	}
	a := &Created{Broadcast: *b, Recipients: b.Recipients}
	if audience.Of(b).NeedsSync && b.MaxRecipientID == 0 {
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
	if audience.Of(b).Undo {
		b.NotBefore = models.At(now.Add(e.undoWindow))
	}
	return b, nil
}

// sample counts the audience and returns some of it: nobody if the followers are not
// known yet.
func (e *Engine) sample(ctx context.Context, b *models.Broadcast) ([]models.Recipient, error) {
	if audience.Of(b).NeedsSync {
		if pulled, err := e.pullSoon(ctx); err != nil || !pulled {
			return nil, err
		}
	}
	return audience.Sample(ctx, e.store, b)
}

// pullSoon sees to it that the followers are known before the first broadcast to
// all of them, if that takes no longer than the asker can wait. Otherwise it
// returns false: the pull goes on, and the broadcast waits for it.
func (e *Engine) pullSoon(ctx context.Context) (pulled bool, err error) {
	if pulled, err = e.everPulled(ctx); pulled || err != nil {
		return pulled, err
	}
	done := make(chan error, 1)
	e.background.Go(func() { done <- e.pull(e.inBackground) })
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

// checkPlatform holds the message against the account's template, which it returns,
// and reads what is left of the day's quota, nil if that is not known. A platform that
// does not answer in time forbids nothing.
func (e *Engine) checkPlatform(ctx context.Context, def *message.Definition) (wechat.Template, *wechat.Quota, error) {
	ctx, cancel := context.WithTimeout(ctx, askPlatform)
	defer cancel()
	var quota *wechat.Quota
	var wait sync.WaitGroup
	wait.Go(func() {
		q, err := e.platform.Quota(ctx, wechat.TemplateMessages{}.QuotaPath())
		if err != nil {
			e.log.DebugContext(ctx, "read the quota", "err", err)
			return
		}
		quota = &q
	})
	t, err := e.checkTemplate(ctx, def)
	wait.Wait()
	return t, quota, err
}

// checkTemplate refuses a message whose template the account does not have, or
// that does not fit it, and returns the template. A list that can't be read forbids
// nothing; then the template is the zero one.
func (e *Engine) checkTemplate(ctx context.Context, def *message.Definition) (wechat.Template, error) {
	asked := time.Now()
	list, read, err := e.platform.KnownTemplates(ctx, templatesLast)
	has := func(t wechat.Template) bool { return t.ID == def.TemplateID }
	if err == nil && !slices.ContainsFunc(list, has) && !read.After(asked) { // it may have been added just now
		list, _, err = e.platform.KnownTemplates(ctx, 0)
	}
	if err != nil {
		e.log.WarnContext(ctx, "the account's templates could not be read, so the message goes unchecked", "err", err)
		return wechat.Template{}, nil
	}
	i := slices.IndexFunc(list, has)
	if i < 0 {
		return wechat.Template{}, models.NewError(models.Invalid, models.ErrTemplateUnknown, "Name", def.Name, "ID", def.TemplateID)
	}
	return list[i], def.CheckTemplate(list[i])
}
