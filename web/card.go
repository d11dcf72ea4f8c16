package web

import (
	"regexp"
	"strings"
)

// Card is a template message as a follower's phone shows it; the template "card"
// draws it.
type Card struct {
	Title string `json:"title"`
	// Time is when it came, in words; empty for none.
	Time   string      `json:"time"`
	Fields []CardField `json:"fields"`
	// Details is the word for the way on; empty if a tap leads nowhere.
	Details string `json:"details"`
}

// CardField is one line of a Card.
type CardField struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

var (
	placeholder = regexp.MustCompile(`\{\{\s*(\w+)\.DATA\s*\}\}`)
	// dropped are the lines that phones no longer show (WeChat: the notice on
	// template messages of 2023-03).
	dropped = map[string]bool{"first": true, "remark": true}
)

// NewCard lays out the fields of a message by its template's content, lines such
// as "Place: {{thing1.DATA}}". keys are those of the message in their order; of
// an unknown template (an empty content) they serve as labels.
func NewCard(title, content string, keys []string, value func(key string) string) Card {
	c := Card{Title: title}
	add := func(label, key string) {
		if !dropped[key] {
			c.Fields = append(c.Fields, CardField{Label: label, Value: value(key)})
		}
	}
	known := false
	for line := range strings.Lines(content) {
		if match := placeholder.FindStringSubmatch(line); match != nil {
			known = true
			add(strings.TrimRight(strings.TrimSpace(placeholder.ReplaceAllString(line, "")), "：: "), match[1])
		}
	}
	if known {
		return c
	}
	for _, key := range keys {
		add(key, key)
	}
	return c
}
