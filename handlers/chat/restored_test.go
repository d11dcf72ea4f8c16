package chat

import (
	"strings"
	"testing"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// Admins who decide on a broadcast of a restored database are told of the restore: at the
// request for an approval, by the answer to it, and beside what the platform said.
func TestWhatIsSaidOfARestoredDatabase(t *testing.T) {
	t.Parallel()
	const restored, halted = "1795564800000 restored", "1795564800000 restored 40249 x"
	for language, want := range map[string]struct{ older, mayBe, notStarted, account, resume string }{
		"zh": {"数据库恢复成了较早的状态", "这次同意后不会自动开始", "已经同意，但不会自动开始", "微信限制了本账号或模板", "继续 #7"},
		"en": {"put back to an older state", "Once it is approved it does not start", "It is approved, but it does not start", "WeChat restricts the account", "broadcast resume #7"},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, language)
			s.status = pendingStatus()
			b := &s.status.Broadcast
			if got := s.Notice("pending", s.status); strings.Contains(got, want.older) {
				t.Errorf("without a restore: %s", got)
			}
			b.Reason, b.Detail = models.ReasonRestored, restored
			for _, text := range []string{s.Notice("pending", s.status), s.ask(t, admin, "群发状态 #7")} {
				wantAll(t, text, want.older, want.mayBe, want.resume, "周三闭馆")
			}
			wantAll(t, s.ask(t, admin, "approve #7"), "#7 · notice")
			b.State = models.Paused
			wantAll(t, s.ask(t, admin, "approve #7"), want.notStarted, want.older, want.resume)
			b.Detail = halted
			wantAll(t, s.ask(t, admin, "群发状态 #7"), want.account, "40249", want.older, want.resume)
		})
	}
	if len(lang.Languages) != 2 {
		t.Error("a language is not tested")
	}
}
