package chat

import "wechat-broadcast/models"

// onNow returns the command that goes on with a broadcast although the quiet hours last.
func (c *Composer) onNow(id int64) string {
	if c.locale.Language == "zh" {
		return c.on(Resume, id) + " " + nowWords[1]
	}
	return c.on(Resume, id) + " " + nowWords[0]
}

// quietText says of a broadcast that waits for the end of the quiet hours, or pauses until
// then, what a sentence says of that.
func (c *Composer) quietText(sentence string, b models.Broadcast) string {
	v := c.startVars(b)
	if b.State == models.Paused {
		v["At"] = c.moment(b.ResumeAt.Time)
	}
	v["Now"], v["Planned"], v["Begun"] = c.onNow(b.ID), "", ""
	if !b.PlannedStart.IsZero() {
		v["Planned"] = c.moment(b.PlannedStart.Time)
	}
	if !b.StartedAt.IsZero() {
		v["Begun"] = "begun"
	}
	return c.say(sentence, v)
}
