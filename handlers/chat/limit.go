package chat

import (
	"strings"

	"wechat-broadcast/services/wechat"
)

// fitList joins head and items by newlines. Items that don't fit are replaced
// by what more says of their number.
func fitList(head string, items []string, more func(n int) string) string {
	room := wechat.MaxText - len(head)
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
