package progress

import (
	"testing"

	"wechat-broadcast/models"
)

// The page names the same causes, and no English on a Chinese page.
func TestThePageTellsOurCausesInItsLanguage(t *testing.T) {
	t.Parallel()
	w := wordsIn(t, "zh")
	for detail, want := range map[string]string{
		`message "notice", field thing1, .Remark: is blank`: "thing1", models.DetailUnrecorded: "已开始发送，没来得及记录结果，再问微信已经太晚",
	} {
		views := w.failures([]models.Failures{{State: models.FailedFor, Detail: detail, N: 1}})
		if got := views[0].Code; got != want {
			t.Errorf("%s: %q, want %q", detail, got, want)
		}
	}
}

// Whoever was not reached when a broadcast ended early had not had their turn.
func TestThePageTellsWhoWasNotSentTo(t *testing.T) {
	t.Parallel()
	for state, want := range map[models.BroadcastState]string{
		models.Running: "还没轮到，或还没有结果", models.Paused: "还没轮到，或还没有结果", models.Cancelled: "停止前没有轮到", models.Failed: "停止前没有轮到",
	} {
		s := &Snapshot{at: testNow}
		s.Broadcast = models.Broadcast{ID: 1, State: state, Recipients: 10}
		if got := wordsIn(t, "zh").View(s).Text["note.left"]; got != want {
			t.Errorf("%s: %q, want %q", state, got, want)
		}
	}
}
