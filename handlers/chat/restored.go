package chat

import "wechat-broadcast/models"

// gapText says of a broadcast of which it is not known what was sent why that is so
// ("reason"), what an admin can do about it ("todo"), or what an approval leads to
// ("pending").
func (c *Composer) gapText(what string, b models.Broadcast) string {
	gap := b.Gap()
	id := what + ".restored"
	if !gap.Restored {
		id = what + ".silent"
	}
	v := vars{"Since": "", "Resume": c.on(Resume, b.ID), "Cancel": c.on(Cancel, b.ID)}
	if !gap.Since.IsZero() {
		v["Since"] = c.moment(gap.Since)
	}
	return c.say(id, v)
}

// gapReason is gapText's reason, after that of a broadcast that was halted before.
func (c *Composer) gapReason(b models.Broadcast) string {
	text := c.gapText("reason", b)
	words, halted := b.Halted()
	if !halted {
		return text
	}
	b.Reason, b.Detail = models.ReasonAccount, words
	return joined([]string{c.reason(b), text})
}
