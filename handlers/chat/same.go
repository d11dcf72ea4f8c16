package chat

import (
	"cmp"
	"fmt"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

// sameText says what became of the broadcast that a repetition was refused for,
// and how to go on. asked is the command that asked for it, the zero one if that is not
// known any more.
func (c *Composer) sameText(e *models.Error, asked Command) string {
	id, _ := e.Args["ID"].(int64)
	again, part := c.again(e, asked)
	v := vars{
		"ID": id, "Name": e.Args["Name"], "Again": again,
		"Status": c.on(Status, id), "Resume": c.on(Resume, id), "Cancel": c.on(Cancel, id),
	}
	st, ok := e.Args["Status"].(broadcast.Status)
	if !ok {
		return c.say("same.unknown", v)
	}
	b, now := st.Broadcast, c.now()
	v["Sent"], v["Total"] = st.Counts.Taken()+st.Counts.Uncertain, b.Recipients
	v["At"], v["In"] = "", ""
	if b.ResumeAt.After(now) {
		v["At"] = b.ResumeAt
	}
	if b.NotBefore.After(now) {
		v["In"] = b.NotBefore.Sub(now)
	}
	if !b.FinishedAt.IsZero() {
		v["Ago"] = now.Sub(b.FinishedAt.Time)
	}
	if part && b.State.Final() {
		return c.say("same.part", v)
	}
	return c.say("same."+string(b.State), v)
}

// again returns the command that asks for a refused repetition all the same: to the same
// people, with the same changes and at the same time. part tells whether these are only
// some recipients of an earlier broadcast.
func (c *Composer) again(e *models.Error, asked Command) (line string, part bool) {
	language := 0
	if c.locale.Language == "zh" {
		language = 1
	}
	name, id := asked.Name, asked.ID
	message := asked.Message
	if name == Unknown {
		to, _ := e.Args["To"].(models.Audience)
		name = map[models.Audience]Name{models.AudienceRest: Rest, models.AudienceReached: Reached}[to]
		id, _ = e.Args["Of"].(int64)
		message = fmt.Sprint(e.Args["Name"])
	}
	var words []string
	switch part = name == Rest || name == Reached; {
	case part:
		words = append(words, fmt.Sprintf("#%d", id))
	default:
		name, message = BroadcastAll, cmp.Or(message, fmt.Sprint(e.Args["Name"]))
	}
	if message != "" {
		words = append(words, c.named(message))
	}
	words = append(words, againWords[language])
	if asked.At != "" {
		words = append(words, atWords[language], asked.At)
	}
	line = c.write(name, strings.Join(words, " "))
	for _, f := range asked.Fields {
		line += "\n" + f.Field + "=" + f.Value
	}
	return line, part
}
