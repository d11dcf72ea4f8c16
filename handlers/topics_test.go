package handlers

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// talk sends messages to an account, each of which is another one.
type talk struct {
	*account
	t     *testing.T
	store *models.Store
	n     int64
}

func newTalk(t *testing.T, store *models.Store, edits ...func(*setup)) *talk {
	t.Helper()
	return &talk{account: newAccount(t, append([]func(*setup){realChat(t, store)}, edits...)...), t: t, store: store}
}

// says returns the answer to a text.
func (k *talk) says(from, text string) string {
	k.t.Helper()
	k.n++
	return k.push(as(from, textMsg(text, k.n))).Body.String()
}

// event returns the answer to an event with a key.
func (k *talk) event(from, event, key string) string {
	k.t.Helper()
	return k.push(as(from, k.newEvent(event, key))).Body.String()
}

func (k *talk) newEvent(event, key string) string {
	k.n++
	msg := eventMsg(event, "<EventKey><![CDATA["+key+"]]></EventKey><Ticket><![CDATA[gQH8]]></Ticket>")
	return strings.Replace(msg, "1395658920", fmt.Sprint(testNow.Unix()-1000+k.n), 1)
}

func (k *talk) admin(lines ...string) {
	k.t.Helper()
	for _, line := range lines {
		if got := k.says(testAdmin, line); !strings.Contains(got, "已") {
			k.t.Fatalf("%q is answered %s", line, got)
		}
	}
}

// consents are all that were kept, without those of the admin.
func (k *talk) consents() []string {
	k.t.Helper()
	list, err := k.store.ConsentsAfter(k.t.Context(), 0, 1000)
	if err != nil {
		k.t.Fatal(err)
	}
	var all []string
	for _, c := range list {
		if c.MessageKey == "" || c.At.IsZero() {
			k.t.Errorf("a consent without its message or time: %+v", c)
		}
		all = append(all, fmt.Sprintf("%s %v via %s: %s", c.Topic, c.Joined, c.Via, c.Text))
	}
	return all
}

func wantIn(t *testing.T, what, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("%s: no %q in %s", what, part, got)
		}
	}
}

