package e2e

import (
	"strings"
	"testing"
	"unicode"
)

// Whoever is not on the whitelist is answered as if admin commands did not
// exist, however they are written, and nothing comes of them.
func TestOnlyAdminsCommand(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "--followers", "50")
	s := startServer(t, p, sqlite(t).url, nil)

	commands := []string{
		"broadcast me", "broadcast test", "broadcast all", "broadcast all notice", "broadcast all notice again",
		"broadcast status", "broadcast status #1", "broadcast pause", "broadcast resume", "broadcast cancel #1", "broadcast list",
		"pause", "resume", "cancel", "status", "testers", "testers add " + stranger, "testers remove " + stranger,
		"messages", "sync", "stats",
		"群发自己", "群发测试", "群发全部", "群发 全部", "群发全部 notice 再发", "群发状态", "暂停", "继续", "取消 #1", "群发记录",
		"测试名单", "测试名单 添加 " + stranger, "消息", "同步", "统计",
	}
	spellings := []func(string) string{
		func(s string) string { return s },
		strings.ToUpper,
		fullWidth,
		func(s string) string { return "\u3000 " + s + "\t\n" },
		func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0\u200b ") },
		func(s string) string { return s + "\n" + s },
	}
	senders := []string{
		stranger,
		strings.ToLower(admin), strings.ToUpper(admin), // OpenIDs are case-sensitive
		admin[:len(admin)-1], admin + "A",
	}
	unknown := p.say(stranger, "what is this")
	if unknown == "" {
		t.Fatal("an unknown word is not answered")
	}
	for i, command := range commands {
		for j, spell := range spellings {
			sender := senders[(i+j)%len(senders)]
			if reply := p.say(sender, spell(command)); reply != unknown {
				t.Errorf("%s: %q is answered %q, an unknown word %q", sender, spell(command), reply, unknown)
			}
		}
	}
	if help := p.say(stranger, "help"); strings.Contains(help, "broadcast all") {
		t.Errorf("help tells of admin commands:\n%s", help)
	}
	pass(t, tidied) // in which what was begun would show
	st := p.stats()
	if st.Calls != 0 || st.Pages != 0 || len(st.Notices) != 0 {
		t.Errorf("%d sends, %d pages of followers, notices to %v; want none", st.Calls, st.Pages, st.Notices)
	}
	if list := p.say(admin, "broadcast list"); strings.Contains(list, "#") {
		t.Errorf("there are broadcasts:\n%s", list)
	}
	if list := p.say(admin, "testers"); strings.Contains(list, stranger[:4]) {
		t.Errorf("there are testers:\n%s", list)
	}
	if !strings.Contains(s.log.text(0), "admin command refused") {
		t.Error("the attempts are not in the log")
	}
}

// fullWidth writes ASCII as a Chinese keyboard may.
func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '\u3000'
		case r > ' ' && r < unicode.MaxASCII:
			return r - '!' + '！'
		default:
			return r
		}
	}, s)
}
