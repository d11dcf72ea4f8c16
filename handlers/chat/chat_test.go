package chat

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

func TestLanguageIsChineseByDefault(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	if got := s.ask(t, follower, "help"); !strings.Contains(got, "退订") {
		t.Errorf("the default language is not Chinese:\n%s", got)
	}
	if _, err := NewComposer("fr", stageLinks{s}, s.now, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("French was accepted")
	}
}

func TestOpenID(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"openid", "OpenID ", "ｏｐｅｎｉｄ", "我的openid"} {
		if got := newStage(t, "en").ask(t, follower, text); got != follower {
			t.Errorf("%q is answered with %q", text, got)
		}
	}
}

// OpenIDs are compared byte for byte. Everybody else gets the answer to an unknown
// text.
func TestOnlyTheWhitelistMayUseAdminCommands(t *testing.T) {
	t.Parallel()
	notAdmins := []string{
		follower, "", " ", strings.ToLower(admin), strings.ToUpper(admin), " " + admin, admin + " ", admin + "\n",
		admin + "\x00", admin[:len(admin)-1], admin + "z", strings.ReplaceAll(admin, "o", "ｏ"), "oOther," + admin, admin + ",",
	}
	for _, language := range lang.Languages {
		s := newStage(t, language)
		unknown := s.ask(t, follower, "blah")
		for _, cmd := range commands {
			if cmd.role == "" {
				continue
			}
			for _, name := range append(append([]string{}, cmd.en...), cmd.zh...) {
				for _, from := range notAdmins {
					for _, text := range []string{name, " " + strings.ToUpper(name) + "\n", name + " x y", name + " #7", name + "\nthing1=x"} {
						reply, remember, err := s.Reply(t.Context(), from, text, "m:1")
						if err != nil || remember || reply != unknown {
							t.Fatalf("%q from %q: %q, %v, %v", text, from, reply, remember, err)
						}
					}
				}
			}
		}
		s.wantCalls(t)
		if got := strings.Count(s.log.String(), "admin command refused"); got == 0 {
			t.Error("the attempts were not logged")
		}
		if strings.Contains(s.log.String(), admin) || strings.Contains(s.log.String(), follower) {
			t.Error("a full OpenID is in the log")
		}
	}
}

func TestUnknownTextsGetAHint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		language, text string
		want           []string
	}{
		{"en", "brodcast all notice", []string{"“brodcast all notice”", "mean to send", "“help”"}},
		{"en", "broadcast al", []string{"mean to send"}},
		{"en", "broadcast stauts", []string{"“broadcast status”"}},
		{"en", "tester", []string{"“testers”"}},
		{"en", "hepl", []string{"“help”"}},
		{"en", "broadcast", []string{"mean to send"}},
		{"en", "群发全不", []string{"mean to send"}},
		{"zh", "群发全不", []string{"看不懂「群发全不」", "要发给谁", "「帮助」"}},
		{"zh", "群发", []string{"要发给谁"}},
		{"zh", "群发会员", []string{"要发给谁"}},
		{"zh", "群发全步 notice", []string{"要发给谁"}},
		{"zh", "请群发全部", []string{"要发给谁"}},
		{"zh", "暂停一下", []string{"「暂停」"}},
		{"zh", "改消息", []string{"「消息」"}},
		{"zh", "快点别发了呀", []string{"没有执行", "请发送：停"}},
		{"zh", "撤回 #7", []string{"没有执行", "请发送：停"}},
		{"en", "please stop it at once", []string{"did nothing", "send: stop"}},
		{"zh", "brodcast all", []string{"要发给谁"}},
		{"zh", "今天天气不错", []string{"「帮助」"}},
		{"en", "what a lovely day", []string{"“help”"}},
		{"en", "", []string{"“help”"}},
	}
	for _, tt := range tests {
		t.Run(tt.language+" "+tt.text, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tt.language)
			wantAll(t, s.ask(t, admin, tt.text), tt.want...)
			if _, remember, _ := s.Reply(t.Context(), admin, tt.text, "m:1"); remember {
				t.Error("a hint need not be remembered")
			}
			s.wantCalls(t)
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want []string
	}{
		{"broadcast all notice agian", []string{"“agian”", "“broadcast all”", "did nothing"}},
		{"broadcast all\nclosed today", []string{"closed today", "nothing was done", "notice=Closed"}},
		{"broadcast all at", []string{"time is missing", "friday 18:30"}},
		{"broadcast pause now", []string{"“now”", "broadcast pause #7"}},
		{"broadcast retry", []string{"number is needed", "broadcast retry #7"}},
		{"testers add", []string{"testers add OPENID"}},
		{"stop please", []string{"“please”"}},
		{"broadcast all notice " + strings.Repeat("长", 600), []string{"长…”"}},
	}
	for _, tt := range tests {
		t.Run(tt.text[:min(len(tt.text), 40)], func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "en")
			wantAll(t, s.ask(t, admin, tt.text), tt.want...)
			s.wantCalls(t)
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		s := newStage(t, language)
		forAll, forAdmins := s.ask(t, follower, "help"), s.ask(t, admin, "帮助")
		for _, cmd := range commands {
			name := s.write(cmd.name, "")
			if !s.helps(forAdmins, cmd) {
				t.Errorf("%s is not in the admin's help:\n%s", name, forAdmins)
			}
			if s.helps(forAll, cmd) == (cmd.role != "") {
				t.Errorf("%s in everybody's help: %v:\n%s", name, cmd.role == "", forAll)
			}
		}
	}
}

