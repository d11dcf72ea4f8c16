package chat

import (
	"fmt"
	"strings"
	"testing"

	"wechat-broadcast/models"
)

func TestReadingACode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"confirm 482193": "482193", "确认 482193": "482193", "确认482193": "482193", "ＣＯＮＦＩＲＭ　４８２１９３": "482193", "confirm\n482193": "482193",
		"confirm 48219": "fault", "confirm 4821933": "fault", "confirm": "fault", "confirm 482193 now": "fault", "confirm 482193 482193": "fault", "确认 一下": "fault",
		"confirm ٤٨٢١٩٣": "fault", "确认一下": "none", "同步 确认": "none", "confirmed 482193": "none",
	} {
		got := "none"
		if cmd := Parse(text); cmd.Name == Confirm {
			if got = cmd.Arg; cmd.Fault != "" {
				got = "fault"
			}
		}
		if got != want {
			t.Errorf("%q is read as %s, want %s", text, got, want)
		}
	}
}

// Whatever is written behind the word, a code is six digits or there is none.
func FuzzCode(f *testing.F) {
	for _, seed := range []string{"482193", "４８２１９３", "48 21 93", "", "-482193", "482193\x00", "०१२३४५"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, word := range []string{"confirm ", "确认"} {
			cmd := Parse(word + text)
			if cmd.Name == Confirm && cmd.Fault == "" && (len(cmd.Arg) != 6 || strings.Trim(cmd.Arg, "0123456789") != "") {
				t.Errorf("%q is read as the code %q", text, cmd.Arg)
			}
		}
	})
}

// A command's line means the command, so that the page and the audit say what is done.
func TestTheLineOfACommandMeansIt(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"en", "zh"} {
		s := newStage(t, language)
		for _, cmd := range []Command{
			{Name: BroadcastMe},
			{Name: BroadcastTest, Message: "notice", Again: true},
			{Name: BroadcastAll, Message: "library notice", Canary: true, Now: true},
			{Name: BroadcastList, Groups: []string{"老读者", "new readers"}, Message: "notice", At: "2026-11-27 09:00:00"},
			{Name: BroadcastAll, Message: "notice", Except: []models.Group{{Kind: models.GroupTag, Name: "a b"}, {Kind: models.GroupList, Name: "c"}}, Again: true, At: "2026-11-27 09:00:00"},
			{Name: BroadcastTopic, Groups: []string{"讲座"}, Fields: []FieldLine{{"thing1", "a=b"}, {"通知内容", "x"}}},
			{Name: Resume, ID: 7},
			{Name: Retry, ID: 7, Canary: true},
			{Name: Rest, ID: 7, Message: "notice"},
			{Name: Approve, ID: 12},
			{Name: Reschedule, ID: 7, At: "2026-11-27 09:00:00"},
			{Name: Reject, ID: 7, Arg: "why"},
			{Name: AdminsAdd, OpenID: follower, Arg: "sender"},
			{Name: TestersAdd, OpenID: follower, Arg: "Lin Wang"},
			{Name: RepliesSet, Arg: "开放", Text: "九点\n到五点"},
			{Name: SyncConfirm},
			{Name: MessagesSet, Arg: "closing", Fields: []FieldLine{{"template", "3"}}},
		} {
			line := s.Line(cmd)
			if got := fmt.Sprintf("%+v", Parse(line)); got != fmt.Sprintf("%+v", cmd) {
				t.Errorf("%s: %q means\n%s, want\n%+v", language, line, got, cmd)
			}
		}
	}
}

// Everything that has something sent to more than the test list takes the admin's word.
func TestWhatSendsIsConfirmed(t *testing.T) {
	t.Parallel()
	for _, cmd := range commands {
		if cmd.sends && !cmd.confirmed && cmd.name != BroadcastMe && cmd.name != BroadcastTest && cmd.name != Confirm {
			t.Errorf("%s sends and is not confirmed", cmd.name)
		}
		if NeedsConfirm(cmd.name) != cmd.confirmed {
			t.Errorf("%s: NeedsConfirm is %v", cmd.name, NeedsConfirm(cmd.name))
		}
	}
}

func TestAConfirmedCommandIsAskedForAsPrepared(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.asked.Broadcast = sample()
	s.ask(t, admin, "confirm 482193")
	s.wantCalls(t, "take "+admin+" 482193 m:1", "ask Message:notice Audience:all AskedBy:"+admin+" RequestKey:confirm:3 Digest:seen")
}
