package chat

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/topics"
)

// maxSceneRunes is how long the scene of a QR code may be (WeChat: QR code docs).
const maxSceneRunes = 64

// topicList is what the chat asks of a *topics.Service.
type topicList interface {
	List(ctx context.Context) ([]models.Topic, error)
	All(ctx context.Context) ([]topics.Counted, error)
	Add(ctx context.Context, name, description, by string) (*topics.Added, error)
	Remove(ctx context.Context, name string) (*models.Topic, models.TopicCounts, error)
}

// said is how a person said what they want.
func (r request) said() followers.Said {
	return followers.Said{Via: r.via, Text: strings.TrimSpace(r.text), Key: r.key}
}

// interpret parses a text with the account's topics in mind: `订阅讲座` joins 讲座 if that is
// one, and so does the name alone of somebody who wrote nothing. A word that the account
// answers stays that.
func (c *Chat) interpret(ctx context.Context, text, via string) Command {
	cmd, maybe := parse(text)
	if cmd.Name != Unknown || maybe.Name == Unknown && typed(via) {
		return cmd
	}
	if maybe.Name == Unknown {
		if _, answered := c.autoReply(ctx, text); answered || squeezed(text) == "" {
			return cmd
		}
		maybe = Command{Name: Join, Groups: []string{strings.TrimSpace(text)}}
	}
	found, unknown := topics.Find(c.knownTopics(ctx), maybe.Groups)
	if len(unknown) > 0 || len(found) == 0 {
		return cmd
	}
	return maybe
}

// typed tells whether a person wrote the words, and did not tap or scan something.
func typed(via string) bool { return via == models.ViaText || via == models.ViaTerminal }

// knownTopics returns the topics; none while they can't be read.
func (c *Chat) knownTopics(ctx context.Context) []models.Topic {
	list, err := c.config.Topics.List(ctx)
	if err != nil {
		c.log.WarnContext(ctx, "look up the topics", "err", err)
	}
	return list
}

// aboutTopics tells whether a line is about the account's topics and not one that only
// begins like it: “join us for dinner” and “leave a message” are no commands unless they
// name a topic. In Chinese nothing else begins so.
func (c *Chat) aboutTopics(ctx context.Context, cmd Command, text string) bool {
	list := c.knownTopics(ctx)
	found, _ := topics.Find(list, cmd.Groups)
	english := squeezed(text)[0] < utf8.RuneSelf // it is a command, so not empty
	return len(list) > 0 && (cmd.Name == Topics || !english || len(found) > 0)
}

// Scans tells whether the scene of a QR code joins or leaves topics. No other command is
// carried out by a scan: who scans a code does not see what it says.
func (c *Chat) Scans(ctx context.Context, scene string) bool {
	cmd := c.interpret(ctx, scene, models.ViaScan)
	return (cmd.Name == Join || cmd.Name == Leave) && cmd.Fault == "" && len(c.knownTopics(ctx)) > 0
}

// topics lists the topics, for admins with how many people are in each.
func (c *Chat) topics(ctx context.Context, r request) (string, error) {
	in, optedOut, err := c.config.Followers.TopicsOf(ctx, r.from)
	if err != nil {
		return "", err
	}
	var all []topics.Counted
	if r.role != "" {
		all, err = c.config.Topics.All(ctx)
	} else {
		var list []models.Topic
		list, err = c.config.Topics.List(ctx)
		for _, t := range list {
			all = append(all, topics.Counted{Topic: t})
		}
	}
	if err != nil {
		return "", err
	}
	v := vars{"Start": c.write(Start, ""), "Stop": c.write(Stop, ""), "Add": c.write(TopicsAdd, ""), "Remove": c.write(TopicsRemove, "")}
	var lines []string
	if len(all) == 0 {
		lines = append(lines, c.say("topics.none", v))
	} else {
		v["Count"] = int64(len(all))
		v["Join"], v["Leave"] = c.write(Join, all[0].Name), c.write(Leave, all[0].Name)
		lines = append(lines, c.say("topics.head", v))
	}
	if r.role.May(models.Editor) {
		lines = append(lines, c.say("topics.editor", v))
	}
	if optedOut {
		lines = append(lines, c.say("topics.opted_out", v))
	}
	items := make([]string, len(all))
	for i, t := range all {
		joined := slices.ContainsFunc(in, func(mine models.Topic) bool { return mine.ID == t.ID })
		items[i] = c.topicItem(t, joined, r.role != "")
	}
	return fitList(joined(lines), items, c.more), nil
}

// topicItem is the line of a topic in a list.
func (c *Composer) topicItem(t topics.Counted, joined, counts bool) string {
	v := vars{"Name": t.Name, "Text": clip(t.Description, 40), "Joined": "", "N": t.Joined, "Reachable": t.Reachable}
	if joined {
		v["Joined"] = "✓ "
	}
	item := c.say("topics.item", v)
	switch {
	case !counts:
	case t.Known:
		item += " · " + c.say("topics.counts", v)
	default:
		item += " · " + c.say("topics.uncounted", v)
	}
	return item
}

