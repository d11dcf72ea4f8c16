package chat_test

import (
	"testing"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/models"
	"wechat-broadcast/services/report"
)

// What the API and webhooks call an audience is read again as the same one.
func TestAudienceNamesAreReadAgain(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"all", "test", "me", "topic 讲座", "topic A,B except tag C", "list “老 读者”", "tag VIP except list A,B except topic C",
		"reached #7", "rest #7", "all except list 员工",
	} {
		to, ok := chat.ParseAudience(text)
		if !ok {
			t.Errorf("%q is not read", text)
			continue
		}
		b := models.Broadcast{Audience: to.Audience, OfID: to.Of, Target: models.Target{Groups: to.Groups, Except: to.Except}}
		if got := report.Audience(b); got != text {
			t.Errorf("%q is written as %q", text, got)
		}
	}
}

// No word that overrules a guard, and no message, comes in with an audience.
func TestWhatIsNoAudience(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "all now", "all again", "all notice", "all at 09:00", "list", "topic", "retry #7", "reached", "rest #0", "status", "cancel #7",
		"all\nthing1=x", "all except", "test now", "everyone else", "list A,B again", "全部 现在", "list “A", "all canary",
	} {
		if to, ok := chat.ParseAudience(text); ok {
			t.Errorf("%q is read as %+v", text, to)
		}
	}
	for text, want := range map[string]models.Audience{"全部": models.AudienceAll, "群发测试": models.AudienceTest, "名单 老读者": models.AudienceGroups, "已达 #7": models.AudienceReached} {
		if to, ok := chat.ParseAudience(text); !ok || to.Audience != want {
			t.Errorf("%q is read as %+v, %v", text, to, ok)
		}
	}
}
