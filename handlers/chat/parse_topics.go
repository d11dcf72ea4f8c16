package chat

import (
	"slices"
	"strings"

	"wechat-broadcast/models"
)

// topics reads the names of topics to join or leave. Nothing follows them, so a name of
// several words needs no quotation marks.
func (cmd *Command) topics(rest []word) {
	for _, name := range strings.FieldsFunc(raw(rest), separator) {
		for _, q := range quotes {
			name = strings.Trim(name, q.begin+q.end+" ")
		}
		if name != "" {
			cmd.Groups = append(cmd.Groups, name)
		}
	}
	if len(cmd.Groups) == 0 {
		cmd.Fault = FaultNoGroup
	}
}

// everything are words for all topics, whatever a topic were called.
var everything = []string{"全部", "所有", "所有主题", "全部主题", "all", "everything", "all topics"}

// nameable tells whether every command can name a topic of this name, and whether the
// name alone, as the key of a menu or the scene of a QR code, means nothing else.
func (c *Composer) nameable(name string) bool {
	if c.parse(name).Name != Unknown || Alarming(name) || strings.Trim(name, trimmed) == "" ||
		slices.Contains(everything, strings.Map(fold, name)) {
		return false
	}
	quoted := name
	if strings.Contains(name, " ") {
		quoted = "“" + name + "”"
	}
	only := []string{name}
	for _, line := range []string{"join ", "leave ", "订阅 ", "退订 ", "取消订阅 "} {
		cmd := c.parse(line + name)
		if cmd.Name != Join && cmd.Name != Leave || !slices.Equal(cmd.Groups, only) {
			return false
		}
	}
	if cmd := c.parse("topics remove " + quoted); cmd.Name != TopicsRemove || cmd.Arg != name || cmd.Fault != "" {
		return false
	}
	to := c.parse("broadcast topic " + quoted + " x at 09:00")
	if to.Fault != "" || !slices.Equal(to.Groups, only) || to.Message != "x" || to.At != "09:00" {
		return false
	}
	for _, line := range []string{"broadcast all x except topic " + quoted + " at 09:00", "broadcast all x at 09:00 except topic " + quoted} {
		but := c.parse(line)
		if but.Fault != "" || but.Message != "x" || but.At != "09:00" || but.Again || but.Canary || but.Now ||
			!slices.Equal(but.Except, []models.Group{{Kind: models.GroupTopic, Name: name}}) {
			return false
		}
	}
	return true
}
