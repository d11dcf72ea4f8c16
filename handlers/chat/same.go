package chat

import (
	"fmt"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

// sameText says what became of the broadcast that a repetition was refused for,
// and how to go on.
func (c *Composer) sameText(e *models.Error) string {
	id, _ := e.Args["ID"].(int64)
	again := againWords[0]
	if c.locale.Language == "zh" {
		again = againWords[1]
	}
	v := vars{
		"ID": id, "Name": e.Args["Name"], "Again": c.write(BroadcastAll, c.named(fmt.Sprint(e.Args["Name"]))+" "+again),
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
	return c.say("same."+string(b.State), v)
}
