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

// beforeExcept is what an example of a command has before its exception: a group, or a
// broadcast's number.
func (c *Composer) beforeExcept(cmd *command) string {
	switch cmd.takes {
	case takesGroups:
		return " " + c.say("fault.like_group", nil)
	case takesOf:
		return " #7"
	default:
		return ""
	}
}

// odd names what a broadcast to the asker or the test list can't have.
func (c *Composer) odd(cmd Command) string {
	var words []string
	if len(cmd.Except) > 0 {
		words = append(words, c.inLanguage(exceptWords))
	}
	if cmd.Canary {
		words = append(words, c.flagWord(1))
	}
	if cmd.Now {
		words = append(words, c.flagWord(2))
	}
	for i, w := range words {
		words[i] = c.say("fault.odd", vars{"Word": w})
	}
	return strings.Join(words, c.say("list_separator", nil))
}

// groupsText names groups, those of one kind together.
func groupsText(l *lang.Locale, groups []models.Group) string {
	var parts []string
	for i := 0; i < len(groups); {
		if groups[i].Given() {
			parts = append(parts, givenText(l, groups[i]))
			i++
			continue
		}
		var names []string
		kind := groups[i].Kind
		for ; i < len(groups) && groups[i].Kind == kind && !groups[i].Given(); i++ {
			names = append(names, groups[i].Name)
		}
		parts = append(parts, groupText(l, kind, names...))
	}
	return strings.Join(parts, l.Say("group.and"))
}

// givenText says how many people were given one by one.
func givenText(l *lang.Locale, g models.Group) string {
	return l.Say("group.given", vars{"Count": g.Size})
}

func groupText(l *lang.Locale, kind models.GroupKind, names ...string) string {
	return l.Say("group."+string(kind), vars{"Names": strings.Join(names, l.Say("group.and"))})
}