// Followers join and leave by a text, a tap and a scan; each change is kept with what they
// wrote, and what changes nothing is not.
func TestFollowersJoinAndLeave(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		k := newTalk(t, store, func(c *setup) { c.Welcome = "欢迎关注" })
		k.admin("主题 添加 讲座 每周讲座的预告", "topics add concerts", "主题 添加 “Reading Club”")
		for _, step := range []struct {
			event, text string
			want        []string
			consent     string
		}{
			{"", "主题", []string{"可以订阅", "\n讲座 · 每周讲座的预告", "\nconcerts", "订阅 讲座", "退订 讲座"}, ""},
			{"", "订阅 讲座", []string{"已订阅「讲座」", "现在订阅的主题：讲座", "退订 讲座"}, "讲座 true via text: 订阅 讲座"},
			{"", "订阅讲座", []string{"已经订阅了「讲座」"}, ""},
			{"", "ＪＯＩＮ Concerts", []string{"已订阅「concerts」", "讲座、concerts"}, "concerts true via text: ＪＯＩＮ Concerts"},
			{"", "topics", []string{"✓ 讲座", "✓ concerts", "\nReading Club"}, ""},
			{"", "退订讲座。", []string{"已退订「讲座」", "现在订阅的主题：concerts", "全部都不想收，请发送「退订」"}, "讲座 false via text: 退订讲座。"},
			{"", "退订 讲座", []string{"没有订阅「讲座」"}, ""},
			{"", "退订 讲坐", []string{"只发送「退订」", "没有「讲坐」这个主题", "讲座、concerts"}, ""},
			{"", "订阅 讲座，reading club", []string{"已订阅「讲座、Reading Club」"}, "讲座 true via text: 订阅 讲座，reading club\nReading Club true via text: 订阅 讲座，reading club"},
			{"", "leave reading club、讲座", []string{"已退订「Reading Club、讲座」"}, "Reading Club false via text: leave reading club、讲座\n讲座 false via text: leave reading club、讲座"},
			{"", "订阅讲坐", []string{"没看懂"}, ""},
			{"", "退订讲坐", []string{"只发送「退订」"}, ""},
			{"", "订阅 讲座、讲坐", []string{"没有「讲坐」这个主题", "没有改动"}, ""},
			{"CLICK", "讲座", []string{"已订阅「讲座」"}, "讲座 true via menu: 讲座"},
			{"CLICK", "退订 讲座", []string{"已退订「讲座」"}, "讲座 false via menu: 退订 讲座"},
			{"SCAN", "join 讲座", []string{"已订阅「讲座」"}, "讲座 true via scan: join 讲座"},
			{"SCAN", "leave 讲座", []string{"已退订「讲座」"}, "讲座 false via scan: leave 讲座"},
			{"SCAN", "讲座", []string{"已订阅「讲座」"}, "讲座 true via scan: 讲座"},
			{"SCAN", "door-3", []string{success}, ""},
			{"SCAN", "退订", []string{success}, ""},
			{"", "讲座", []string{"没看懂"}, ""},
			{"", "TD", []string{"已退订，您不会再收到"}, " false via text: TD"},
			{"", "leave 讲座", []string{"已退订「讲座」"}, "讲座 false via text: leave 讲座"},
			{"", "join 讲座", []string{"已订阅「讲座」", "退订全部群发", "「订阅」", "讲座、concerts"}, "讲座 true via text: join 讲座"},
			{"", "主题", []string{"✓ 讲座", "退订全部群发"}, ""},
			{"CLICK", "订阅", []string{"欢迎回来"}, " true via menu: 订阅"},
			{"", "start", []string{"一直在接收"}, ""},
			{"", "主题", []string{"✓ 讲座", "✓ concerts"}, ""},
			{"unsubscribe", "", []string{success}, ""},
			{"subscribe", "", []string{"欢迎关注"}, ""},
			{"", "主题", []string{"✓ 讲座", "✓ concerts"}, ""},
			{"unsubscribe", "", []string{success}, ""},
			{"subscribe", "qrscene_订阅 Reading Club", []string{"已订阅「Reading Club」", "\n\n欢迎关注"}, "Reading Club true via scan: 订阅 Reading Club"},
			{"unsubscribe", "", []string{success}, ""},
			{"subscribe", "qrscene_door-3", []string{"[CDATA[欢迎关注"}, ""},
		} {
			before := len(k.consents())
			var got string
			if step.event == "" {
				got = k.says(testSender, step.text)
			} else {
				got = k.event(testSender, step.event, step.text)
			}
			what := step.event + " " + step.text
			wantIn(t, what, got, step.want...)
			if kept := strings.Join(k.consents()[before:], "\n"); kept != step.consent {
				t.Errorf("%s: kept\n%s\nwant\n%s", what, kept, step.consent)
			}
		}
	})
}

// A message that comes again, at the same moment, or to a restarted process, or after the
// person changed their mind, changes nothing again.
func TestARedeliveredJoinChangesNothing(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		one := newTalk(t, store)
		one.admin("主题 添加 讲座")
		for i, msg := range []string{
			textMsg("订阅 讲座", 77), textMsg("订阅讲座", 78), one.newEvent("CLICK", "讲座"), one.newEvent("SCAN", "订阅 讲座"),
			one.newEvent("subscribe", "qrscene_讲座"),
		} {
			before := len(one.consents())
			replicas := []*account{one.account, newAccount(t, realChat(t, store)), newAccount(t, realChat(t, store))}
			var all sync.WaitGroup
			for _, replica := range replicas {
				all.Go(func() {
					if rec := replica.push(msg); rec.Code != 200 || !strings.Contains(rec.Body.String(), "讲座") {
						t.Errorf("message %d: %d %s", i, rec.Code, rec.Body)
					}
				})
			}
			all.Wait()
			wantIn(t, "leave", one.says(testSender, "退订 讲座"), "已退订「讲座」")
			for _, replica := range append(replicas, newAccount(t, realChat(t, store))) {
				replica.push(msg)
			}
			if got := one.consents()[before:]; len(got) != 2 {
				t.Errorf("message %d: %d changes are kept, want 2: %q", i, len(got), got)
			}
			if got := one.says(testSender, "主题"); strings.Contains(got, "✓ 讲座") {
				t.Errorf("message %d joined again: %s", i, got)
			}
		}
	})
}

