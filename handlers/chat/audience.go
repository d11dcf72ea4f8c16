package chat

import (
	"strconv"
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// AudienceText says to whom a broadcast goes.
func AudienceText(l *lang.Locale, b models.Broadcast) string {
	text := l.Say("audience."+string(b.Audience), vars{
		"Of": strconv.FormatInt(b.OfID, 10), "Groups": groupsText(l, b.Target.Groups),
	})
	if len(b.Target.Except) == 0 {
		return text
	}
	return l.Say("audience.except", vars{"Audience": text, "Except": groupsText(l, b.Target.Except)})
}

// groupsText names groups, those of one kind together.
func groupsText(l *lang.Locale, groups []models.Group) string {
	var parts []string
	for i := 0; i < len(groups); {
		var names []string
		kind := groups[i].Kind
		for ; i < len(groups) && groups[i].Kind == kind; i++ {
			names = append(names, groups[i].Name)
		}
		parts = append(parts, groupText(l, kind, names...))
	}
	return strings.Join(parts, l.Say("group.and"))
}

func groupText(l *lang.Locale, kind models.GroupKind, names ...string) string {
	return l.Say("group."+string(kind), vars{"Names": strings.Join(names, l.Say("group.and"))})
}
