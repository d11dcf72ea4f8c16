package chat

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"wechat-broadcast/models"
)

// help lists what the sender may send.
func (c *Chat) help(_ context.Context, r request) (string, error) {
	items := c.helpItems(r.role, func(cmd command) bool { return cmd.role == "" })
	if r.role != "" {
		items = append(items, c.say("help.admin", nil))
		items = append(items, c.helpItems(r.role, func(cmd command) bool { return cmd.role != "" })...)
	}
	return fitList(c.say("help.head", nil), items, c.more), nil
}

// helpItems lists the commands of a section that somebody with that role may use: a line
// for each, with those that stand under it.
func (c *Composer) helpItems(role models.Role, section func(command) bool) []string {
	lines := map[Name][]command{}
	var order []Name
	for _, cmd := range c.commands {
		if !section(cmd) || !role.May(cmd.role) {
			continue
		}
		base := cmp.Or(cmd.under, cmd.name)
		if lines[base] == nil {
			order = append(order, base)
		}
		lines[base] = append(lines[base], cmd)
	}
	items := make([]string, len(order))
	for i, base := range order {
		items[i] = c.helpLine(base, lines[base])
	}
	return items
}

// helpLine writes commands on one line: those that are words after the base in brackets,
// as in `topics [add NAME | remove NAME]`, and others beside it, as in `pause / resume`.
// What all of these take stands once, behind them. Of commands that share their first
// English word it stands once, too.
func (c *Composer) helpLine(base Name, all []command) string {
	var beside, args, after []string
	taught := c.write(base, "")
	for _, cmd := range all {
		word, is := strings.CutPrefix(c.write(cmd.name, ""), taught+" ")
		if is && cmd.name != base {
			after = append(after, joinWords(word, c.takesText(cmd.takes)))
			continue
		}
		beside, args = append(beside, c.write(cmd.name, "")), append(args, c.takesText(cmd.takes))
	}
	if len(beside) == 0 { // everybody may use the base, and finds it elsewhere
		beside, args = []string{taught}, []string{""}
	}
	var more, usage string
	if len(after) > 0 {
		more = " [" + strings.Join(after, " | ") + "]"
	}
	if same := slices.Compact(slices.Clone(args)); len(same) == 1 {
		usage = joinWords(strings.Join(withoutFirst(beside), " / "), args[0]) + more
	} else {
		for i := range beside {
			beside[i] = joinWords(beside[i], args[i])
		}
		beside[0] += more // it continues the first
		usage = strings.Join(beside, " / ")
	}
	name := all[0].name
	if slices.ContainsFunc(all, func(cmd command) bool { return cmd.name == base }) {
		name = base
	}
	return usage + " · " + c.say("help."+string(name), nil)
}

// withoutFirst drops the first word of all commands but the first, if they share it.
func withoutFirst(taught []string) []string {
	first, _, more := strings.Cut(taught[0], " ")
	if !more || slices.ContainsFunc(taught, func(s string) bool { return !strings.HasPrefix(s, first+" ") }) {
		return taught
	}
	short := slices.Clone(taught)
	for i := range short[1:] {
		short[i+1] = strings.TrimPrefix(short[i+1], first+" ")
	}
	return short
}

// takesText is what follows a command's name, in words; empty for nothing.
func (c *Composer) takesText(t takes) string {
	arguments := map[takes]string{
		takesMessage: "message", takesGroups: "groups", takesOf: "of", takesNumber: "number", needsNumber: "needed", takesTime: "time",
		takesNumberAndWhy: "number_why", takesNumberFlags: "needed", takesNameAndWords: "name_words", takesNames: "names",
		takesOpenID: "openid", takesOpenIDAndName: "openid_name", takesOpenIDAndRole: "openid_role",
		takesName: "name", takesNameAndFields: "name_fields", takesNameAndText: "name_text",
		takesCode: "code",
	}
	if id, ok := arguments[t]; ok {
		return c.say("help.takes."+id, nil)
	}
	return ""
}

func joinWords(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}