// Of what is not about the account's topics, all goes as it did without any.
func TestWhatIsNotAboutTopics(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, msg string
		topics    bool
		hint      string // in the mode hint
		ours      bool   // in the others; else it is handed on
	}{
		{"prose", textMsg("join us for dinner", 901), true, "这个主题", false},
		{"more prose", textMsg("Leave a message for the librarian", 902), true, "只发送「退订」", false},
		{"a word that begins so", textMsg("订阅号怎么用", 903), true, "没看懂", false},
		{"a wrong name", textMsg("退订 讲坐", 904), true, "只发送「退订」", true},
		{"a topic", textMsg("订阅讲座", 905), true, "已订阅", true},
		{"no topics", textMsg("主题", 906), false, "没有可以订阅的主题", false},
		{"no topics to join", textMsg("订阅 讲座", 907), false, "没有可以订阅的主题", false},
		{"none to join, without a space", textMsg("订阅讲座", 908), false, "没看懂", false},
		{"no topics to leave", textMsg("退订 讲座", 909), false, "只发送「退订」", false},
		{"a scan of theirs", eventMsg("SCAN", "<EventKey><![CDATA[door-3]]></EventKey>"), true, success, false},
		{"a scan of a number", eventMsg("SCAN", "<EventKey>77</EventKey>"), true, success, false},
		{"a scan of ours", eventMsg("SCAN", "<EventKey><![CDATA[讲座]]></EventKey>"), true, "已订阅", true},
		{"a scan without topics", eventMsg("SCAN", "<EventKey><![CDATA[join 讲座]]></EventKey>"), false, success, false},
		{"a command in a code", as(testAdmin, eventMsg("SCAN", "<EventKey><![CDATA[主题 删除 讲座]]></EventKey>")), true, success, false},
		{"a tap of theirs", eventMsg("CLICK", "<EventKey><![CDATA[V1001]]></EventKey>"), true, success, false},
		{"a tap on a word with a reply", eventMsg("CLICK", "<EventKey><![CDATA[开放时间]]></EventKey>"), true, "九点", true},
	} {
		to := testSender
		if strings.Contains(tt.msg, testAdmin) {
			to = testAdmin
		}
		e := newExisting(t, saying(answerXML(to, testGH)))
		for _, mode := range []string{unknownHint, e.URL} {
			store := newStore(t)
			k := newTalk(t, store, unknownText(mode))
			k.admin("回复 设置 开放时间\n九点")
			if tt.topics {
				k.admin("主题 添加 讲座", "主题 添加 开放时间")
			}
			want := tt.hint
			if mode == e.URL && !tt.ours {
				want = "你好 <b>"
			}
			if got := k.push(tt.msg).Body.String(); !strings.Contains(got, want) || want == success && got != success {
				t.Errorf("%s, %s: answered %s, want %s", mode, tt.name, got, want)
			}
			if topics, err := store.Topics(t.Context()); err != nil || len(topics) > 0 != tt.topics {
				t.Errorf("%s: topics %v, %v", tt.name, topics, err)
			}
		}
	}
}

