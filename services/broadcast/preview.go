package broadcast

import (
	"context"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

// Preview returns the message of a broadcast as the admin who asked for it gets
// it, addressed to nobody. It asks the platform nothing.
func (e *Engine) Preview(ctx context.Context, b models.Broadcast) (wechat.Message, error) {
	c, err := newContent(b)
	if err != nil {
		return wechat.Message{}, err
	}
	if c.fixed != nil {
		return *c.fixed, nil
	}
	asker := models.Recipient{OpenID: b.AskedBy}
	known, err := e.store.SampleAudience(ctx, &models.Broadcast{Audience: models.AudienceMe, AskedBy: b.AskedBy}, 1)
	if err != nil {
		return wechat.Message{}, err
	}
	if len(known) == 1 {
		asker = known[0]
	}
	if asker.SubscribedAt.IsZero() { // it is read before the first send
		asker.SubscribedAt = b.AskedAt
	}
	vars, err := recipientVars(person{
		openID: asker.OpenID, subscribedAt: asker.SubscribedAt, scene: asker.Scene, remark: asker.Remark, fields: asker.Fields,
	})
	if err != nil {
		return wechat.Message{}, err
	}
	m, _, err := c.render(vars)
	return m, err
}
