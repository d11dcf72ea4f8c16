package broadcast

import (
	"context"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

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
