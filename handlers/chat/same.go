package chat

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

// sameText says what became of the broadcast that a repetition was refused for,
// and how to go on with what was asked for.
func (c *Composer) sameText(e *models.Error, asked Command) string {
	id, _ := e.Args["ID"].(int64)
	v := vars{
		"ID": id, "Name": e.Args["Name"], "Again": c.again(asked, fmt.Sprint(e.Args["Name"])),
		"Status": c.on(Status, id), "Resume": c.on(Resume, id), "Cancel": c.on(Cancel, id),
	}
	st, ok := e.Args["Status"].(broadcast.Status)
	if !ok {
		return c.say("same.unknown", v)
	}
	b, now := st.Broadcast, c.now()
	v["Audience"] = ""
	if asked.Name != BroadcastAll || b.Audience != models.AudienceAll {
		v["Audience"] = c.audience(b)
	}
	v["Sent"], v["Total"] = st.Counts.Taken()+st.Counts.Uncertain, b.Recipients
	v["At"], v["In"] = "", ""
	if b.ResumeAt.After(now) {
		v["At"] = b.ResumeAt
	}
	if wait := b.StartsIn(now); wait > 0 {
		v["In"] = wait
	}
	if !b.FinishedAt.IsZero() {
		v["Ago"] = now.Sub(b.FinishedAt.Time)
	}
	sentence := "same." + string(b.State)
	if some := "same_some." + string(b.State); asked.Name != BroadcastAll && c.locale.Has(some) {
		sentence = some
	}
	return c.say(sentence, v)
}

// again returns a command on a broadcast with the word that allows a repetition: to the
// same people, at the same time, with the same changes. name is that of a message which
// says the same as the one that was asked for.
func (c *Composer) again(asked Command, name string) string {
	if asked.Name == API {
		return `"again": true`
	}
	again := c.flagWord(0)
	if asked.Message == "" && (len(asked.Fields) > 0 || asked.Name == Rest) {
		name = ""
	}
	asked.Again = true
	text := c.arguments(asked, name)
	// One that was cut could be sent as it stands.
	if asked.Name == Unknown || utf8.RuneCountInString(text) > maxArgument/2 {
		return c.say("same_some.command", vars{"Word": again})
	}
	return c.write(asked.Name, text)
}

// test returns the command that sends what was asked for to the test list. name is that
// of the message, if none was written.
func (c *Composer) test(asked Command, name string) string {
	text := c.arguments(Command{Message: asked.Message, Fields: asked.Fields}, name)
	if utf8.RuneCountInString(text) > maxArgument/2 {
		return c.say("untested.command", vars{"Test": c.write(BroadcastTest, c.named(cmp.Or(asked.Message, name)))})
	}
	return c.write(BroadcastTest, text)
}

// arguments writes what stands behind the name of a command on a message, with the lines
// after it. name is that of the message, if the command has none.
func (c *Composer) arguments(cmd Command, name string) string {
	var words []string
	if cmd.ID != 0 {
		words = append(words, fmt.Sprintf("#%d", cmd.ID))
	}
	if len(cmd.Groups) > 0 {
		words = append(words, c.groupNames(cmd.Groups))
	}
	for i := 0; i < len(cmd.Except); {
		var names []string
		kind := cmd.Except[i].Kind
		for ; i < len(cmd.Except) && cmd.Except[i].Kind == kind; i++ {
			names = append(names, cmd.Except[i].Name)
		}
		words = append(words, c.inLanguage(exceptWords), c.inLanguage(kindWords[kind]), c.groupNames(names))
	}
	if name = cmp.Or(cmd.Message, name); name != "" {
		words = append(words, c.named(name))
	}
	for i, set := range []bool{cmd.Again, cmd.Canary, cmd.Now} {
		if set {
			words = append(words, c.flagWord(i))
		}
	}
	if cmd.At != "" {
		words = append(words, c.inLanguage(atWords), cmd.At)
	}
	lines := []string{strings.Join(words, " ")}
	for _, f := range cmd.Fields {
		lines = append(lines, f.Field+"="+f.Value)
	}
	return strings.Join(lines, "\n")
}

// flagWord is how the flag at a place in flags is taught.
func (c *Composer) flagWord(i int) string { return c.inLanguage(flags[i].words) }

// inLanguage returns a word as it is taught, of one in English and one in Chinese.
func (c *Composer) inLanguage(words []string) string {
	if c.locale.Language == "zh" {
		return words[1]
	}
	return words[0]
}

// groupNames writes the names of groups as they are read again.
func (c *Composer) groupNames(names []string) string {
	written := make([]string, len(names))
	for i, name := range names {
		written[i] = groupName(name)
	}
	if c.locale.Language == "zh" {
		return strings.Join(written, "，")
	}
	return strings.Join(written, ",")
}

// groupName returns a group's name as it is written in a command: in quotation marks that
// are not in it, if it would be read otherwise without.
func groupName(name string) string {
	w := word{raw: name, folded: strings.Map(fold, name)}
	_, at := cutAt(w)
	_, except := cutSolid(w, exceptWords)
	parted := strings.ContainsFunc(name, func(r rune) bool { return space(r) || separator(r) })
	if !at && !except && !parted && !beginsQuoted(w) {
		return name
	}
	for _, q := range quotes {
		if !strings.Contains(name, q.end) {
			return q.begin + name + q.end
		}
	}
	return name
}
