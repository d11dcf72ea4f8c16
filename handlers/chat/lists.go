package chat

import (
	"context"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/lists"
)

// listService is what the chat asks of a *lists.Service.
type listService interface {
	All(ctx context.Context) ([]lists.Shown, error)
	Remove(ctx context.Context, name string) (*models.List, error)
}

const (
	// maxGroup is how much of a group's name is shown among others, in runes.
	maxGroup = 24
	// maxAudience is how much of the names of an audience a reply begins with.
	maxAudience = 100
	// partsShown is how many groups of an audience are shown in numbers.
	partsShown = 5
)

// lists shows the lists, and how to send to one.
func (c *Chat) lists(ctx context.Context, r request) (string, error) {
	all, err := c.config.Lists.All(ctx)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return c.say("lists.empty", nil), nil
	}
	items := make([]string, len(all))
	for i, l := range all {
		items[i] = c.listItem(l, r.from)
	}
	send := c.write(BroadcastList, c.named(clip(all[0].Name, maxGroup)))
	head := c.say("lists.head", vars{"Count": int64(len(all))}) + "\n" + c.say("lists.send", vars{"Send": send})
	return fitList(head, items, c.more), nil
}

func (c *Chat) listItem(l lists.Shown, asker string) string {
	by := l.ChangedBy
	switch by {
	case asker:
		by = c.say("replies.you", nil)
	case "":
		by = c.say("lists.server", nil)
	}
	v := vars{"Name": clip(l.Name, maxGroup), "Size": l.Size, "Follow": "", "Fields": "", "At": l.ChangedAt, "By": by}
	if l.Counted {
		v["Follow"] = l.Follow
	}
	var fields []string
	for _, name := range l.FieldNames() {
		fields = append(fields, "{"+name+"}")
	}
	v["Fields"] = clip(strings.Join(fields, " "), 80)
	return c.say("lists.item", v)
}

func (c *Chat) removeList(ctx context.Context, r request) (string, error) {
	removed, err := c.config.Lists.Remove(ctx, r.Arg)
	if err != nil {
		return "", err
	}
	return c.say("lists.removed", vars{"Name": removed.Name}), nil
}

// parts says of each group of an audience how many are in it, why some are not sent to, and
// how many are left. One group of whom all are sent to has nothing to add to the first line
// of a reply.
func (c *Composer) parts(parts []models.Part) []string {
	if len(parts) == 1 && parts[0].Left == parts[0].Total {
		return nil
	}
	var lines []string
	for i, p := range parts {
		if i == partsShown {
			return append(lines, c.more(len(parts)-i))
		}
		if p.Known {
			lines = append(lines, c.part(p))
		}
	}
	return lines
}

func (c *Composer) part(p models.Part) string {
	var numbers []string
	for _, n := range []struct {
		id    string
		count int64
	}{
		{"away", p.Away}, {"opted_out", p.OptedOut}, {"blacklisted", p.Blacklisted}, {"repeated", p.Repeated}, {"excepted", p.Excepted},
	} {
		if n.count > 0 {
			numbers = append(numbers, c.say("part."+n.id, vars{"N": n.count}))
		}
	}
	numbers = append(numbers, c.say("part.left", vars{"N": p.Left}))
	group := groupText(c.locale.Locale, p.Group.Kind, clip(p.Group.Name, maxGroup))
	if p.Group.Given() {
		return c.say("part.given", vars{"Group": givenText(c.locale.Locale, p.Group), "Numbers": strings.Join(numbers, " · ")})
	}
	return c.say("part.line", vars{"Group": group, "Count": p.Total, "Numbers": strings.Join(numbers, " · ")})
}

// lacking says which fields a message needs that some on its lists lack.
func (c *Composer) lacking(e *models.Error) string {
	lacks, _ := e.Args["Lacks"].([]models.Lack)
	known, _ := e.Args["Known"].([]string)
	name, _ := e.Args["Name"].(string)
	var items []string
	for _, l := range lacks {
		people := strings.Join(l.OpenIDs, c.say("group.and", nil))
		if int64(len(l.OpenIDs)) < l.Count {
			people += "…"
		}
		items = append(items, c.say("error.field_lacking", vars{"Field": "{" + clip(l.Field, 64) + "}", "Count": l.Count, "People": people}))
	}
	head := c.say("error.fields_lacking", vars{"Name": clip(name, maxNamed)})
	if len(known) > 0 {
		head += "\n" + c.say("error.fields_known", vars{"Known": clip("{"+strings.Join(known, "} {")+"}", 400)})
	}
	return fitList(head, items, c.more)
}
