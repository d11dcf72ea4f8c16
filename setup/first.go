package setup

import (
	"slices"
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/wechat/field"
)

// preset are the types whose values only the platform knows.
var preset = []string{"const", "enum", "enum_string"}

// FirstMessage returns the lines, as admins write them, of a message by which a template
// is tried. ok is false for a template with values that only the platform knows, or
// without any.
func FirstMessage(words *lang.Locale, t wechat.Template) (lines []messages.Change, ok bool) {
	lines = []messages.Change{{Field: "template", Value: t.ID}}
	for _, f := range message.ShownFields(t) {
		kind := strings.TrimRight(f.Key, "0123456789")
		value := field.Example(f.Key)
		switch {
		case slices.Contains(preset, kind):
			return nil, false
		case kind == "time":
			value = words.Say("init.first.time")
		case kind == "date":
			value = words.Say("init.first.date")
		case kind == "short_thing":
			value = words.Say("init.first.short")
		case value == "":
			value = words.Say("init.first.text")
		}
		lines = append(lines, messages.Change{Field: f.Key, Value: value})
	}
	return lines, len(lines) > 1
}
