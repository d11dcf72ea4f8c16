package wechat

import (
	"strings"
	"unicode/utf8"
)

// MaxText is the longest text, in bytes, that the platform takes as a reply or a
// customer-service message (WeChat: passive reply docs). To one more the person reads
// that the account is out of order.
const MaxText = 2047

// FitText returns text as a message may hold it: what XML 1.0 can't carry is dropped,
// and what is too long is cut between two characters.
func FitText(text string) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7F || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, text))
	if len(text) <= MaxText {
		return text
	}
	const mark = "…"
	return strings.ToValidUTF8(text[:MaxText-len(mark)], "") + mark
}
