package chat

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
)

// templatesLast is how old the list of templates may be that is shown.
const templatesLast = 10 * time.Second

// templates numbers the account's templates, each with its fields.
func (c *Chat) templates(ctx context.Context, _ request) (string, error) {
	list, err := c.config.Messages.Templates(ctx, templatesLast)
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return c.say("templates.none", nil), nil
	}
	items := make([]string, len(list))
	for i, t := range list {
		var fields []string
		for _, f := range message.ShownFields(t) {
			fields = append(fields, clip(f.Name, 40))
		}
		items[i] = c.say("templates.item", vars{"Number": strconv.Itoa(i + 1), "Title": clip(cmp.Or(t.Title, t.ID), 40), "Fields": fields})
	}
	head := c.say("templates.head", vars{"Count": int64(len(list)), "Set": c.write(MessagesSet, "")})
	return fitList(head, items, c.more), nil
}

// messages shows every message as the asker's phone would show it.
func (c *Chat) messages(ctx context.Context, r request) (string, error) {
	all, err := c.config.Messages.List(ctx)
	if err != nil {
		return "", err
	}
	if len(all.Messages) == 0 {
		if all.FileFault != nil {
			return c.messagesFile(all.FileFault), nil
		}
		return c.say("error."+models.ErrNoMessages, c.toWrite()), nil
	}
	known := map[string]wechat.Template{}
	list, err := c.config.Messages.Templates(ctx, time.Minute)
	if err != nil {
		c.log.DebugContext(ctx, "read the account's templates", "err", err)
	}
	for _, t := range list {
		known[t.ID] = t
	}
	var items []string
	if all.FileFault != nil {
		items = append(items, c.fileFault(all.FileFault)...)
	}
	for _, m := range all.Messages {
		title := m.Name
		if m.Name == all.Default {
			title = c.say("messages.default", vars{"Name": m.Name})
		}
		lines := append([]string{"\n" + title}, c.preview(known[m.TemplateID], m.Definition, r.from)...)
		if k := m.Kept; k != nil {
			lines = append(lines, c.say("messages.changed", vars{"By": cmp.Or(k.Changer, k.ChangedBy), "At": k.ChangedAt}))
		}
		items = append(items, strings.Join(lines, "\n"))
	}
	return fitList(c.say("messages.head", vars{"Count": int64(len(all.Messages))}), items, c.more), nil
}

// messagesFile says why the message file can't be used: as many of its faults as
// a reply can hold.
func (c *Composer) messagesFile(err error) string {
	return fitList(c.say("error.messages_file", nil), c.locale.faults(err), c.more)
}

// fileFault says in a few lines why the message file can't be used: other messages
// follow.
func (c *Composer) fileFault(err error) []string {
	const shown = 2
	lines := []string{c.say("error.messages_file", nil)}
	faults := c.locale.faults(err)
	for _, f := range faults[:min(shown, len(faults))] {
		lines = append(lines, clip(f, 120))
	}
	if len(faults) > shown {
		lines = append(lines, c.more(len(faults)-shown))
	}
	return lines
}

// preview draws a message for one person, or says why that can't be done.
func (c *Chat) preview(t wechat.Template, def *message.Definition, openID string) []string {
	now := c.now()
	m, err := def.Preview(models.Recipient{OpenID: openID, SubscribedAt: models.At(now), Scene: "ADD_SCENE_SEARCH"}, now)
	if err != nil {
		return []string{c.say("messages.broken", vars{"Reason": message.InWords(err, t)})}
	}
	for i := range m.Data {
		m.Data[i].Value = clip(m.Data[i].Value, 60)
	}
	return c.card(t, m)
}

