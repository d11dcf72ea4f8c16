package chat

import (
	"strings"
	"testing"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// helps tells whether a command can be found in a help: by its whole name, or by what
// its name adds to the one on whose line it stands.
func (s *stage) helps(help string, cmd command) bool {
	name := s.write(cmd.name, "")
	for line := range strings.SplitSeq(help, "\n") {
		usage, _, _ := strings.Cut(line, " · ")
		if strings.HasPrefix(usage+" ", name+" ") || strings.Contains(usage+" ", " / "+name+" ") {
			return true
		}
		if cmd.under == "" {
			continue
		}
		base := s.write(cmd.under, "")
		if !strings.HasPrefix(usage, base) {
			continue
		}
		if word, is := strings.CutPrefix(name, base+" "); is &&
			(strings.Contains(usage, "["+word+" ") || strings.Contains(usage, "["+word+"]") || strings.Contains(usage, "| "+word+" ")) {
			return true
		}
		first, _, _ := strings.Cut(base, " ")
		if word, is := strings.CutPrefix(name, first+" "); is && strings.Contains(usage+" ", " / "+word+" ") {
			return true
		}
	}
	return false
}

// The help of an owner leaves room for the notices that come behind it.
func TestTheHelpLeavesRoomForNotices(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		s := newStage(t, language)
		if help := s.ask(t, admin, "help"); len(help) > 1_600 {
			t.Errorf("%s: %d bytes:\n%s", language, len(help), help)
		}
	}
}

func TestLinesOfTheHelp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		language  string
		role      models.Role
		has, none []string
	}{
		{"en", models.Owner, []string{
			"\nbroadcast pause / resume / cancel [#id] · ", "\ntesters [add OPENID [NAME] | remove OPENID] · ",
			"\napprove #id / reject #id [why] · ", "\nsync [confirm] · ", "\nbroadcast topic / tag / list NAME [message] · ",
		}, nil},
		{"zh", models.Owner, []string{
			"\n暂停 / 继续 / 取消 [#编号] · ", "\n测试名单 [添加 OPENID [称呼] | 删除 OPENID] · ", "\n同意 #编号 / 驳回 #编号 [原因] · ",
			"\n群发主题 / 群发标签 / 群发名单 名称 [消息名] · ",
		}, nil},
		{"zh", models.Editor, []string{"\n测试名单 ["}, []string{"同意", "驳回", "管理员 [", "暂停 /"}},
		{"zh", models.Viewer, []string{"\n群发状态 [#编号]"}, []string{"测试名单", "同意"}},
	} {
		s := newStage(t, tt.language)
		s.given[follower] = tt.role
		help := s.ask(t, follower, "help")
		wantAll(t, help, tt.has...)
		for _, text := range tt.none {
			if strings.Contains(help, text) {
				t.Errorf("the help of the role %s has %q:\n%s", tt.role, text, help)
			}
		}
	}
}
