package handlers

import (
	"context"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/admins"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/notify"
	"wechat-broadcast/services/topics"
	"wechat-broadcast/services/wechat"
)

const testAdmin = "oAdmiN_abcdefghijklmnop-7xYz"

// realChat has the callback talk to the real chat and followers on a store.
func realChat(tb testing.TB, store *models.Store) func(*setup) {
	tb.Helper()
	return func(c *setup) {
		log := modelstest.Log(tb)
		links, err := NewLinks("", "secret", testToken, time.Now)
		if err != nil {
			tb.Fatal(err)
		}
		composer, err := chat.NewComposer("zh", links, c.Now, log)
		if err != nil {
			tb.Fatal(err)
		}
		platform := wechat.New(wechat.Config{AppID: testAppID, AppSecret: "secret", BaseURL: "http://127.0.0.1:1", Now: time.Now, Log: log})
		tb.Cleanup(platform.Close)
		people := followers.New(followers.Config{Store: store, Platform: platform, Now: c.Now, Log: log})
		tb.Cleanup(people.Close)
		c.Store, c.Followers = store, people
		roles := admins.New(admins.Config{Store: store, Owners: []string{testAdmin}, Now: c.Now, Log: log})
		c.Chat = chat.New(chat.Config{
			Roles: roles, Audit: store, Composer: composer, Followers: people, Platform: platform, Replies: store, Log: c.Log,
			Topics:  topics.New(topics.Config{Store: store, Now: c.Now}),
			Notices: notify.New(notify.Config{Store: store, Platform: platform, Admins: roles, Words: composer, Now: c.Now, Log: log}),
		})
	}
}

// as has somebody else send a message.
func as(openID, msg string) string { return strings.ReplaceAll(msg, testSender, openID) }

