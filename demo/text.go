package demo

import (
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// narrow measures text in columns of a terminal. Ambiguous characters, the box
// drawing among them, count as narrow whatever the locale says: that is how
// terminals draw them.
var narrow = &runewidth.Condition{StrictEmojiNeutral: true}

// cells is how many columns a text takes.
func cells(text string) int { return narrow.StringWidth(text) }

// clean drops control characters but for line breaks: what the account or a
// script says must not steer the terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r != '\n' && unicode.IsControl(r):
			return -1
		}
		return r
	}, text)
}

// wrap breaks a text into lines of at most width columns: at spaces, beside
// wide characters, or where it must.
func wrap(text string, width int) []string {
	width = max(2, width)
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		rest := []rune(paragraph)
		for cells(string(rest)) > width {
			n := fitting(rest, width)
			lines = append(lines, strings.TrimRight(string(rest[:n]), " "))
			rest = []rune(strings.TrimLeft(string(rest[n:]), " "))
		}
		lines = append(lines, string(rest))
	}
	return lines
}

// fitting is how many characters of a line that is too long go on the first
// line.
func fitting(line []rune, width int) int {
	used, breakAt := 0, 0
	for i, r := range line {
		wide := cells(string(r)) > 1
		if i > 0 && (wide && !closing(r) || line[i-1] == ' ' || cells(string(line[i-1])) > 1 && !closing(r)) {
			breakAt = i
		}
		used += cells(string(r))
		if used > width {
			if breakAt > 0 {
				return breakAt
			}
			return max(1, i)
		}
	}
	return len(line)
}

// closing tells whether a character must not begin a line.
func closing(r rune) bool {
	return strings.ContainsRune("，。、；：！？）」』”’》,.;:!?)", r)
}

// hang puts a text behind a prefix, with the further lines indented as far.
func hang(prefix, text string, columns int) []string {
	indent := cells(prefix)
	lines := wrap(text, columns-indent)
	for i, line := range lines {
		if i == 0 {
			lines[i] = prefix + line
		} else {
			lines[i] = strings.TrimRight(strings.Repeat(" ", indent)+line, " ")
		}
	}
	return lines
}

// masked is enough of an OpenID to tell people apart.
func masked(openID string) string {
	if len(openID) < 12 {
		return openID
	}
	return openID[:6] + "…" + openID[len(openID)-4:]
}
