package chat

import (
	"strings"
	"unicode/utf8"
)

// maxReply is the longest text, in bytes, that the platform takes as a reply or
// a customer-service message (WeChat: passive reply docs; 2,048 is too long).
const maxReply = 2047

// fit makes text fit for the platform: valid UTF-8 of characters that XML can
// carry, cut at a rune's boundary if it is too long. Lists should be cut by
// fitList before, so that the reader learns how much is missing.
func fit(text string) string {
	text = strings.TrimSpace(strings.Map(xmlRune, strings.ToValidUTF8(text, "\uFFFD")))
	if len(text) <= maxReply {
		return text
	}
	const mark = "…"
	at := maxReply - len(mark)
	for !utf8.RuneStart(text[at]) {
		at--
	}
	return text[:at] + mark
}

// xmlRune drops what XML 1.0 can't carry.
func xmlRune(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return r
	case r < 0x20 || r == 0x7F || r == 0xFFFE || r == 0xFFFF:
		return -1
	default:
		return r
	}
}

// fitList joins head and items by newlines. Items that don't fit are replaced
// by what more says of their number.
func fitList(head string, items []string, more func(n int) string) string {
	room := maxReply - len(head)
	total := 0
	for _, item := range items {
		total += len(item) + 1
	}
	if total > room {
		room -= len(more(len(items))) + 1
	}
	var b strings.Builder
	b.WriteString(head)
	for i, item := range items {
		if total > room && len(item)+1 > room {
			b.WriteString("\n" + more(len(items)-i))
			break
		}
		room -= len(item) + 1
		total -= len(item) + 1
		b.WriteString("\n" + item)
	}
	return strings.TrimPrefix(b.String(), "\n")
}
