package console

import (
	"context"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
)

// sendPage is what the template "console_send" shows.
type sendPage struct {
	Reply    *replyView
	Form     sending
	Messages []string
	Kinds    []kindView
	// Recent are the last broadcasts, and OfHint says how their numbers are written.
	Recent []recentView
	OfHint string
	// Excepts says that somebody is left out, Changed that something is said otherwise.
	Excepts, Changed bool
	Changes          []fieldView
	Outcome          outcomeView
	// Swap says that the fields are those of another message than the page has.
	Swap bool
}

// sendForm shows the form, as far as its address fills it.
func (c *Console) sendForm(g *gin.Context, s *visit) {
	f := readSending(g.Request.URL.Query())
	f.ChangesOf = f.Message
	c.sendPage(g, s, f, nil)
}

// previewSending shows what would come of the form: that alone to the script of the page,
// the whole page to a browser without one.
func (c *Console) previewSending(g *gin.Context, s *visit) {
	ctx, f := g.Request.Context(), readSending(posted(g))
	if g.GetHeader("HX-Request") == "" {
		c.sendPage(g, s, f, nil)
		return
	}
	all, err := c.config.Messages.List(ctx)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	page := sendPage{Form: f, Swap: f.ChangesOf != f.Message}
	page.Changes, page.Changed = c.changes(ctx, s, all, f)
	if page.Outcome, err = c.outcome(ctx, s, f, keysOf(page.Changes)); err != nil {
		c.fail(g, s, err)
		return
	}
	c.fragment(g, s, "console_outcome_swap", page)
}

// send carries out what the form asks for: to the visitor and the test list at once, to
// others only after the visitor has confirmed it in the chat.
func (c *Console) send(g *gin.Context, s *visit) {
	ctx, f := g.Request.Context(), readSending(posted(g))
	all, err := c.config.Messages.List(ctx)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	fields, _ := c.changes(ctx, s, all, f)
	keys := keysOf(fields)
	switch do := g.PostForm("do"); do {
	case "me", "test":
		key, ok := c.key(g, s)
		if !ok {
			return
		}
		if doubts := c.doubts(s, f, true); doubts != nil {
			c.sendPage(g, s, f, &replyView{Lines: doubts})
			return
		}
		to := map[string]chat.Name{"me": chat.BroadcastMe, "test": chat.BroadcastTest}[do]
		reply, err := c.config.Chat.Carry(ctx, s.OpenID, f.trial(to, keys), models.ViaConsole, key)
		c.sendPage(g, s, f, &replyView{Lines: strings.Split(reply, "\n"), Done: err == nil})
	case "prepare":
		c.prepareSending(g, s, f, keys)
	default:
		c.sendPage(g, s, f, nil)
	}
}

// prepareSending has what the form asks for confirmed in the chat, unless it would be
// refused as things stand.
func (c *Console) prepareSending(g *gin.Context, s *visit, f sending, keys []string) {
	outcome, err := c.outcome(g.Request.Context(), s, f, keys)
	switch {
	case err != nil:
		c.fail(g, s, err)
	case outcome.Ask != "":
		c.sendPage(g, s, f, &replyView{Lines: []string{outcome.Ask}})
	case len(outcome.Refused) > 0:
		c.sendPage(g, s, f, &replyView{Lines: outcome.Refused})
	default:
		c.prepare(g, s, f.command(keys), "send", append(append(outcome.Says, outcome.Parts...), outcome.Warnings...)...)
	}
}

// sendPage shows the form with what would come of it.
func (c *Console) sendPage(g *gin.Context, s *visit, f sending, reply *replyView) {
	ctx := g.Request.Context()
	all, err := c.config.Messages.List(ctx)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	if f.Message == "" && f.To != "rest" {
		f.Message = all.Default
		if f.Message == "" && len(all.Messages) > 0 {
			f.Message = all.Messages[0].Name
		}
	}
	page := sendPage{Reply: reply, Messages: all.Names()}
	if page.Kinds, err = c.kindViews(ctx, s, f); err != nil {
		c.fail(g, s, err)
		return
	}
	if page.Recent, err = c.recent(ctx); err != nil {
		c.fail(g, s, err)
		return
	}
	if len(page.Recent) > 0 {
		page.OfHint = s.words.Say("send.of_hint", lang.Vars{"Like": "#" + strconv.FormatInt(page.Recent[0].ID, 10)})
	}
	for _, kind := range kinds {
		page.Excepts = page.Excepts || len(f.Except[kind]) > 0
	}
	page.Changes, page.Changed = c.changes(ctx, s, all, f)
	if page.Outcome, err = c.outcome(ctx, s, f, keysOf(page.Changes)); err != nil {
		c.fail(g, s, err)
		return
	}
	page.Form = f
	c.render(g, s, reply.status(), "console_send", page)
}

// changes are the inputs for what a message says otherwise this time, and whether anything
// is written in them.
func (c *Console) changes(ctx context.Context, s *visit, all *messages.List, f sending) (inputs []fieldView, changed bool) {
	m := find(all, f.Message, false)
	if f.Message == "" || m == nil {
		return nil, false
	}
	written := map[string]string{}
	w := m.Written()
	for _, field := range w.Fields {
		written[field.Key] = field.Text
	}
	t, known := c.config.Messages.Template(ctx, w.TemplateID)
	if !known { // its keys are known all the same
		for _, field := range w.Fields {
			t.Fields = append(t.Fields, wechat.TemplateField{Key: field.Key, Name: field.Key})
		}
	}
	shown := append(message.ShownFields(t), wechat.TemplateField{Key: link, Name: s.words.Say("write.url")})
	written[link] = w.URL.Text
	for _, field := range shown {
		value := ""
		if f.ChangesOf == f.Message {
			value = f.Changes[field.Key]
		}
		input := c.fieldInput(field, value)
		if text := inputLine(written[field.Key]); text != "" {
			input.Was = s.words.Say("send.field_now", lang.Vars{"Value": text})
		}
		inputs, changed = append(inputs, input), changed || value != ""
	}
	return inputs, changed
}

func keysOf(inputs []fieldView) (keys []string) {
	for _, f := range inputs {
		if f.Key != link {
			keys = append(keys, f.Key)
		}
	}
	return keys
}
