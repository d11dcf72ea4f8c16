package chat

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

func TestReplies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		language string
		talk     [][3]string // who, what, what the answer has
	}{
		{"zh", [][3]string{
			{admin, "回复", "还没有关键词回复"},
			{follower, "开放时间", "没看懂"},
			{admin, "回复 设置 开放时间\n周一至周五\n9:00 — 17:00", "已设置。收到「开放时间」时回复：\n周一至周五\n9:00 — 17:00"},
			{follower, "开放时间", "周一至周五\n9:00 — 17:00"},
			{follower, " 开放 时间\n", "周一至周五\n9:00 — 17:00"},
			{follower, "开放时间是什么", "没看懂"},
			{admin, "开放时间", "周一至周五\n9:00 — 17:00"},
			{admin, "回复设置“Wi-Fi 密码”\n12345678", "已设置。收到「Wi-Fi 密码」"},
			{follower, "ｗｉ－ｆｉ密码", "12345678"},
			{admin, "回复 设置 开放时间\n十点", "「开放时间」的回复已改为：\n十点\n\n原来是：\n周一至周五\n9:00 — 17:00"},
			{admin, "回复 设置 开放时间\n十点", "本来就是这样"},
			{follower, "开放时间", "十点"},
			{admin, "回复", "共 2 个关键词有自动回复，新改的在前：\n开放时间：十点（11-24 09:00 你）\nWi-Fi 密码：12345678（11-24 09:00 你）"},
			{admin, "回复 删除 wi-fi密码", "已删除「Wi-Fi 密码」的回复。原来是：\n12345678"},
			{follower, "Wi-Fi 密码", "没看懂"},
			{admin, "回复 删除 Wi-Fi密码", "「Wi-Fi密码」没有设置回复，什么都没改"},
		}},
		{"en", [][3]string{
			{admin, "replies", "No word has a reply yet"},
			{admin, "replies set hours\nnine to five", "“hours” is answered with:\nnine to five"},
			{admin, "replies", "One word has a reply:\nhours: nine to five (11-24 09:00 you)"},
			{follower, " HOURS ", "nine to five"},
			{admin, "replies set “opening hours”\nten", "Done."},
			{follower, "Opening  Hours", "ten"},
			{admin, "replies set hours\nsix", "is now:\nsix\n\nIt was:\nnine to five"},
			{admin, "replies remove hours", "It was:\nsix"},
			{follower, "hours", "Sorry"},
			{admin, "replies remove hours", "“hours” has no reply; nothing was changed"},
		}},
	} {
		s := newStage(t, tt.language)
		for _, line := range tt.talk {
			if got := s.ask(t, line[0], line[1]); !strings.Contains(got, line[2]) {
				t.Errorf("%s: %q is answered %q, want %q", tt.language, line[1], got, line[2])
			}
		}
		s.wantCalls(t)
	}
}

func TestRepliesRefuse(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("字", 65)
	for _, tt := range []struct {
		text   string
		zh, en []string
	}{
		{"回复 设置 暂停\n好", []string{"「暂停」会被当作指令「暂停」", "什么都没改"}, []string{"“暂停” is read as the command", "Nothing was changed"}},
		{"回复 设置 “broadcast all”\n好", []string{"会被当作指令「群发全部」"}, []string{"the command “broadcast all”"}},
		{"回复 设置 暂停7\n好", []string{"会被当作指令「暂停」"}, []string{"the command"}},
		{"回复 设置 help\n好", []string{"会被当作指令「帮助」"}, []string{"the command “help”"}},
		{"回复 设置 TD\n好", []string{"是读者用来发「退订」的词"}, []string{"followers write for “stop”"}},
		{"回复 设置 不要再发了。\n好", []string{"是读者用来发「退订」的词"}, []string{"followers write for “stop”"}},
		{"回复 设置 停发\n好", []string{"「停发」是管理员用来叫停群发的词"}, []string{"admins stop a broadcast with"}},
		{"回复 设置 stop\n好", []string{"「stop」是管理员用来叫停群发的词"}, []string{"admins stop a broadcast with"}},
		{"回复 设置 重新订阅\n好", []string{"是读者用来发「订阅」的词"}, []string{"followers write for “start”"}},
		{"回复 设置 " + long + "\n好", []string{"关键词有 65 个字，最多 64 个"}, []string{"has 65 characters; it may have 64"}},
		{"回复 设置 词\n" + strings.Repeat("字", 683), []string{"049 字节", "047 字节", "请缩短"}, []string{"049 bytes", "047, so"}},
		{"回复 设置 词\na\x01b", []string{"微信不能显示的字符"}, []string{"can't show"}},
		{"回复 设置 “群发全部 " + long + "”\n" + strings.Repeat("字", 683), []string{"会被当作指令", "最多 64 个", "049 字节", "什么都没改"}, []string{"the command", "may have 64", "049 bytes"}},
		{"回复 设置 词", []string{"缺少内容"}, []string{"text is missing"}},
		{"回复 设置", []string{"缺少名称"}, []string{"name is missing"}},
		{"回复 设置 “词\n好", []string{"引号没有成对"}, []string{"quotation marks"}},
		{"回复 设置 两个 词\n好", []string{"「词」"}, []string{"“词”"}},
		{"回复 删除", []string{"缺少名称"}, []string{"name is missing"}},
	} {
		for _, language := range lang.Languages {
			s := newStage(t, language)
			want := tt.zh
			if language == "en" {
				want = tt.en
			}
			wantAll(t, s.ask(t, admin, tt.text), want...)
			if len(s.replies.list) != 0 {
				t.Errorf("%q changed something: %+v", tt.text, s.replies.list)
			}
		}
	}
	s := newStage(t, "zh")
	s.replies.err = models.NewError(models.Conflict, models.ErrRepliesFull, "Limit", int64(500))
	wantAll(t, s.ask(t, admin, "回复 设置 词\n好"), "已经有 500 个关键词", "回复 删除")
}

