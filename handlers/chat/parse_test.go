package chat

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/width"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const id = "oABCdefGHIjklMNOpqrSTUvwx_-1"
	tests := []struct {
		text string
		want Command
	}{
		{"openid", Command{Name: OpenID}},
		{"  OpenID \n", Command{Name: OpenID}},
		{"ｏｐｅｎｉｄ", Command{Name: OpenID}},
		{"我的ＯｐｅｎID", Command{Name: OpenID}},
		{"openid\u200b", Command{Name: OpenID}},
		{"help", Command{Name: Help}},
		{"帮助", Command{Name: Help}},
		{"　帮助　", Command{Name: Help}},
		{"STOP", Command{Name: Stop}},
		{"退订", Command{Name: Stop}},
		{"取消订阅", Command{Name: Stop}},
		{"start", Command{Name: Start}},
		{"订阅", Command{Name: Start}},

		{"broadcast me", Command{Name: BroadcastMe}},
		{"broadcast test notice", Command{Name: BroadcastTest, Message: "notice"}},
		{"Broadcast   ALL", Command{Name: BroadcastAll}},
		{"ｂｒｏａｄｃａｓｔ　ａｌｌ　Notice", Command{Name: BroadcastAll, Message: "Notice"}},
		{"broadcast all again", Command{Name: BroadcastAll, Again: true}},
		{"broadcast all notice AGAIN", Command{Name: BroadcastAll, Message: "notice", Again: true}},
		{"broadcast all 通知", Command{Name: BroadcastAll, Message: "通知"}},
		{"群发自己", Command{Name: BroadcastMe}},
		{"群发测试", Command{Name: BroadcastTest}},
		{"群发全部", Command{Name: BroadcastAll}},
		{"群发 全部", Command{Name: BroadcastAll}},
		{"群发全部 notice", Command{Name: BroadcastAll, Message: "notice"}},
		{"群发全部notice", Command{Name: BroadcastAll, Message: "notice"}},
		{"群发 全部Notice 再发", Command{Name: BroadcastAll, Message: "Notice", Again: true}},
		{"群发全部再发", Command{Name: BroadcastAll, Again: true}},
		{"群发全部通知", Command{Name: BroadcastAll, Message: "通知"}},

		{"broadcast retry #7", Command{Name: Retry, ID: 7}},
		{"重发 #7", Command{Name: Retry, ID: 7}},
		{"重发7", Command{Name: Retry, ID: 7}},
		{"broadcast retry", Command{Name: Retry, Fault: FaultNoNumber}},
		{"重发", Command{Name: Retry, Fault: FaultNoNumber}},
		{"broadcast retry all", Command{Name: Retry, Fault: FaultNumber, Words: "all"}},
		{"broadcast retry #7 #8", Command{Name: Retry, ID: 7, Fault: FaultExtra, Words: "#8"}},
		{"broadcast all notice agian", Command{Name: BroadcastAll, Message: "notice", Fault: FaultExtra, Words: "agian"}},
		{"broadcast all notice again now", Command{Name: BroadcastAll, Message: "notice", Again: true, Now: true}},
		{"broadcast all again notice", Command{Name: BroadcastAll, Again: true, Fault: FaultExtra, Words: "notice"}},
		{"broadcast all notice thing1=x", Command{Name: BroadcastAll, Message: "notice", Fault: FaultExtra, Words: "thing1=x"}},
		{"broadcast all\nthing1=x", Command{Name: BroadcastAll, Fields: []FieldLine{{"thing1", "x"}}}},
		{"broadcast me notice\r\nthing1 = x\r\ntime2=y", Command{Name: BroadcastMe, Message: "notice", Fields: []FieldLine{{"thing1", "x"}, {"time2", "y"}}}},
		{"broadcast all notice at 2026-11-24 09:00", Command{Name: BroadcastAll, Message: "notice", At: "2026-11-24 09:00"}},
		{"broadcast all AT 9", Command{Name: BroadcastAll, At: "9"}},
		{"群发全部 notice at 09:00", Command{Name: BroadcastAll, Message: "notice", At: "09:00"}},

		{"broadcast all at tomorrow 09:00 again", Command{Name: BroadcastAll, Again: true, At: "tomorrow 09:00"}},
		{"群发全部 通知 定时明天9点", Command{Name: BroadcastAll, Message: "通知", At: "明天9点"}},
		{"群发全部 定时提醒", Command{Name: BroadcastAll, Message: "定时提醒"}},
		{"broadcast all at", Command{Name: BroadcastAll, Fault: FaultNoTime}},
		{"broadcast all “library notice” again", Command{Name: BroadcastAll, Message: "library notice", Again: true}},
		{`broadcast all "library notice`, Command{Name: BroadcastAll, Fault: FaultQuote, Words: `"library notice`}},
		{"broadcast all\n\n 通知内容＝闭馆: 周三 \nurl：https://example.com/a=b", Command{Name: BroadcastAll, Fields: []FieldLine{
			{"通知内容", "闭馆: 周三"}, {"url", "https://example.com/a=b"},
		}}},
		{"broadcast all\nplease\nthing1=x\n= y", Command{
			Name: BroadcastAll, Fields: []FieldLine{{"thing1", "x"}}, Fault: FaultField, Words: "please\n= y",
		}},

		{"broadcast status", Command{Name: Status}},
		{"broadcast status #7", Command{Name: Status, ID: 7}},
		{"broadcast status ＃７", Command{Name: Status, ID: 7}},
		{"群发状态7", Command{Name: Status, ID: 7}},
		{"群发状态＃12", Command{Name: Status, ID: 12}},
		{"status", Command{Name: Status}},
		{"broadcast pause", Command{Name: Pause}},
		{"pause 7", Command{Name: Pause, ID: 7}},
		{"暂停", Command{Name: Pause}},
		{"暂停 #7", Command{Name: Pause, ID: 7}},
		{"继续#7", Command{Name: Resume, ID: 7}},
		{"broadcast resume 7", Command{Name: Resume, ID: 7}},
		{"broadcast cancel #7", Command{Name: Cancel, ID: 7}},
		{"取消", Command{Name: Cancel}},
		{"取消 #7", Command{Name: Cancel, ID: 7}},
		{"broadcast cancel #7 please", Command{Name: Cancel, ID: 7, Fault: FaultExtra, Words: "please"}},
		{"broadcast cancel seven", Command{Name: Cancel, Fault: FaultNumber, Words: "seven"}},
		{"broadcast cancel #0", Command{Name: Cancel, Fault: FaultNumber, Words: "#0"}},
		{"broadcast cancel -7", Command{Name: Cancel, Fault: FaultNumber, Words: "-7"}},
		{"broadcast cancel ##7", Command{Name: Cancel, Fault: FaultNumber, Words: "##7"}},
		{"broadcast cancel 99999999999999999999", Command{Name: Cancel, Fault: FaultNumber, Words: "99999999999999999999"}},
		{"broadcast list", Command{Name: List}},
		{"群发记录", Command{Name: List}},

		{"testers", Command{Name: Testers}},
		{"测试名单", Command{Name: Testers}},
		{"testers add " + id, Command{Name: TestersAdd, OpenID: id}},
		{"TESTERS ADD\n" + id, Command{Name: TestersAdd, OpenID: id}},
		{"测试名单 添加 " + id, Command{Name: TestersAdd, OpenID: id}},
		{"测试名单添加" + id, Command{Name: TestersAdd, OpenID: id}},
		{"测试名单 删除" + id, Command{Name: TestersRemove, OpenID: id}},
		{"testers remove " + id, Command{Name: TestersRemove, OpenID: id}},
		{"testers remove Ａ", Command{Name: TestersRemove, OpenID: "A"}},
		{"testers add " + width.Widen.String(id), Command{Name: TestersAdd, OpenID: id}},
		{"测试名单 add " + id, Command{Name: TestersAdd, OpenID: id}},
		{"测试名单 ADD\n" + id, Command{Name: TestersAdd, OpenID: id}},
		{"测试名单 remove " + id, Command{Name: TestersRemove, OpenID: id}},
		{"testers 添加 " + id, Command{Name: TestersAdd, OpenID: id}},
		{"Testers 删除 " + id, Command{Name: TestersRemove, OpenID: id}},
		{"测试名单 add", Command{Name: TestersAdd, Fault: FaultOpenID}},
		{"testers 添加", Command{Name: TestersAdd, Fault: FaultOpenID}},
		{"testers add", Command{Name: TestersAdd, Fault: FaultOpenID}},
		{"testers add a b", Command{Name: TestersAdd, OpenID: "a", Arg: "b"}},
		{"testers add a “b  c”", Command{Name: TestersAdd, OpenID: "a", Arg: "b c"}},
		{"testers add a b c", Command{Name: TestersAdd, OpenID: "a", Arg: "b", Fault: FaultExtra, Words: "c"}},
		{"testers remove “b c”", Command{Name: TestersRemove, OpenID: "b c"}},
		{"测试名单 删除 小林", Command{Name: TestersRemove, OpenID: "小林"}},
		{"testers ad x", Command{Name: Testers, Fault: FaultExtra, Words: "ad x"}},
		{"messages", Command{Name: Messages}},
		{"消息", Command{Name: Messages}},
		{"sync", Command{Name: Sync}},
		{"同步", Command{Name: Sync}},
		{"stats", Command{Name: Stats}},
		{"统计", Command{Name: Stats}},
		{"stop it", Command{Name: Stop, Fault: FaultExtra, Words: "it"}},
		{"openid\nplease", Command{Name: OpenID, Fault: FaultExtra, Words: "please"}},

		{"", Command{}},
		{" \n\t\u200b", Command{}},
		{"Broadcast", Command{Line: "broadcast"}},
		{"broadcastall", Command{Line: "broadcastall"}},
		{"群发", Command{Line: "群发"}},
		{"群 发 ＸＹ", Command{Line: "群 发 xy"}},
		{"who " + id, Command{Name: Who, OpenID: id}},
		{"查询" + id, Command{Name: Who, OpenID: id}},
		{"查询 小林", Command{Name: Who, OpenID: "小林"}},
		{"查询小林", Command{Line: "查询小林"}},
		{"查询", Command{Name: Who, Fault: FaultOpenID}},
		{"who “小 林", Command{Name: Who, Fault: FaultQuote, Words: "“小 林"}},
		{"admins", Command{Name: Admins}},
		{"管理员", Command{Name: Admins}},
		{"admins add " + id + " Sender", Command{Name: AdminsAdd, OpenID: id, Arg: "Sender"}},
		{"管理员添加" + id + " 发送", Command{Name: AdminsAdd, OpenID: id, Arg: "发送"}},
		{"管理员 添加 小林 编辑", Command{Name: AdminsAdd, OpenID: "小林", Arg: "编辑"}},
		{"admins add " + id, Command{Name: AdminsAdd, OpenID: id, Fault: FaultNoRole}},
		{"admins add", Command{Name: AdminsAdd, Fault: FaultOpenID}},
		{"admins add " + id + " sender please", Command{Name: AdminsAdd, OpenID: id, Arg: "sender", Fault: FaultExtra, Words: "please"}},
		{"admins remove " + id, Command{Name: AdminsRemove, OpenID: id}},
		{"管理员删除" + id, Command{Name: AdminsRemove, OpenID: id}},
		{"暂停一下", Command{Line: "暂停一下"}},
		{"订阅号怎么用", Command{Line: "订阅号怎么用"}},
		{"退订后还能看吗", Command{Line: "退订后还能看吗"}},
		{"please broadcast all", Command{Line: "please broadcast all"}},
		{"你好\nbroadcast all", Command{Line: "你好"}},
		{"\xff\xfe", Command{Line: "\ufffd"}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Parse(tt.text)); diff != "" {
				t.Errorf("Parse(%q), -want +got:\n%s", tt.text, diff)
			}
		})
	}
}