// Editors add and remove topics; a name that no command could name is refused with all
// that is wrong.
func TestEditorsKeepTopics(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		k := newTalk(t, store)
		for _, step := range []struct {
			from, text string
			want       []string
		}{
			{testAdmin, "主题", []string{"没有可以订阅的主题", "主题 添加"}},
			{testAdmin, "主题 添加 讲座 每周讲座", []string{"已添加主题「讲座」（每周讲座）", "订阅 讲座", "二维码的场景值", "群发主题 讲座"}},
			{testAdmin, "主题 添加 讲座", []string{"已经有了"}},
			{testAdmin, "topics add 讲座 每周四的讲座", []string{"已修改", "每周四的讲座"}},
			{testAdmin, "topics add “Reading Club” for readers", []string{"Reading Club」（for readers）", "群发主题 “Reading Club”"}},
			{testSender, "订阅 讲座", []string{"已订阅"}},
			{testAdmin, "订阅 讲座", []string{"已订阅"}},
			{testAdmin, "退订", []string{"已退订"}},
			{testAdmin, "主题", []string{"✓ 讲座 · 每周四的讲座 · 2 人已订阅，其中 1 人能收到", "Reading Club · for readers · 0 人"}},
			{testAdmin, "查询 " + testSender, []string{"订阅的主题：讲座"}},
			{testAdmin, "主题 删除 讲坐", []string{"没有主题「讲坐」", "讲座、Reading Club"}},
			{testSender, "主题 删除 讲座", []string{"没看懂"}},
			{testSender, "topics add 我的", []string{"没看懂"}},
			{testAdmin, "主题 删除 讲座", []string{"已删除主题「讲座」", "有 2 人订阅", "主题 添加 讲座"}},
			{testSender, "主题", []string{"Reading Club"}},
			{testSender, "退订 讲座", []string{"没有「讲座」这个主题", "只发送「退订」"}},
			{testAdmin, "主题 添加 讲座", []string{"已恢复主题「讲座」（每周四的讲座）", "2 人仍在其中，其中 1 人"}},
			{testSender, "主题", []string{"✓ 讲座"}},
			{testAdmin, "主题 添加 a,b", []string{"逗号", "没有添加"}},
			{testAdmin, "主题 添加 a、b" + strings.Repeat("长", 64) + " " + strings.Repeat("说", 201), []string{"顿号", "最多 64 个字", "最多 200 个字", "没有添加"}},
			{testAdmin, "主题 添加 TD", []string{"另有意思"}},
			{testAdmin, "主题 添加 帮助", []string{"另有意思"}},
			{testAdmin, "主题 添加 停发", []string{"另有意思"}},
			{testAdmin, "topics add ALL", []string{"另有意思"}},
			{testAdmin, "主题 添加 at", []string{"另有意思"}},
			{testAdmin, "主题 添加 。。。", []string{"另有意思"}},
			{testAdmin, "主题 添加 “讲座", []string{"引号"}},
			{testAdmin, "主题 添加", []string{"名称"}},
		} {
			wantIn(t, step.text, k.says(step.from, step.text), step.want...)
		}
		all, err := store.Topics(t.Context())
		if err != nil || len(all) != 2 {
			t.Errorf("topics %+v, %v", all, err)
		}
		if diff := cmp.Diff([]string{"讲座 true via text: 订阅 讲座", "讲座 true via text: 订阅 讲座", " false via text: 退订"}, k.consents()); diff != "" {
			t.Errorf("consents (-want +got):\n%s", diff)
		}
		for i := len(all); i < models.MaxTopics; i++ {
			k.admin(fmt.Sprintf("主题 添加 第%d个 %s", i, strings.Repeat("说", 200)))
			k.says(testSender, fmt.Sprintf("订阅 第%d个", i))
		}
		wantIn(t, "one too many", k.says(testAdmin, "主题 添加 多了"), "最多 50 个")
		for _, from := range []string{testSender, testAdmin} {
			if got := k.says(from, "主题"); len(got) > 2500 || !strings.Contains(got, "还有") || !strings.Contains(got, "订阅 讲座") {
				t.Errorf("a long list: %s", got)
			}
		}
		wantIn(t, "a long list of mine", k.says(testSender, "退订 第9个"), "已退订「第9个」", "请发送「退订」")
	})
}
