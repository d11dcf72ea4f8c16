package e2e

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"wechat-broadcast/zone"
)

// Who writes in the tests of the commands.
const (
	sender   = "oSender0000000000000000000S"
	editor   = "oEditor0000000000000000000E"
	viewer   = "oViewer0000000000000000000V"
	follower = "oFollow0000000000000000000F" // no admin
)

// maxReply is how many bytes of a text the platform takes (WeChat: customer-service
// message docs; a longer text is refused with 45002).
const maxReply = 2047

// commandFile has messages whose previews are the same at every moment, and one whose
// template the account does not have.
const commandFile = `
default: notice
messages:
  notice:
    template_id: ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY
    data:
      thing1: {value: "图书馆周三闭馆"}
      time2: {value: "2026年11月27日 09:00"}
      keyword3: {value: "请相互转告"}
  gone:
    template_id: gone-cR8hVZQp5tWkbkYnWBWVja26EGbNyk000000000
    data:
      first: {value: "x"}
`

// line is one line that somebody writes and what they are answered.
type line struct {
	who, text string
	// has are parts of the reply, lacks are not.
	has, lacks []string
	// refused says that nothing is sent and nothing changed.
	refused bool
	// keys says that the line asks for fields by their keys, so that a reply has them.
	keys bool
	// setup comes first; nil for nothing.
	setup func()
}

// conversation is a server whose commands are tried one after the other.
type conversation struct {
	*server
	t        *testing.T
	language string
	// calls is how many sends there were when they were last held.
	calls int64
}

