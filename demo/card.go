package demo

import (
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/simulator"
	"wechat-broadcast/web"
)

const (
	cardWidest    = 40 // columns inside the frame
	cardNarrowest = 16
)

// card draws a template message as a phone shows it: title and time of day,
// the template's lines with their values, and the way on.
func card(m simulator.Message, t simulator.Template, details string, columns int) []string {
	inside := min(cardWidest, max(cardNarrowest, columns-8))
	row := func(text string) string { return "│ " + narrow.FillRight(text, inside) + " │" }
	rule := strings.Repeat("─", inside+2)

	c := layOut(m, t, details)
	lines := []string{"┌" + rule + "┐"}
	for i, line := range wrap(c.Title, inside-len(c.Time)-1) {
		if i == 0 {
			line = narrow.FillRight(line, inside-len(c.Time)) + c.Time
		}
		lines = append(lines, row(line))
	}
	lines = append(lines, row(""))
	widest := 0
	for _, f := range c.Fields {
		widest = max(widest, cells(f.Label))
	}
	for _, f := range c.Fields {
		for _, line := range hang(narrow.FillRight(f.Label, widest)+"  ", clean(f.Value), inside) {
			lines = append(lines, row(line))
		}
	}
	if c.Details != "" {
		lines = append(lines, "├"+rule+"┤", row(narrow.FillRight(c.Details, inside-1)+"›"))
	}
	return append(lines, "└"+rule+"┘")
}

// layOut lays a message out as the pages do; details is the word for the way on.
func layOut(m simulator.Message, t simulator.Template, details string) web.Card {
	c := web.NewCard(t.Title, t.Content, nil, func(key string) string { return m.Content.Data[key].Value })
	c.Time = lang.HourMinute(m.At)
	if m.Content.URL != "" || len(m.Content.MiniProgram) > 0 {
		c.Details = details
	}
	return c
}