// setTopics has the sender join topics, or leave them.
func (c *Chat) setTopics(ctx context.Context, r request) (string, error) {
	list, err := c.config.Topics.List(ctx)
	if err != nil {
		return "", err
	}
	found, unknown := topics.Find(list, r.Groups)
	switch {
	case len(list) == 0 && r.Name == Leave:
		return c.say("unknown.leave", vars{"Stop": c.write(Stop, ""), "Help": c.write(Help, "")}), nil
	case len(list) == 0:
		return c.topics(ctx, r)
	case len(unknown) > 0:
		return c.unknownTopics(r, list, unknown), nil
	}
	ids := make([]int64, len(found))
	for i, t := range found {
		ids[i] = t.ID
	}
	done, err := c.config.Followers.SetTopics(ctx, r.from, ids, r.Name == Join, r.said())
	if err != nil {
		return "", err
	}
	id := string(r.Name) + ".already"
	if len(done.Topics) > 0 {
		id = string(r.Name) + ".done"
	}
	names := topics.Names(found)
	v := vars{
		"Names": clip(c.names(names), 150), "In": clip(c.names(topics.Names(done.In)), 250), "Start": c.write(Start, ""), "Stop": c.write(Stop, ""),
		"Join": c.write(Join, names[0]), "Leave": c.write(Leave, names[0]),
	}
	v["Several"] = len(names) > 1
	lines := []string{c.say(id, v)}
	if done.OptedOut {
		lines = append(lines, c.say("topics.opted_out", v))
	}
	if len(done.In) > 0 {
		lines = append(lines, c.say("topics.in", v))
	} else {
		lines = append(lines, c.say("topics.in_none", v))
	}
	if r.Name == Join {
		return joined(append(lines, c.say("join.leave", v))), nil
	}
	return joined(append(lines, c.say("leave.all", v))), nil
}

// unknownTopics says that there are no topics of these names, and which there are.
func (c *Chat) unknownTopics(r request, list []models.Topic, unknown []string) string {
	shown := make([]string, len(unknown))
	for i, name := range unknown {
		shown[i] = clip(quotable(name), 30)
	}
	v := vars{"Names": clip(c.names(shown), 100), "Known": clip(c.names(topics.Names(list)), 400), "Stop": c.write(Stop, "")}
	lines := []string{c.say("topics.unknown", v)}
	if r.Name == Leave {
		lines = append(lines, c.say("leave.everything", v))
	}
	return joined(lines)
}

// names writes names one after the other.
func (c *Composer) names(all []string) string { return strings.Join(all, c.say("group.and", nil)) }

// addTopic adds a topic, or says everything that is wrong with it.
func (c *Chat) addTopic(ctx context.Context, r request) (string, error) {
	var faults []string
	v := vars{"Name": clip(quotable(r.Arg), maxNamed), "Limit": int64(models.MaxTopicName), "Most": int64(models.MaxTopicText)}
	wrong := topics.Faults(r.Arg, r.Text)
	for _, f := range wrong {
		faults = append(faults, c.say("topic_fault."+string(f), v))
	}
	if !slices.Contains(wrong, topics.FaultMark) && !c.nameable(r.Arg) {
		faults = append(faults, c.say("topic_fault.taken", v))
	}
	if len(faults) > 0 {
		return joined(append(faults, c.say("topic_fault.nothing_done", nil))), nil
	}
	done, err := c.config.Topics.Add(ctx, r.Arg, r.Text, r.from)
	if err != nil {
		return "", err
	}
	scene := c.write(Join, done.Name)
	if utf8.RuneCountInString(scene) > maxSceneRunes {
		scene = done.Name
	}
	v = vars{
		"Name": done.Name, "Text": done.Description, "Join": c.write(Join, done.Name), "Scene": scene,
		"Broadcast": c.write(BroadcastTopic, asWritten(done.Name)), "N": done.Counts.Joined, "Reachable": done.Counts.Reachable,
	}
	switch {
	case done.Before == nil:
		return c.say("topics.added", v), nil
	case done.Back():
		return joined([]string{c.say("topics.back", v), c.say("topics.counts_of", v)}), nil
	case done.Before.Name != done.Name:
		v["Was"] = done.Before.Name
		return c.say("topics.respelled", v), nil
	case done.Before.Description != done.Description:
		return c.say("topics.changed", v), nil
	default:
		return c.say("topics.same", v), nil
	}
}

// removeTopic removes a topic, and says how it comes back.
func (c *Chat) removeTopic(ctx context.Context, r request) (string, error) {
	t, counts, err := c.config.Topics.Remove(ctx, r.Arg)
	if err != nil {
		return "", err
	}
	return c.say("topics.removed", vars{"Name": t.Name, "N": counts.Joined, "Add": c.write(TopicsAdd, asWritten(t.Name))}), nil
}

// asWritten is a name as a command takes it: one of several words stands in quotation
// marks.
func asWritten(name string) string {
	if strings.Contains(name, " ") {
		return "“" + name + "”"
	}
	return name
}
