package demo

import (
	"regexp"
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/simulator"
)

const (
	cardWidest    = 40 // columns inside the frame
	cardNarrowest = 16
)

var fieldOf = regexp.MustCompile(`\{\{(\w+)\.DATA\}\}`)

// card draws a template message as a phone shows it: title and time of day,
// the template's lines with their values, and the way on.
func card(m simulator.Message, t simulator.Template, details string, columns int) []string {
	inside := min(cardWidest, max(cardNarrowest, columns-8))
	row := func(text string) string { return "│ " + narrow.FillRight(text, inside) + " │" }
	rule := strings.Repeat("─", inside+2)

	at := lang.HourMinute(m.At)
	lines := []string{"┌" + rule + "┐"}
	for i, line := range wrap(t.Title, inside-len(at)-1) {
		if i == 0 {
			line = narrow.FillRight(line, inside-len(at)) + at
		}
		lines = append(lines, row(line))
	}
	lines = append(lines, row(""))
	for _, line := range fields(m, t, inside) {
		lines = append(lines, row(line))
	}
	if m.Content.URL != "" || len(m.Content.MiniProgram) > 0 {
		lines = append(lines, "├"+rule+"┤", row(narrow.FillRight(details, inside-1)+"›"))
	}
	return append(lines, "└"+rule+"┘")
}

// fields are the lines of a template with its labels aligned and its values
// filled in.
func fields(m simulator.Message, t simulator.Template, width int) []string {
	type field struct{ label, value string }
	var list []field
	widest := 0
	for line := range strings.SplitSeq(t.Content, "\n") {
		label := fieldOf.ReplaceAllString(line, "")
		match := fieldOf.FindStringSubmatch(line)
		if match == nil {
			list = append(list, field{value: clean(line)})
			continue
		}
		f := field{strings.TrimRight(label, "：: "), clean(m.Content.Data[match[1]].Value)}
		list = append(list, f)
		widest = max(widest, cells(f.label))
	}
	var lines []string
	for _, f := range list {
		if f.label == "" {
			lines = append(lines, wrap(f.value, width)...)
			continue
		}
		lines = append(lines, hang(narrow.FillRight(f.label, widest)+"  ", f.value, width)...)
	}
	return lines
}
