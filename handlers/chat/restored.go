package chat

import "wechat-broadcast/models"

// gapText says of a broadcast of which it is not known what was sent why that is so
// ("reason"), or what an admin can do about it ("todo").
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
