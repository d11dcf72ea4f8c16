package handlers

import (
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// gap says why it is not known what was sent of a broadcast, and what to do now.
func (w *words) gap(text map[string]string, b models.Broadcast) {
	gap := b.Gap()
	id := ".restored"
	if !gap.Restored {
		id = ".silent"
	}
	v := lang.Vars{"ID": b.ID, "Since": ""}
	if !gap.Since.IsZero() {
		v["Since"] = lang.Minute(gap.Since)
	}
	text["reason"], text["todo"] = w.Say("reason"+id, v), w.Say("todo"+id, v)
}