// Every name that the help teaches is read as its command, in upper and lower case
// and in full-width letters.
func TestParseTaughtNames(t *testing.T) {
	t.Parallel()
	for _, cmd := range commands {
		for _, name := range append(append([]string{}, cmd.en...), cmd.zh...) {
			if cmd.takes == takesNames { // without a name 订阅 is Start
				name += " lectures"
			}
			for _, text := range []string{name, strings.ToUpper(name), width.Widen.String(name)} {
				if got := Parse(text); got.Name != cmd.name && cmd.name != BroadcastList { // without a name it is List
					t.Errorf("Parse(%q) is %q, want %q", text, got.Name, cmd.name)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"broadcast all", "群发全部notice 再发", "ｂｒｏａｄｃａｓｔ　ｔｅｓｔ", "测试名单 添加 oABC", "取消 ＃７",
		"broadcast me\nthing1=x", "broadcast all x at 9", "\u202ebroadcast all", "\xff群\xfe发全部", "K群发自己", "群发\u200b全部",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Parse(text)
		if !cmp.Equal(got, Parse(text)) {
			t.Fatal("two readings differ")
		}
		if strings.ContainsFunc(got.OpenID, unicode.IsSpace) || strings.TrimSpace(got.Message) != got.Message {
			t.Errorf("an argument holds space: %+v", got)
		}
		if got.OpenID != "" && !strings.Contains(width.Fold.String(strings.ToValidUTF8(text, "\uFFFD")), got.OpenID) {
			t.Errorf("the OpenID %q is not in the text", got.OpenID)
		}
		if got.ID < 0 {
			t.Errorf("broadcast #%d", got.ID)
		}
		sends := got.Name == BroadcastMe || got.Name == BroadcastTest || got.Name == BroadcastAll
		if !sends || got.Fault != "" {
			return
		}
		bare := strings.ToLower(width.Fold.String(strings.Map(func(r rune) rune {
			if space(r) {
				return -1
			}
			return r
		}, text)))
		if !strings.HasPrefix(bare, "broadcast") && !strings.HasPrefix(bare, "群发") {
			t.Errorf("%q sends: %+v", text, got)
		}
		if n := len(strings.Fields(got.Message)); n > 1 {
			t.Errorf("a message of %d words", n)
		}
	})
}
