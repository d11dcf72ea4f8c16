package broadcast

import (
	"context"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

// Rehearse does all that Create does but store the broadcast, and changes nothing of what is
// there: it returns the broadcast as it would be, without a number, with its recipients, its
// message as it will look, its warnings, when it would start and who would have to approve it.
// The error is the one that Create would return at this moment. A RequestKey is not looked at.
//
// It asks the platform for its templates and the day's quota, and what the message says of the
// first recipients, which is kept; but it pulls no followers and no tags. So of a tag that was
// not pulled Recipients is the platform's count (Announced).
func (e *Engine) Rehearse(ctx context.Context, q Request) (*Created, error) {
	d, err := e.drawUp(ctx, q)
	if err != nil {
		return nil, err
	}
	strangers := int64(0) // of the people who are given; they would get rows of their own
	if d.given != nil {
		known, others, err := e.groups.Split(ctx, d.given)
		if err != nil {
			return nil, err
		}
		group, err := e.groups.Give(ctx, known, d.b.AskedBy, d.b.AskedAt.Time)
		if err != nil {
			return nil, err
		}
		defer e.groups.Withdraw(ctx, group)
		d.b.Target.Groups, strangers = []models.Group{group}, others
	}
	found, err := e.check(ctx, d, e.guess)
	if err != nil {
		return nil, err
	}
	if err := e.store.RehearseBroadcast(ctx, d.b, d.asked); err != nil {
		return nil, e.explained(err)
	}
	a, err := e.created(ctx, d.b, nil)
	if err != nil {
		return nil, err
	}
	a.Found, a.Instead = found, d.asked.Instead
	if d.given != nil {
		g := &a.Broadcast.Target.Groups[0]
		g.Segment, g.Size = 0, g.Size+strangers
		for i := range a.Parts {
			p := &a.Parts[i]
			p.Group, p.Total, p.Away, p.Strangers = *g, p.Total+strangers, p.Away+strangers, p.Strangers+strangers
		}
	}
	return a, nil
}

// guess is sample without asking the platform for followers or tags.
func (e *Engine) guess(ctx context.Context, b *models.Broadcast) (audience.Sampled, error) {
	if audience.Of(b).NeedsSync {
		if pulled, err := e.everPulled(ctx); err != nil || !pulled {
			if err != nil {
				return audience.Sampled{}, err
			}
			return audience.Listed(ctx, e.store, b)
		}
	}
	return e.counted(ctx, b)
}

// Preview returns the message of a broadcast as the admin who asked for it gets
// it, addressed to nobody; that of a token as the first of its recipients does. It asks the
// platform nothing.
func (e *Engine) Preview(ctx context.Context, b models.Broadcast) (wechat.Message, error) {
	c, err := message.NewContent(b)
	if err != nil {
		return wechat.Message{}, err
	}
	asker := models.Recipient{OpenID: b.AskedBy}
	if c.Varies() {
		known, err := e.readers(ctx, b)
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

// readers returns the one as whom a broadcast's message is shown, if that one is known.
func (e *Engine) readers(ctx context.Context, b models.Broadcast) ([]models.Recipient, error) {
	if models.ValidOpenID(b.AskedBy) {
		return e.store.SampleAudience(ctx, &models.Broadcast{Audience: models.AudienceMe, AskedBy: b.AskedBy}, 1)
	}
	people, err := e.store.SampleAudience(ctx, &b, 1)
	if err == nil && len(people) == 0 { // the followers may not be known yet
		people, err = e.store.SampleListed(ctx, &b, 1)
	}
	return people, err
}