// The longest reply goes out whole, and the longest list is cut.
func TestTheLongestReplies(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	longest := strings.Repeat("字", 682)
	s.ask(t, admin, "回复 设置 词\n"+longest)
	if got := s.ask(t, follower, "词"); got != longest {
		t.Errorf("a reply of %d bytes goes out with %d", len(longest), len(got))
	}
	if got := s.ask(t, admin, "回复 设置 词\n"+longest+"a"); len(got) > wechat.MaxText || !strings.Contains(got, "原来是") {
		t.Errorf("changing it is answered %q", got)
	}
	for i := range models.MaxAutoReplies {
		s.replies.list = append(s.replies.list, models.AutoReply{
			Folded: fmt.Sprint(i), Word: strings.Repeat("词", 64), Text: longest, ChangedBy: strings.Repeat("o", 128), ChangedAt: models.At(now),
		})
	}
	wantAll(t, s.ask(t, admin, "回复"), "共 501 个", "还有")
}

// A follower's text costs no look into the database if another one just did.
func TestTheRepliesAreReadOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "en")
		s.replies.list = []models.AutoReply{{Folded: "hours", Text: "nine"}}
		for range 100 {
			if got := s.ask(t, follower, "hours"); got != "nine" {
				t.Fatalf("answered %q", got)
			}
			s.ask(t, follower, "something else")
			s.ask(t, follower, "help")
		}
		if s.replies.reads != 1 {
			t.Errorf("read %d times", s.replies.reads)
		}
		// Another process changes them.
		s.replies.list = []models.AutoReply{{Folded: "hours", Text: "ten"}}
		time.Sleep(repliesFresh)
		if got := s.ask(t, follower, "hours"); got != "ten" {
			t.Errorf("a second later: %q", got)
		}
		// While the database is away, the last ones count, and other texts get their hint.
		s.replies.err = errors.New("database is away")
		time.Sleep(time.Hour)
		if got := s.ask(t, follower, "hours"); got != "ten" {
			t.Errorf("without the database: %q", got)
		}
		wantAll(t, s.ask(t, follower, "something else"), "Sorry")
	})
}

func TestKnows(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	s.replies.list = []models.AutoReply{{Folded: "开放时间", Text: "九点"}}
	for _, tt := range []struct {
		from, text            string
		whenTyped, whenTapped bool
	}{
		{follower, "帮助", true, true},
		{follower, "退订", true, true},
		{follower, "不要再发了！", true, true},
		{follower, "开放时间", true, true},
		{follower, "help me find a book", false, false},
		{follower, "stop please", false, false},
		{follower, "怎么退订", false, false},
		{follower, "群发全部", false, false},
		{follower, "brodcast all", false, false},
		{follower, "你好", false, false},
		{follower, "", false, false},
		{admin, "群发全部", true, true},
		{admin, "群发全部 notice x y", true, true},
		{admin, "开放时间", true, true},
		{admin, "停发！", true, true},
		{admin, "停停停", true, true},
		{admin, "快停下来吧", true, false}, // what would pause
		{follower, "停发", true, true},
		{admin, "brodcast all", true, false}, // did you mean
		{admin, "群发", true, false},
		{admin, "V1001_ABOUT_US", false, false},
		{admin, "你好", false, false},
	} {
		for typed, want := range map[bool]bool{true: tt.whenTyped, false: tt.whenTapped} {
			if got := s.Knows(t.Context(), tt.from, tt.text, typed); got != want {
				t.Errorf("Knows(%s, %q, typed: %v) is %v", tt.from, tt.text, typed, got)
			}
		}
	}
	s.wantCalls(t)
	if got := strings.Count(s.log.String(), "admin command refused"); got != 2 || strings.Contains(s.log.String(), follower) {
		t.Errorf("a stranger's attempts were logged %d times:\n%s", got, s.log.String())
	}
	for _, language := range lang.Languages {
		wantAll(t, newStage(t, language).OnlyTexts(), map[string]string{"zh": "只能看懂文字", "en": "only understand text"}[language])
	}
}
