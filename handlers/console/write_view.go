package console

import (
	"cmp"
	"fmt"
	"net/http"
	"unicode/utf8"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/wechat/field"
	"wechat-broadcast/web"
)

// fieldView is one input of a message.
type fieldView struct {
	Key, Name, Value, Was string
	// Rule says what the platform takes there; empty for any text.
	Rule string
	// Limit is how many characters it takes, and Han how many with a Chinese one among them; 0
	// for no known limit. Count says how many there are of how many.
	Limit, Han int
	Count      string
	// Over says that there are too many, Raw that the value was a template of the message file.
	Over, Raw bool
}

// fieldInput returns the input of a field with its value.
func (c *Console) fieldInput(f wechat.TemplateField, value string) fieldView {
	v := fieldView{Key: f.Key, Name: f.Name, Value: value, Rule: c.config.Chat.Takes(f.Key)}
	v.Limit, _ = field.Limit(f.Key, "")
	v.Han, _ = field.Limit(f.Key, "汉")
	if limit, _ := field.Limit(f.Key, value); limit > 0 {
		n := utf8.RuneCountInString(value)
		v.Count, v.Over = fmt.Sprintf("%d / %d", n, limit), n > limit
	}
	return v
}

// nameView is what can be filled in.
type nameView struct{ Insert, What string }

// sketchView is how a message looks, and what there is to mind.
type sketchView struct {
	Card *web.Card
	// Leads is where a tap leads; empty for nowhere.
	Leads string
	// Faults are what it would be refused for. Fresh says that nothing was written yet.
	Faults, Warnings []string
	Fresh            bool
	Names            []nameView
}

// sketchView puts a sketch into words. sk may be nil; list are the fields of the list that
// it is filled from.
func (c *Console) sketchView(s *visit, sk *messages.Sketch, list []string) sketchView {
	v := sketchView{Names: names(s.words, list)}
	if sk == nil {
		return v
	}
	if len(sk.Message.Data) > 0 {
		v.Card = cardOf(s.words, sk.Template, sk.Message)
	}
	v.Leads = leads(sk.Message)
	for _, f := range sk.Cuts {
		v.Warnings = append(v.Warnings, c.config.Chat.Cut(f))
	}
	if len(sk.Needs) > 0 {
		fields := make([]string, len(sk.Needs))
		for i, name := range sk.Needs {
			fields[i] = "{" + name + "}"
		}
		v.Warnings = append(v.Warnings, s.words.Say("write.needs", lang.Vars{"Fields": fields}))
	}
	return v
}

// names are the words that can be filled in: the fields of a list, the day and the time.
func names(l *lang.Locale, list []string) (all []nameView) {
	for _, name := range list {
		if message.IsFieldName(name) {
			all = append(all, nameView{"{" + name + "}", l.Say("write.field")})
		}
	}
	date, clock := "{date}", "{time}"
	if l.Language == "zh" {
		date, clock = "{日期}", "{时间}"
	}
	return append(all, nameView{date, l.Say("write.date")}, nameView{clock, l.Say("write.time")})
}

// cardOf draws a message as a phone shows it.
func cardOf(l *lang.Locale, t wechat.Template, m wechat.Message) *web.Card {
	values, keys := map[string]string{}, []string(nil)
	for _, f := range m.Data {
		values[f.Key] = f.Value
		keys = append(keys, f.Key)
	}
	card := web.NewCard(cmp.Or(t.Title, m.TemplateID), t.Content, keys, func(key string) string { return values[key] })
	if leads(m) != "" {
		card.Details = l.Say("card_details")
	}
	return &card
}

// leads is where a tap on a message leads.
func leads(m wechat.Message) string {
	if p := m.MiniProgram; p != nil {
		return p.AppID + " " + p.PagePath
	}
	return m.URL
}

// replyView is what the chat answers to a form that stays on its page.
type replyView struct {
	Lines []string
	// Done says that it was carried out.
	Done bool
}

// status is that of a page with a reply.
func (r *replyView) status() int {
	if r == nil || r.Done {
		return http.StatusOK
	}
	return http.StatusUnprocessableEntity
}

// faults puts what a service refuses a command for into words, and returns an error that
// has none.
func (c *Console) faults(err error, asked chat.Command) ([]string, error) {
	if err == nil {
		return nil, nil
	}
	return c.config.Chat.Faults(err, asked)
}
