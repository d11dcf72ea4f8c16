package progress

import (
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// gap says why it is not known what was sent of a broadcast, after why it was halted
// before, and what to do now.
func (w *Words) gap(text map[string]string, b models.Broadcast) {
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
	if b.State == models.Pending { // a resume is no word on it
		text["todo"] = w.Say("todo.restored_pending", v)
	}
	words, halted := b.Halted()
	if !halted {
		return
	}
	account := w.Say("reason.account")
	if refusal, ok := lang.ParseRefusal(words); ok {
		account = w.Say("reason.means", lang.Vars{"Reason": account, "Said": w.Refusal(refusal)})
		text["said"] = w.Say("reason.said", lang.Vars{"Detail": words})
	}
	text["reason"] = w.Say("reason.restored_halted", lang.Vars{"Account": account, "Restored": text["reason"]})
}