func optedOut(tb testing.TB, s *models.Store, openID string) bool {
	tb.Helper()
	out := false
	err := s.ChangeRecipient(context.Background(), openID, func(r *models.Recipient) { out = r.OptedOut })
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// What a person is answered in each mode, by the signed callback, with what came of it.
func TestTalk(t *testing.T) {
	t.Parallel()
	const (
		hint, leave, only = "发送「帮助」看看", "请只发送「退订」", "只能看懂文字"
		theirs, desk      = "你好 <b>", "transfer_customer_service"
	)
	text := func(s string) string { return textMsg(s, 0) }
	click := func(key string) string { return eventMsg("CLICK", "<EventKey><![CDATA["+key+"]]></EventKey>") }
	for _, tt := range []struct {
		name, from, msg            string
		hint, silent, desk, handed string
		leaves                     bool
	}{
		{name: "leaves", msg: text("我要退订。"), hint: "已退订", silent: "已退订", desk: "已退订", handed: "已退订", leaves: true},
		{name: "leaves by a tap", msg: click("退订"), hint: "已退订", silent: "已退订", desk: "已退订", handed: "已退订", leaves: true},
		{name: "comes back", msg: text("Resubscribe"), hint: "一直在接收", silent: "一直在接收", desk: "一直在接收", handed: "一直在接收"},
		{name: "asks how to leave", msg: text("怎么退订"), hint: leave, silent: success, desk: desk, handed: theirs},
		{name: "says more than stop", msg: text("stop please"), hint: leave, silent: success, desk: desk, handed: theirs},
		{name: "a word with a reply", msg: text("开放 时间"), hint: "九点开门", silent: "九点开门", desk: "九点开门", handed: "九点开门"},
		{name: "a tap on it", msg: click("开放时间"), hint: "九点开门", silent: "九点开门", desk: "九点开门", handed: "九点开门"},
		{name: "hello", msg: text("你好"), hint: hint, silent: success, desk: desk, handed: theirs},
		{name: "an image", msg: xmlMsg("image", "<MsgId>7</MsgId>"), hint: only, silent: success, desk: desk, handed: theirs},
		{name: "a tap on theirs", msg: click("V1001"), hint: success, silent: success, desk: success, handed: theirs},
		{name: "a stranger's command", msg: text("群发全部"), hint: hint, silent: success, desk: desk, handed: theirs},
		{name: "a stranger's tap on one", msg: click("broadcast all"), hint: success, silent: success, desk: success, handed: theirs},
		{name: "an admin's command", from: testAdmin, msg: text("回复"), hint: "共 1 个", silent: "共 1 个", desk: "共 1 个", handed: "共 1 个"},
		{name: "an admin's tap on one", from: testAdmin, msg: click("replies"), hint: "共 1 个", silent: "共 1 个", desk: "共 1 个", handed: "共 1 个"},
		{name: "an admin's slip", from: testAdmin, msg: text("brodcast status"), hint: "群发状态", silent: "群发状态", desk: "群发状态", handed: "群发状态"},
		{name: "an admin's hello", from: testAdmin, msg: text("你好呀"), hint: hint, silent: success, desk: desk, handed: theirs},
	} {
		e := newExisting(t, nil)
		e.Config.Handler = saying(answerXML(testSender, testGH))
		if tt.from != "" {
			e.Config.Handler = saying(answerXML(tt.from, testGH))
			tt.msg = as(tt.from, tt.msg)
		}
		for mode, want := range map[string]string{
			unknownHint: tt.hint, unknownSilent: tt.silent, unknownCustomerService: tt.desk, e.URL: tt.handed,
		} {
			store := newStore(t)
			a := newAccount(t, realChat(t, store), unknownText(mode))
			if got := a.push(as(testAdmin, text("回复 设置 开放时间\n九点开门"))).Body.String(); !strings.Contains(got, "已设置") {
				t.Fatalf("the reply is not set: %s", got)
			}
			for range 2 { // it may be delivered again
				rec := a.push(tt.msg)
				if got := rec.Body.String(); rec.Code != 200 || !strings.Contains(got, want) || want == success && got != success {
					t.Errorf("%s, %s: answered %d %q, want %q", mode, tt.name, rec.Code, got, want)
				}
			}
			if got := optedOut(t, store, testSender); got != tt.leaves {
				t.Errorf("%s, %s: opted out is %v", mode, tt.name, got)
			}
		}
	}
}

// While the database is away texts are answered as the mode has it.
func TestTalkWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	e := newExisting(t, saying(answerXML(testSender, testGH)))
	for mode, want := range map[string]string{
		unknownHint: "发送「帮助」看看", unknownSilent: success, unknownCustomerService: "transfer_customer_service", e.URL: "你好 <b>",
	} {
		store := newStore(t)
		a := newAccount(t, realChat(t, store), unknownText(mode))
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		for i, msg := range []string{textMsg("你好", 1), xmlMsg("image", "<MsgId>2</MsgId>")} {
			want := want
			if mode == unknownHint && i == 1 {
				want = "只能看懂文字"
			}
			if rec := a.push(msg); rec.Code != 200 || !strings.Contains(rec.Body.String(), want) {
				t.Errorf("%s: answered %d %q, want %q", mode, rec.Code, rec.Body, want)
			}
		}
	}
}

// Replicas on one database see a changed reply within two seconds.
func TestAnotherReplicaSeesAChangedReply(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		one, other := newAccount(t, realChat(t, store)), newAccount(t, realChat(t, store))
		id := int64(0)
		ask := func(a *account, from, text string) string {
			id++
			return a.push(as(from, textMsg(text, id))).Body.String()
		}
		for _, want := range []string{"九点", "十点"} {
			ask(other, testSender, "开放时间") // it has just read them
			ask(one, testAdmin, "回复 设置 开放时间\n"+want)
			if got := ask(one, testSender, "开放时间"); !strings.Contains(got, want) {
				t.Errorf("at once: %q", got)
			}
			began := time.Now()
			for !strings.Contains(ask(other, testSender, "开放时间"), want) {
				if time.Since(began) > 2*time.Second {
					t.Fatalf("the other replica does not see %q", want)
				}
				<-time.After(50 * time.Millisecond)
			}
		}
	})
}

func TestRepliesAreForEditors(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	a := newAccount(t, realChat(t, store))
	for i, text := range []string{"回复", "回复 设置 词\n好", "回复 删除 词", "replies set word\nfine"} {
		if got := a.reply(t, a.push(textMsg(text, int64(i+1)))); !strings.Contains(got, "没看懂") {
			t.Errorf("%q of a stranger is answered %q", text, got)
		}
	}
	all, err := store.AutoReplies(t.Context())
	if err != nil || len(all) != 0 {
		t.Errorf("a stranger set %+v, %v", all, err)
	}
}
