package chat

import (
	"cmp"
	"slices"
	"strings"

	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
)

const (
	maxCardValue = 200 // runes of a field
	maxCardLink  = 80  // runes of a link
)

// card draws a message as a phone shows it, a line for each: the template's title, the
// fields by their names in the template's order, and where a tap leads. Of a template
// that is not known there is no title, and the fields go by their keys.
func (c *Composer) card(t wechat.Template, m wechat.Message) []string {
	var lines []string
	if t.Title != "" {
		lines = append(lines, c.say("card.title", vars{"Title": t.Title}))
	}
	place := func(key string) int {
		i := slices.Index(t.Keys, key)
		if i < 0 {
			return len(t.Keys)
		}
		return i
	}
	data := slices.SortedStableFunc(slices.Values(m.Data), func(a, b wechat.Field) int { return cmp.Compare(place(a.Key), place(b.Key)) })
	for _, f := range data {
		lines = append(lines, c.say("card.field", vars{"Field": t.Name(f.Key), "Value": clip(oneLine(f.Value), maxCardValue)}))
	}
	if p := m.MiniProgram; p != nil {
		lines = append(lines, "→ "+clip(p.AppID+" "+p.PagePath, maxCardLink))
	} else if m.URL != "" {
		lines = append(lines, "→ "+clip(m.URL, maxCardLink))
	}
	return lines
}

func oneLine(text string) string { return strings.Join(strings.FieldsFunc(text, lineBreak), " ") }

// withCard puts a card, or as much of it as there is room for, between two texts that
// must be whole.
func (c *Composer) withCard(before string, card []string, after string) string {
	if after != "" {
		after = "\n" + after
	}
	if len(before)+len(after)+len("\n"+c.cardCut()) > wechat.MaxText {
		return before + after
	}
	// The items must fit beside both texts.
	both := strings.Repeat(" ", len(before)+len(after))
	shown := strings.TrimPrefix(fitList(both, card, func(int) string { return c.cardCut() }), both)
	return before + shown + after
}

func (c *Composer) cardCut() string { return c.say("card.cut", nil) }

// changes are the lines `field=value` as a message takes them.
func changes(lines []FieldLine) []messages.Change {
	var all []messages.Change
	for _, l := range lines {
		all = append(all, messages.Change{Field: l.Field, Value: l.Value})
	}
	return all
}

// named returns a message's name as it is written in a command: in quotation marks if
// it has several words.
func (c *Composer) named(name string) string {
	if !strings.ContainsFunc(name, space) {
		return name
	}
	return "“" + name + "”"
}