// converse starts a server with an admin of each role.
func converse(t *testing.T, language string, flags []string, more settings) *conversation {
	t.Helper()
	for _, openID := range []string{sender, editor, viewer, follower} {
		flags = append(flags, "--admin", openID)
	}
	p := startPlatform(t, append(flags, "--followers", "1200")...)
	env := settings{"LANGUAGE": language}
	maps.Copy(env, more)
	s := newServer(t, p, sqlite(t).url, env)
	if err := os.WriteFile(s.env["MESSAGES_FILE"], []byte(commandFile), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	s.logged(`sending for this database`)
	return &conversation{server: s, t: t, language: language}
}

// zh tells whether the replies are in Chinese.
func (c *conversation) zh() bool { return c.language == "zh" }

// tries has everybody write their lines, in order.
func (c *conversation) tries(lines []line) {
	c.t.Helper()
	for _, r := range lines {
		if r.setup != nil {
			r.setup()
		}
		before := ""
		if r.refused {
			before = c.everything()
		}
		reply := c.platform.say(r.who, r.text)
		what := fmt.Sprintf("the reply of %s to %q", r.who, shortened(r.text))
		has(c.t, what, reply, r.has...)
		for _, part := range r.lacks {
			if strings.Contains(reply, part) {
				c.t.Errorf("%s has %q:\n%s", what, part, reply)
			}
		}
		c.readable(what, reply, r.keys)
		if r.refused {
			if after := c.everything(); after != before {
				c.t.Errorf("%s is a refusal, and something changed. Before:\n%s\nafter:\n%s", what, before, after)
			}
		}
	}
}

// shortened is a line as a failure shows it.
func shortened(text string) string {
	if runes := []rune(text); len(runes) > 120 {
		return string(runes[:120]) + "…"
	}
	return text
}

var (
	bareKey = regexp.MustCompile(`\b(thing|time|keyword|character_string|amount)\d+\b`)
	// leftOut are the numbers that are written without separators: dates, and what is
	// copied.
	leftOut   = regexp.MustCompile(`https?://\S+|o[A-Za-z0-9_-]{24,}|20\d\d(年|-\d\d-\d\d)`)
	bigNumber = regexp.MustCompile(`\d{4,}`)
	// errmsgs are how the platform words its refusals (WeChat: global return codes).
	errmsgs = regexp.MustCompile(`invalid |limit|require |not exist|rid:|out of `)
)

// readable checks what holds of every reply.
func (c *conversation) readable(what, reply string, keys bool) {
	c.t.Helper()
	if len(reply) > maxReply || !utf8.ValidString(reply) || reply == "" {
		c.t.Errorf("%s has %d bytes, valid %t", what, len(reply), utf8.ValidString(reply))
	}
	if found := bigNumber.FindString(leftOut.ReplaceAllString(reply, "")); found != "" {
		c.t.Errorf("%s has the number %s without a separator:\n%s", what, found, reply)
	}
	if !c.zh() {
		return
	}
	if found := errmsgs.FindString(reply); found != "" {
		c.t.Errorf("%s has the platform's English %q:\n%s", what, found, reply)
	}
	if found := bareKey.FindString(reply); found != "" && !keys {
		c.t.Errorf("%s has the key %s:\n%s", what, found, reply)
	}
}

// timeLeft matches what a reply says of the time until a start: it shrinks.
var timeLeft = regexp.MustCompile(`(还有 |in )\d[^\n,，。；;]*`)

// everything is what a line can change, as the owner is shown it, and how much was sent.
func (c *conversation) everything() string {
	c.t.Helper()
	shown := []string{"messages", "schedule", "broadcast list", "testers", "replies", "admins", "topics", "lists"}
	var all strings.Builder
	for _, text := range shown {
		fmt.Fprintln(&all, timeLeft.ReplaceAllString(c.platform.say(admin, text), ""))
	}
	st := c.platform.stats()
	fmt.Fprintln(&all, "sends:", st.Calls, "received:", st.Accepted)
	return all.String()
}

// ends waits until a broadcast is over.
func (c *conversation) ends(id int64) {
	c.t.Helper()
	eventually(c.t, patience, fmt.Sprintf("#%d ends", id), func() bool {
		status := c.platform.say(admin, fmt.Sprintf("broadcast status #%d", id))
		return strings.Contains(status, "Finished") || strings.Contains(status, "已完成")
	})
}

// holds lets so many more sends in, and keeps the others waiting.
func (c *conversation) holds(n int64) {
	c.t.Helper()
	c.calls = c.platform.stats().Calls
	c.platform.waitsAfter(c.calls + n)
}

// callsSince waits until so many sends came after the hold.
func (c *conversation) callsSince(n int64) {
	c.t.Helper()
	c.platform.callsReach(c.calls + n)
}

// heard waits until the program has kept what the follower wrote.
func (c *conversation) heard(text string) {
	c.t.Helper()
	eventually(c.t, patience, "the text is kept", func() bool { return strings.Contains(c.platform.say(viewer, "who "+follower), text) })
}

// got checks how many messages somebody has received, and what the last of them says.
func (c *conversation) got(openID string, n int, parts ...string) {
	c.t.Helper()
	eventually(c.t, patience, fmt.Sprintf("%s has %d messages", openID, n), func() bool { return len(c.platform.messages(openID)) >= n })
	list := c.platform.messages(openID)
	if len(list) != n {
		c.t.Errorf("%s got %d messages, want %d", openID, len(list), n)
	}
	has(c.t, "the last message of "+openID, fmt.Sprint(list[len(list)-1].Content), parts...)
}

// commandRoles are the commands for admins in both languages, with the least role that
// may use each.
var commandRoles = []struct{ role, en, zh string }{
	{viewer, "broadcast status", "群发状态"},
	{viewer, "broadcast list", "群发记录"},
	{viewer, "stats", "统计"},
	{viewer, "who " + follower, "查询 " + follower},
	{viewer, "tags", "标签"},
	{viewer, "lists", "名单"},
	{viewer, "console", "后台"},
	{viewer, "console out", "后台 退出"},
	{viewer, "confirm 482193", "确认 482193"},
	{editor, "topics add x", "主题 添加 x"},
	{editor, "topics remove x", "主题 删除 x"},
	{editor, "lists remove x", "名单 删除 x"},
	{editor, "broadcast me", "群发自己"},
	{editor, "broadcast test", "群发测试"},
	{editor, "testers", "测试名单"},
	{editor, "testers add " + follower, "测试名单 添加 " + follower},
	{editor, "testers remove " + follower, "测试名单 删除 " + follower},
	{editor, "messages", "消息"},
	{editor, "templates", "模板"},
	{editor, "messages set x\ncopy=notice", "消息 设置 x\n复制=notice"},
	{editor, "messages remove x", "消息 删除 x"},
	{editor, "replies", "回复"},
	{editor, "replies set x\ny", "回复 设置 x\ny"},
	{editor, "replies remove x", "回复 删除 x"},
	{sender, "broadcast all", "群发全部"},
	{sender, "broadcast topic x", "群发主题 x"},
	{sender, "broadcast tag x notice canary", "群发标签 x notice 试发"},
	{sender, "broadcast list x", "群发名单 x"},
	{sender, "resume #1 now", "继续 #1 现在"},
	{sender, "approve #1", "同意 #1"},
	{sender, "reject #1 why", "驳回 #1 原因"},
	{sender, "broadcast pause", "暂停"},
	{sender, "broadcast resume", "继续"},
	{sender, "broadcast cancel", "取消"},
	{sender, "broadcast retry #1", "重发 #1"},
	{sender, "broadcast reached #1 notice", "群发已达 #1 notice"},
	{sender, "broadcast rest #1", "群发其余 #1"},
	{sender, "reschedule #1 09:00", "改期 #1 9:00"},
	{sender, "schedule", "日程"},
	{sender, "sync", "同步"},
	{admin, "admins", "管理员"},
	{admin, "admins add " + follower + " sender", "管理员 添加 " + follower + " 发送"},
	{admin, "admins remove " + viewer, "管理员 删除 " + viewer},
}

// below is who has the role below another.
var below = map[string]string{editor: viewer, sender: editor, admin: sender}

// Each command for admins is an unknown word to others, and says which role it takes to
// an admin whose role is too low; none of them changes anything. Its right is tried by
// the tables of each language.
func (c *conversation) triesRoles() {
	c.t.Helper()
	words := map[string][2]string{editor: {"editor", "编辑"}, sender: {"sender", "发送"}, admin: {"owner", "所有者"}}
	before := c.everything()
	unknown := c.platform.say(follower, "xyzzy")
	for _, command := range commandRoles {
		for _, text := range []string{command.en, command.zh} {
			for _, who := range []string{follower, stranger} {
				if got := c.platform.say(who, text); got != unknown {
					c.t.Errorf("to %q an outsider is answered %q, and to an unknown word %q", text, got, unknown)
				}
			}
			if low := below[command.role]; low != "" {
				takes := words[command.role][0]
				if c.zh() {
					takes = "「" + words[command.role][1] + "」"
				}
				reply := c.platform.say(low, text)
				has(c.t, "the reply of "+low+" to "+text, reply, takes)
				c.readable(text, reply, false)
			}
		}
	}
	if after := c.everything(); after != before {
		c.t.Errorf("refused commands changed something. Before:\n%s\nafter:\n%s", before, after)
	}
}

// moments are the forms in which a time can be written, with the moment that is meant.
func moments(now time.Time) map[string]time.Time {
	now = now.In(zone.Beijing)
	on := func(days, hour, minute int) time.Time {
		return zone.Midnight(now, days).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	next := func(at func(days int) time.Time, fits func(time.Time) bool) time.Time {
		days := 0
		for !at(days).After(now) || !fits(at(days)) {
			days++
		}
		return at(days)
	}
	nine := func(days int) time.Time { return on(days, 9, 0) }
	half := func(days int) time.Time { return on(days, 18, 30) }
	friday := func(at time.Time) bool { return at.Weekday() == time.Friday }
	return map[string]time.Time{
		on(3, 9, 0).Format("2006-01-02 15:04"): on(3, 9, 0),
		on(3, 9, 0).Format("01-02 15:04"):      on(3, 9, 0),
		on(3, 9, 30).Format("1月2日 9点半"):        on(3, 9, 30),
		on(3, 9, 30).Format("2006年1月2日 15:04"): on(3, 9, 30),
		"09:00":          next(nine, func(time.Time) bool { return true }),
		"tomorrow 09:00": on(1, 9, 0), "明天 9:00": on(1, 9, 0), "明天9点": on(1, 9, 0),
		"friday 18:30": next(half, friday), "周五 18:30": next(half, friday), "Ｆｒｉｄａｙ　１８：３０": next(half, friday),
	}
}

// triesMoments has the sender plan a broadcast in every form of a time; id is the
// number of the first.
func (c *conversation) triesMoments(id int) {
	c.t.Helper()
	commands := []string{"broadcast me notice at ", "群发自己 notice 定时 "}
	for form, at := range moments(time.Now()) {
		want := []string{fmt.Sprintf("#%d ", id), at.Format("2006-01-02"), at.Weekday().String(), at.Format("15:04")}
		if c.zh() {
			weekday := []string{"周日", "周一", "周二", "周三", "周四", "周五", "周六"}[at.Weekday()]
			want = []string{fmt.Sprintf("#%d ", id), at.Format("1月2日"), weekday, at.Format("15:04"), "北京时间"}
		}
		c.tries([]line{{who: editor, text: commands[id%2] + form, has: want}, {who: sender, text: fmt.Sprintf("cancel #%d", id), has: []string{fmt.Sprintf("#%d", id)}}})
		id++
	}
}

func TestCommandsInEnglish(t *testing.T) {
	t.Parallel()
	long(t)
	c := converse(t, "en", nil, nil)
	c.tries(c.adminsEnglish())
	c.triesRoles()
	c.tries(c.followersEnglish())
	c.tries(c.messagesEnglish())
	c.tries(c.broadcastsEnglish())
	c.triesMoments(8)
	c.judged()
}

func TestCommandsInChinese(t *testing.T) {
	t.Parallel()
	long(t)
	c := converse(t, "zh", []string{"--mode", "safe", "--aes-key", aesKey}, settings{"WECHAT_ENCODING_AES_KEY": aesKey})
	c.tries(c.adminsChinese())
	c.triesRoles()
	c.tries(c.followersChinese())
	c.tries(c.messagesChinese())
	c.tries(c.broadcastsChinese())
	c.triesMoments(8)
	c.judged()
}

// judged checks what the broadcasts of a table came to: everybody got the one to all, from
// it or from its rest, and nobody the same twice.
func (c *conversation) judged() {
	c.t.Helper()
	c.platform.receiptsCome()
	st := c.platform.stats()
	if st.Reached != 1200 || st.Twice != 0 || st.TwiceByID != 0 || len(c.platform.missing()) != 0 {
		c.t.Errorf("reached %d of 1200; %d got the same twice; missing: %v", st.Reached, st.Twice, c.platform.missing())
	}
}