// setMessage makes or changes a message.
func (c *Chat) setMessage(ctx context.Context, r request) (string, error) {
	if r.Arg == "" || !canBeNamed(c.named(r.Arg), r.Arg) {
		return c.say("messages.not_a_name", vars{"Name": quotable(r.Arg)}), nil
	}
	saved, err := c.config.Messages.Set(ctx, messages.Edit{Name: r.Arg, Lines: changes(r.Fields), By: r.from})
	if err != nil {
		return "", err
	}
	def := saved.Definition
	id := "messages.changed_now"
	if saved.New {
		id = "messages.made"
	}
	card := c.preview(saved.Template, def, r.from)
	for _, f := range saved.Cuts {
		card = append(card, c.say("warning.cut", vars{"Field": f.Key, "Value": f.Value}))
	}
	next := c.say("messages.next", vars{"Me": c.write(BroadcastMe, c.named(def.Name)), "Test": c.write(BroadcastTest, c.named(def.Name))})
	if needs := def.Needs(); len(needs) > 0 { // whoever is on no list has no such field
		next = c.say("messages.next_list", vars{"Me": c.write(BroadcastMe, c.named(def.Name)), "Name": c.named(def.Name), "Fields": clip("{"+strings.Join(needs, "} {")+"}", 200), "Lists": c.write(Lists, "")})
	}
	return c.withCard(c.say(id, vars{"Name": def.Name}), card, next), nil
}

// canBeNamed tells whether a command on a message that has those words after it means
// the one of that name.
func canBeNamed(after, name string) bool {
	var asked Command
	asked.message(words(after))
	return asked.Fault == "" && asked.Message == name && !asked.Again && asked.At == ""
}

// removeMessage deletes a message that was written in the chat.
func (c *Chat) removeMessage(ctx context.Context, r request) (string, error) {
	name, err := c.config.Messages.Remove(ctx, r.Arg)
	if err != nil {
		return "", err
	}
	return c.say("messages.removed", vars{"Name": name}), nil
}

// toWrite fills a sentence that says how to write a message.
func (c *Composer) toWrite() vars {
	return vars{"Set": c.write(MessagesSet, ""), "Templates": c.write(Templates, "")}
}

// messageError says what an Error about messages means; ok is false for one that needs
// no more than its sentence.
func (c *Composer) messageError(e *models.Error) (text string, ok bool) {
	v := c.toWrite()
	for name, value := range e.Args {
		v[name] = value
	}
	name, _ := e.Args["Name"].(string)
	v["Name"] = clip(quotable(name), maxNamed)
	reason, isError := e.Args["Reason"].(error)
	switch e.Code {
	case models.ErrMessagesFile:
		if isError {
			return c.messagesFile(reason), true
		}
	case models.ErrMessageNotSaved, models.ErrFieldsRefused:
		if isError {
			return fitList(c.say("error."+e.Code, v), c.locale.faults(reason), c.more), true
		}
	case models.ErrContent:
		if !isError {
			return "", false
		}
		items := c.locale.faults(reason)
		if len(items) == 1 {
			return "", false
		}
		v["Reason"] = ""
		return fitList(strings.TrimSpace(c.say("error."+e.Code, v)), items, c.more), true
	case models.ErrTemplateUnknown:
		v["Set"] = c.write(MessagesSet, c.named(name))
		return c.say("error."+e.Code, v) + "\n" + c.say("messages.other_template", v), true
	case models.ErrMessageInFile:
		v["Copy"] = c.write(MessagesSet, "")
	case models.ErrMessageTwice:
		v["Remove"] = c.write(MessagesRemove, c.named(name))
	case models.ErrNoMessages, models.ErrNoDefaultMessage, models.ErrFieldNamesUnknown, models.ErrMessageBusy:
	case models.ErrMessagesFull:
		v["Max"], v["Remove"] = messages.MaxKept, c.write(MessagesRemove, "")
	case models.ErrTemplatesUnchecked:
		if v["Code"] == 0 {
			delete(v, "Code")
		}
	default:
		return "", false
	}
	return c.say("error."+e.Code, v), true
}
