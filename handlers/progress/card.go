package progress

import (
	"cmp"
	"context"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/web"
)

// Card draws the message of a broadcast in a language, or returns nil if it cannot be
// filled.
func (p *Feeds) Card(ctx context.Context, language string, b models.Broadcast) *web.Card {
	m, err := p.config.Engine.Preview(ctx, b)
	if err != nil {
		p.config.Log.DebugContext(ctx, "preview a broadcast for its page", "broadcast", b.ID, "err", err)
		return nil
	}
	t := p.titles.find(ctx, m.TemplateID)
	values := map[string]string{}
	var keys []string
	for _, field := range m.Data {
		values[field.Key] = field.Value
		keys = append(keys, field.Key)
	}
	c := web.NewCard(cmp.Or(t.Title, b.Name), t.Content, keys, func(key string) string { return values[key] })
	at := b.AskedAt.Time
	if !b.StartedAt.IsZero() {
		at = b.StartedAt.Time
	}
	c.Time = lang.Minute(at)
	if m.URL != "" || m.MiniProgram != nil {
		c.Details = p.words[language].Say("card_details")
	}
	return &c
}
