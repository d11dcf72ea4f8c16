package api

import (
	"slices"

	"wechat-broadcast/models"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
)

// Message is a message that can be sent.
type Message struct {
	Name string `json:"name"`
	// Default says that it is meant when no message is named.
	Default    bool    `json:"default"`
	TemplateID string  `json:"template_id"`
	URL        string  `json:"url"`
	Fields     []Field `json:"fields"`
	// Needs are the fields of the recipients without which it can't be filled.
	Needs []string `json:"needs"`
	// Problem says why it can't be sent; empty if it can.
	Problem string `json:"problem"`
}

// Field is a field of a message as it looks now: {NAME} stands for what each recipient has.
type Field struct {
	Key   string `json:"key"`
	Name  string `json:"name"` // that of the template; the key if the platform does not tell
	Value string `json:"value"`
}

func (a *API) listMessages(c *call) error {
	p, err := c.page(limitMost)
	if err != nil {
		return err
	}
	all, err := a.Messages.List(c.ctx)
	if err != nil {
		return err
	}
	if len(all.Messages) == 0 && all.FileFault != nil {
		return models.NewError(models.Conflict, models.ErrMessagesFile, "Reason", all.FileFault)
	}
	shown := part(p, all.Messages)
	list := List[Message]{Items: []Message{}, Next: shown.Next}
	for _, m := range shown.Items {
		t, _ := a.Messages.Template(c.ctx, m.TemplateID)
		list.Items = append(list.Items, a.message(m, t, m.Name == all.Default))
	}
	return answer(c.Context, list)
}

func (a *API) message(m messages.Listed, t wechat.Template, isDefault bool) Message {
	shown := Message{
		Name: m.Name, Default: isDefault, TemplateID: m.TemplateID, Fields: []Field{}, Needs: append([]string{}, slices.Sorted(slices.Values(m.Needs()))...),
	}
	now := a.Now()
	looks, err := m.Preview(models.Recipient{SubscribedAt: models.At(now)}, now)
	if err != nil {
		broken := models.NewError(models.Invalid, models.ErrContent, "Name", m.Name, "Reason", err)
		shown.Problem, _ = a.Composer.ErrorText(broken)
		return shown
	}
	shown.URL = looks.URL
	for _, f := range looks.Data {
		shown.Fields = append(shown.Fields, Field{Key: f.Key, Name: t.Name(f.Key), Value: f.Value})
	}
	return shown
}
