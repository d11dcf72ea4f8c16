package broadcast

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/canary"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

// askPlatform is how long a request waits for the first pull of the followers.
const askPlatform = 2 * time.Second

// Create takes a broadcast: it fixes the message as it stands now, with the changes for
// this broadcast, checks it against the platform's rules, the account's template and some
// of the recipients, and stores it. It returns at once; Run does the rest. The
// same RequestKey gets the same broadcast.
func (e *Engine) Create(ctx context.Context, q Request) (*Created, error) {
	if b, err := e.store.FindRequest(ctx, q.RequestKey); b != nil || err != nil {
		return e.shown(ctx, b, err)
	}
	of, err := audience.Earlier(ctx, e.store, q.Audience, q.Of)
	if err = errors.Join(canary.Check(q.Audience, q.Canary), err); err != nil {
		return nil, errors.Join(err, e.unknown(ctx, q))
	}
	def, err := e.definition(ctx, q, of)
	target, unknown := e.Target(ctx, q)
	if err = errors.Join(err, unknown); err != nil {
		return nil, err
	}
	b, err := e.draft(q, def)
	if err != nil {
		return nil, err
	}
	if q.Digest != "" && b.Digest != q.Digest {
		return nil, models.NewError(models.Conflict, models.ErrMessageChanged, "Name", def.Name)
	}
	b.Target = target
	asked := e.guards
	asked.Again = q.Again
	if of != nil {
		asked.Instead = audience.Complete(b, of)
	}
	return e.submit(ctx, b, def, asked)
}

// Digest returns that of the content which a request would send now.
func (e *Engine) Digest(ctx context.Context, q Request) (string, error) {
	of, err := audience.Earlier(ctx, e.store, q.Audience, q.Of)
	if err != nil {
		return "", err
	}
	def, err := e.definition(ctx, q, of)
	if err != nil {
		return "", err
	}
	return def.Digest(), nil
}

// Target finds the groups of a request. The error says of all of them what is wrong.
func (e *Engine) Target(ctx context.Context, q Request) (t models.Target, err error) {
	var unknown error
	t.Groups, err = e.groups.Resolve(ctx, q.Groups)
	t.Except, unknown = e.groups.Resolve(ctx, q.Except)
	return t, errors.Join(err, unknown)
}

// unknown says what is wrong with the message that a request names, if it names one.
func (e *Engine) unknown(ctx context.Context, q Request) error {
	if q.Message == "" {
		return nil
	}
	if _, err := e.messages.Resolve(ctx, q.Message, q.Fields); models.KindOf(err) == models.Invalid {
		return err
	}
	return nil
}

// definition is the message that a request asks for.
func (e *Engine) definition(ctx context.Context, q Request, of *models.Broadcast) (*message.Definition, error) {
	if of == nil || q.Message != "" || q.Audience == models.AudienceReached {
		return e.messages.Resolve(ctx, q.Message, q.Fields)
	}
	var def message.Definition
	if err := json.Unmarshal([]byte(of.Message), &def); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	return e.messages.Apply(ctx, &def, q.Fields)
}

// submit validates a broadcast and stores it.
func (e *Engine) submit(ctx context.Context, b *models.Broadcast, def *message.Definition, q models.Asked) (*Created, error) {
	found, err := e.checks.All(ctx, b, def, e.sample)
	if err != nil {
		return nil, err
	}
	if b.Canary != 0 {
		b.Canary = e.canary.Share.Wanted(b.Recipients)
	}
	return e.save(ctx, b, q, found)
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
	a := &Created{Broadcast: *b, Recipients: b.Recipients, Announced: b.Target.Unpulled()}
	if audience.Of(b).Guarded {
		a.Quiet = e.quiet
	}
	if b.State == models.Pending {
		a.Approvers, a.Names = e.approvers(ctx, b), e.names(ctx)
	}
	if audience.Of(b).NeedsSync && b.ThroughID == 0 {
		pulled, err := e.everPulled(ctx)
		if err != nil {
			return nil, err
		}
		// The pull may have ended since nobody was counted for want of it.
		a.SyncFirst = !pulled || b.Recipients == 0 && !a.Announced
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
		Audience: q.Audience, AskedBy: q.AskedBy, State: models.Scheduled, AskedAt: models.At(now),
		Salt: strings.ToLower(rand.Text()[:8]), Intercepted: -1,
	}
	if q.Canary {
		b.Canary = models.CanaryAsSet
	}
	b.PlannedStart = models.At(q.At)
	b.AnyHour = q.AnyHour
	notBefore, why := e.notBefore(b)
	b.NotBefore, b.Reason = models.At(notBefore), why
	return b, nil
}

// sample counts the audience and returns some of it: if the followers are not known yet,
// some of the people on its lists, and nobody without lists.
func (e *Engine) sample(ctx context.Context, b *models.Broadcast) (audience.Sampled, error) {
	if audience.Of(b).NeedsSync {
		switch pulled, err := e.pullSoon(ctx); {
		case err != nil:
			return audience.Sampled{}, err
		case !pulled:
			return audience.Listed(ctx, e.store, b)
		}
	}
	e.tags.Soon(ctx, b)
	people, err := audience.Sample(ctx, e.store, b)
	if err == nil && b.Target.Unpulled() {
		b.Recipients = max(b.Recipients, e.tags.Announced(ctx, b))
	}
	return people, err
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

// Preview returns the message of a broadcast as the admin who asked for it gets
// it, addressed to nobody. It asks the platform nothing.
func (e *Engine) Preview(ctx context.Context, b models.Broadcast) (wechat.Message, error) {
	c, err := message.NewContent(b)
	if err != nil {
		return wechat.Message{}, err
	}
	asker := models.Recipient{OpenID: b.AskedBy}
	if c.Varies() {
		known, err := e.store.SampleAudience(ctx, &models.Broadcast{Audience: models.AudienceMe, AskedBy: b.AskedBy}, 1)
		if err != nil {
			return wechat.Message{}, err
		}
		if len(known) == 1 {
			asker = known[0]
		}
	}
	if asker.SubscribedAt.IsZero() { // it is read before the first send
		asker.SubscribedAt = b.AskedAt
	}
	m, _, err := c.Fill(asker)
	return m, err
}
