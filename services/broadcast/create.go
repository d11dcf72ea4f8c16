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
	"wechat-broadcast/services/check"
	"wechat-broadcast/services/message"
)

// askPlatform is how long a request waits for the first pull of the followers.
const askPlatform = 2 * time.Second

// Create takes a broadcast: it fixes the message as it stands now, with the changes for
// this broadcast, checks it against the platform's rules, the account's template and some
// of the recipients, and stores it. It returns at once; Run does the rest. The
// same RequestKey gets the same broadcast. What forbids it is a *models.Error.
func (e *Engine) Create(ctx context.Context, q Request) (*Created, error) {
	if b, err := e.store.FindRequest(ctx, q.RequestKey); b != nil || err != nil {
		return e.shown(ctx, b, err)
	}
	d, err := e.drawUp(ctx, q)
	if err != nil {
		return nil, err
	}
	if d.given != nil {
		group, err := e.groups.Give(ctx, d.given, d.b.AskedBy, d.b.AskedAt.Time)
		if err != nil {
			return nil, err
		}
		d.b.Target.Groups = []models.Group{group}
	}
	found, err := e.check(ctx, d, e.sample)
	if err != nil {
		e.withdraw(ctx, d.b)
		return nil, err
	}
	return e.save(ctx, d.b, d.asked, found)
}

// drawn is a request that was drawn up as a broadcast, without its recipients.
type drawn struct {
	b     *models.Broadcast
	def   *message.Definition
	asked models.Asked
	// given are the people to whom it goes; nil for another audience.
	given *audience.Given
}

// drawUp makes a broadcast of a request, with all that names in it stand for.
func (e *Engine) drawUp(ctx context.Context, q Request) (*drawn, error) {
	d := &drawn{asked: e.guards}
	var wrong error
	if q.Recipients != nil {
		if q.Audience != "" || len(q.Groups) > 0 || q.Of != 0 {
			wrong = models.NewError(models.Invalid, models.ErrRecipientsBeside)
		} else {
			d.given, wrong = audience.Read(q.Recipients)
		}
		q.Audience = models.AudienceGroups
	}
	if q.Audience == models.AudienceMe && !models.ValidOpenID(q.AskedBy) {
		wrong = models.NewError(models.Invalid, models.ErrNoSelf)
	}
	of, err := audience.Earlier(ctx, e.store, q.Audience, q.Of)
	if err = errors.Join(canary.Check(q.Audience, q.Canary), err, wrong); err != nil {
		return nil, errors.Join(err, e.unknown(ctx, q))
	}
	def, err := e.definition(ctx, q, of)
	target, unknown := e.Target(ctx, q)
	if err = errors.Join(err, unknown); err != nil {
		return nil, err
	}
	if d.b, err = e.draft(q, def); err != nil {
		return nil, err
	}
	if q.Digest != "" && d.b.Digest != q.Digest {
		return nil, models.NewError(models.Conflict, models.ErrMessageChanged, "Name", def.Name)
	}
	d.b.Target, d.def = target, def
	d.asked.Again, d.asked.Fills = q.Again, def.Needs()
	if q.Audience.Trial() { // the settings ask for none
		d.asked.Approvals = 0
	}
	d.asked.Approvals = max(d.asked.Approvals, q.Approvals)
	if of != nil {
		d.asked.Instead = audience.Complete(d.b, of)
	}
	return d, nil
}

// withdraw deletes the people who were given for a broadcast that was not stored.
func (e *Engine) withdraw(ctx context.Context, b *models.Broadcast) {
	for _, g := range b.Target.Groups {
		if g.Given() && b.OfID == 0 { // else they are those of an earlier one
			e.groups.Withdraw(ctx, g)
		}
	}
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

// check validates a broadcast, whose recipients sample counts.
func (e *Engine) check(ctx context.Context, d *drawn, sample func(context.Context, *models.Broadcast) (audience.Sampled, error)) (check.Found, error) {
	found, err := e.checks.All(ctx, d.b, d.def, sample)
	if err == nil && d.b.Canary != 0 {
		d.b.Canary = e.canary.Share.Wanted(d.b.Recipients)
	}
	return found, err
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
	a := &Created{Broadcast: *b, Recipients: b.Recipients, Announced: b.Target.Unpulled(), Listed: b.Listed}
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
	if audience.Of(b).Unconditional { // a person who writes to the account follows it
		if err := e.store.EnsureRecipient(ctx, b.AskedBy, b.AskedAt.Time); err != nil {
			return audience.Sampled{}, err
		}
	}
	return e.counted(ctx, b)
}

// counted counts the audience as it is known now, and returns some of it.
func (e *Engine) counted(ctx context.Context, b *models.Broadcast) (audience.Sampled, error) {
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
