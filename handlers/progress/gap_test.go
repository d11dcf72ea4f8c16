package progress

import (
	"strings"
	"testing"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// The page of a broadcast of a restored database says so while it waits for approvals too,
// and does not hide that it was halted before.
func TestThePageOfARestoredDatabase(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		w := wordsIn(t, language)
		of := func(state models.BroadcastState, detail string) map[string]string {
			text := map[string]string{}
			w.reason(text, models.Broadcast{ID: 7, State: state, Reason: models.ReasonRestored, Detail: detail}, testNow)
			return text
		}
		plain := of(models.Paused, "0 restored")
		if plain["reason"] != w.Say("reason.restored", lang.Vars{"Since": ""}) || plain["todo"] != w.Say("todo.restored", lang.Vars{"ID": 7}) {
			t.Errorf("%s: %q", language, plain)
		}
		pending := of(models.Pending, "0 restored")
		if pending["reason"] != plain["reason"] || pending["todo"] != w.Say("todo.restored_pending", lang.Vars{"ID": 7}) {
			t.Errorf("%s, pending: %q", language, pending)
		}
		halted := of(models.Paused, "0 restored 40249 limited")
		if !strings.Contains(halted["reason"], plain["reason"]) || !strings.Contains(halted["reason"], w.Say("reason.account")) ||
			halted["said"] != w.Say("reason.said", lang.Vars{"Detail": "40249 limited"}) || halted["todo"] != plain["todo"] {
			t.Errorf("%s, halted: %q", language, halted)
		}
	}
}
