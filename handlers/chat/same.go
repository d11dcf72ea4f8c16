package chat

import (
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
	again, now, at := flags[0].words[0], nowWords[0], atWords[0]
	if c.locale.Language == "zh" {
		again, now, at = flags[0].words[1], nowWords[1], atWords[1]
	}
	var words []string
	if asked.ID != 0 {
		words = append(words, fmt.Sprintf("#%d", asked.ID))
	}
	switch {
	case asked.Message != "":
		words = append(words, c.named(asked.Message))
	case len(asked.Fields) == 0 && asked.Name != Rest:
		words = append(words, c.named(name))
	}
	words = append(words, again)
	if asked.Now {
		words = append(words, now)
	}
	if asked.At != "" {
		words = append(words, at, asked.At)
	}
	lines := []string{strings.Join(words, " ")}
	for _, f := range asked.Fields {
		lines = append(lines, f.Field+"="+f.Value)
	}
	text := strings.Join(lines, "\n")
	// One that was cut could be sent as it stands.
	if asked.Name == Unknown || utf8.RuneCountInString(text) > maxArgument/2 {
		return c.say("same_some.command", vars{"Word": again})
	}
	return c.write(asked.Name, text)
}