func TestStopAndStart(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	wantAll(t, s.ask(t, follower, "stop"), "won't get", "“start”")
	wantAll(t, s.ask(t, follower, "订阅"), "Welcome back", "“stop”")
	s.changed = false
	wantAll(t, s.ask(t, follower, "退订"), "not getting")
	wantAll(t, s.ask(t, follower, "start"), "You are getting")
	s.wantCalls(t, "opt out "+follower, "opt in "+follower, "opt out "+follower, "opt in "+follower)
}

func TestRepliesThatDependOnStateAreRemembered(t *testing.T) {
	t.Parallel()
	for _, cmd := range commands {
		s := newStage(t, "en")
		s.asked.Broadcast, s.status.Broadcast = sample(), sample()
		text := cmd.en[0]
		switch cmd.takes {
		case takesOpenID, takesOpenIDAndName:
			text += " " + follower
		case takesOpenIDAndRole:
			text += " " + follower + " viewer"
		case needsNumber, takesNumberFlags, takesOf, takesNumberAndWhy:
			text += " #7"
		case takesGroups, takesNames, takesNameAndWords:
			text += " lectures"
		case takesTime:
			text += " #7 at tomorrow 09:00"
		case takesName, takesNameAndFields:
			text += " closing"
		case takesNameAndText:
			text += " word\ntext"
		case takesCode:
			text += " 482193"
		case takesNothing, takesMessage, takesNumber:
		}
		_, remember, err := s.Reply(t.Context(), admin, text, "m:1")
		if want := cmd.name != OpenID && cmd.name != Help && cmd.name != Console; err != nil || remember != want {
			t.Errorf("%s: remember is %v, want %v; %v", text, remember, want, err)
		}
	}
	s := newStage(t, "en")
	s.err = models.NewError(models.Unavailable, models.ErrPlatform)
	if reply, remember, err := s.Reply(t.Context(), admin, "stats", "m:1"); remember || err != nil || reply == "" {
		t.Errorf("what is away for a moment: %q, %v, %v", reply, remember, err)
	}
	s.err = errors.New("boom")
	if reply, remember, err := s.Reply(t.Context(), admin, "stats", "m:1"); remember || !errors.Is(err, s.err) || reply != "" {
		t.Errorf("an inner error: %q, %v, %v", reply, remember, err)
	}
}

// The log has no full OpenID.
func TestAdminCommandsAreLogged(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.ask(t, admin, "broadcast cancel #7")
	s.ask(t, admin, "testers add "+follower)
	wantAll(t, s.log.String(), "command=cancel", "broadcast=7", "command=testers_add", models.MaskOpenID(admin))
	if strings.Contains(s.log.String(), admin) || strings.Contains(s.log.String(), follower) {
		t.Errorf("a full OpenID is in the log:\n%s", s.log.String())
	}
}
