package chat

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/check"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/message/messagetest"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
)

// accountTemplates are the account's in the tests.
func accountTemplates() messagetest.Templates {
	template := func(id, title string, fields ...wechat.TemplateField) wechat.Template {
		t := wechat.Template{ID: id, Title: title, Fields: fields}
		for _, f := range fields {
			t.Keys = append(t.Keys, f.Key)
		}
		return t
	}
	return messagetest.Templates{List: []wechat.Template{
		template("OrderTemplate0", "订单支付成功通知", wechat.TemplateField{Key: "character_string1", Name: "订单号"}, wechat.TemplateField{Key: "amount5", Name: "金额"}),
		template("ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY", "通知提醒", wechat.TemplateField{Key: "first", Name: "first"},
			wechat.TemplateField{Key: "thing1", Name: "通知内容"}, wechat.TemplateField{Key: "time2", Name: "通知时间"}, wechat.TemplateField{Key: "keyword3", Name: "备注"}),
		template("TwinTemplate1", "双胞胎", wechat.TemplateField{Key: "thing1", Name: "时间(thing1)"}, wechat.TemplateField{Key: "thing2", Name: "时间(thing2)"}),
		template("TwinTemplate2", "双胞胎", wechat.TemplateField{Key: "thing1", Name: "内容"}),
		template("EmptyTemplate", "空"),
	}}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{
		"zh": "共 5 个模板。用编号写消息，例如：\n消息 设置 通知\n模板=1\n字段=内容（每个字段一行）\n\n1. 订单支付成功通知\n订单号、金额\n\n2. 通知提醒\n通知内容、通知时间、备注\n\n3. 双胞胎\n时间(thing1)、时间(thing2)",
		"en": "5 templates. Write a message with a number, for example:\nmessages set notice\ntemplate=1\nfield=text (one line for each field)\n\n1. 订单支付成功通知\n订单号, 金额\n\n2. 通知提醒\n通知内容, 通知时间, 备注",
	} {
		s := newStage(t, language)
		s.templates = accountTemplates()
		for _, text := range []string{"templates", "模板", "模版"} {
			if got := s.ask(t, admin, text); !strings.HasPrefix(got, want) {
				t.Errorf("%s, %s:\n%s", language, text, got)
			}
		}
		s.templates = messagetest.Templates{}
		wantAll(t, s.ask(t, admin, "templates"), map[string]string{"zh": "账号还没有模板", "en": "no template yet"}[language])
		s.templates.Err = fmt.Errorf("list templates: %w", &wechat.APIError{Code: 48001, Msg: "api unauthorized"})
		wantAll(t, s.ask(t, admin, "templates"), "48001")
		s.templates.Err = errors.New("no answer")
		if got := s.ask(t, admin, "templates"); strings.Contains(got, "（") || strings.Contains(got, "0") {
			t.Errorf("there is a code in: %s", got)
		}
		s.templates = messagetest.Templates{}
		for range 100 {
			s.templates.List = append(s.templates.List, wechat.Template{Title: strings.Repeat("长", 100), Fields: accountTemplates().List[1].Fields})
		}
		wantAll(t, s.ask(t, admin, "templates"), "1. 长长", map[string]string{"zh": "……还有 ", "en": "… and "}[language])
	}
}

// step is a line and what its reply has and has not.
type step struct {
	text      string
	want, not []string
}

func (s *stage) steps(t *testing.T, steps []step) {
	t.Helper()
	for _, st := range steps {
		got := s.ask(t, admin, st.text)
		wantAll(t, got, st.want...)
		for _, part := range st.not {
			if strings.Contains(got, part) {
				t.Errorf("%q is in the reply to %q:\n%s", part, st.text, got)
			}
		}
		if t.Failed() {
			t.Fatalf("%q was answered:\n%s", st.text, got)
		}
	}
}

const closing = "消息 设置 闭馆\n模板=2\n通知内容=图书馆周三闭馆\n通知时间：{date} {time}\n备注＝{name}您好，请相互转告\n链接=https://example.com/1"

func TestMessagesAreWrittenInTheChat(t *testing.T) {
	t.Parallel()
	const card = "【通知提醒】\n通知内容：图书馆周三闭馆\n通知时间：2026年11月24日 09:00\n备注：{name}您好，请相互转告\n→ https://example.com/1"
	tests := map[string][]step{
		"made, shown, changed, removed": {
			{closing, []string{"「闭馆」已写好，发出去是这样：\n" + card + "\n先发给自己看看（字段照原样显示）：发给自己 闭馆\n要有 {name} 的名单才能填上。发送方法：群发名单 名单名 闭馆（查看名单：名单）"}, nil},
			{"消息", []string{"共 3 条消息：", "notice（默认）", "【通知提醒】\n通知内容：图书馆周三闭馆，请各位读者", "\n闭馆\n" + card + "\n" + admin + " 改于 11-24 09:00"}, nil},
			{"messages set 闭馆\nTHING1=今天照常开放", []string{"「闭馆」已改好", "通知内容：今天照常开放\n通知时间：2026年11月24日 09:00\n备注：{name}", "→ https"}, nil},
			{"消息设置闭馆\nurl=", []string{"已改好"}, []string{"→"}},
			{"消息 删除 闭馆", []string{"「闭馆」已删除"}, nil},
			{"消息删除闭馆", []string{"没有名为「闭馆」的消息", "notice, birthday"}, nil},
			{"消息", []string{"共 2 条消息："}, []string{"闭馆\n"}},
		},
		"the template by title, id and number": {
			{"消息 设置 a\n模版=通知提醒\nthing1=a\ntime2=9:00\nkeyword3=c", []string{"【通知提醒】"}, nil},
			{"消息 设置 b\ntemplate=ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY\nthing1=a\ntime2=9:00\nkeyword3=c", []string{"【通知提醒】"}, nil},
			{"消息 设置 c\n模板=#２\nthing1=a\ntime2=9:00\nkeyword3=c\nfirst=x", []string{"【通知提醒】", "first：x"}, nil},
			{"消息 设置 d\n模板=双胞胎\n内容=x", []string{"没有保存", "不止一个模板叫「双胞胎」：3、4；请写编号"}, nil},
			{"消息 设置 d\n模板=3\n时间（thing1）=x\n时间(thing2)=y", []string{"【双胞胎】\n时间(thing1)：x\n时间(thing2)：y"}, nil},
			{"消息 设置 d\n模板=9", []string{"模板：没有模板「9」；请写「模板=编号」，编号请发送「模板」查看"}, nil},
			{"消息 设置 e\n模板=0", []string{"没有模板「0」"}, nil},
			{"消息 设置 e\n模板=5\nx=y", []string{"空：这个模板没有字段"}, nil},
			{"消息 设置 e\n模板=", []string{"模板：是空的"}, nil},
		},
		"all faults at once": {
			{
				"消息 设置 闭馆\n模板=2\n模板=3\n通知内容=\n时间=9:00\n通知时间=明天\n通知时间=9:00\n链接=example.com",
				[]string{
					"「闭馆」没有保存", "模板：写了两次；请只留一行", "通知内容：是空的；请写上要给关注者看的内容", "时间：没有这个字段；可以写：通知内容、通知时间、备注、链接",
					"通知时间 要写成日期或时间", "通知时间：写了两次", "备注：缺少这一项；请写成 备注=…", "链接：不是 http 或 https 网址",
				},
				[]string{"thing1", "time2", "更多", "通知内容：缺少"},
			},
			{"消息 设置 闭馆\n链接=x\n通知内容=a", []string{"模板：缺少这一项", "链接：不是 http"}, nil},
			{"消息 设置 闭馆", []string{"模板：缺少这一项；请写「模板=编号」"}, nil},
			{"消息", nil, []string{"闭馆\n"}},
			{closing, []string{"已写好"}, nil},
			{"消息 设置 闭馆", []string{"没有写要改什么"}, nil},
			{"消息 设置 闭馆\n通知时间=明天\n通知内容=b", []string{"没有保存", "通知时间"}, nil},
			{"消息", []string{card}, nil},
		},
		"a value that is too long": {
			{"消息 设置 a\n模板=2\n通知内容=" + strings.Repeat("长", 30) + "\n通知时间=9:00\n备注=c", []string{"已写好", "注意：「通知内容」超出微信的字数限制", "通知内容：" + strings.Repeat("长", 19) + "…"}, nil},
			{"消息 设置 a\n备注=" + strings.Repeat("长", 2000), []string{"备注：超过 4,096 字节"}, nil},
			{"消息 设置 a\n链接=https://example.com/" + strings.Repeat("x", 4096), []string{"链接：超过 4,096 字节"}, nil},
		},
		"what is in the file can be copied": {
			{"消息 设置 notice\n通知内容=x", []string{"「notice」写在消息文件里，不能在聊天里修改或删除", "消息 设置 新名称\n复制=notice"}, nil},
			{"消息 删除 NOTICE", []string{"「notice」写在消息文件里"}, nil},
			{"消息 设置 闭馆\n复制=Notice\n备注=c", []string{"已写好", "通知内容：图书馆周三闭馆，请各位读者提前归还所借…\n通知时间：2026年11月24日 09:00\n备注：c\n→ https://example.com/notices/1"}, nil},
			{"消息 设置 闭馆2\ncopy=闭馆\n通知内容=d", []string{"通知内容：d\n通知时间：2026年11月24日 09:00\n备注：c"}, nil},
			{"消息 设置 x\n复制=没有\n链接=y", []string{"复制：没有名为「没有」的消息；可以写：notice、birthday、闭馆、闭馆2", "链接：不是 http"}, []string{"模板："}},
		},
		"another template": {
			{closing, []string{"已写好"}, nil},
			{"消息 设置 闭馆\n模板=4", []string{"没有保存", "内容：缺少这一项"}, nil},
			{"消息 设置 闭馆\n模板=4\n内容=x", []string{"已改好", "【双胞胎】\n内容：x\n→ https"}, []string{"备注"}},
		},
		"names": {
			{strings.Replace(closing, "闭馆\n", "“日 报”\n", 1), []string{"「日 报」已写好"}, nil},
			{"消息 设置 x\n复制=“日 报”", []string{"「x」已写好"}, nil},
			{strings.Replace(closing, "闭馆\n", "“闭 馆　日”\n", 1), []string{"「闭 馆 日」已写好", "群发名单 名单名 “闭 馆 日”"}, nil},
			{"消息 设置 「闭 馆 日」\n备注=x", []string{"已改好"}, nil},
			{strings.Replace(closing, "闭馆\n", "ＡbC\n", 1), []string{"「ＡbC」已写好"}, nil},
			{"消息 设置 abc\n备注=x", []string{"「ＡbC」已改好"}, nil},
			{strings.Replace(closing, "闭馆\n", "再发\n", 1), []string{"「再发」", "没有保存"}, nil},
			{strings.Replace(closing, "闭馆\n", "now\n", 1), []string{"「now」", "没有保存"}, nil},
			{strings.Replace(closing, "闭馆\n", "#7\n", 1), []string{"另有含义"}, nil},
			{strings.Replace(closing, "闭馆\n", "定时9点\n", 1), []string{"「定时9点」不能作消息名"}, nil},
			{strings.Replace(closing, "闭馆\n", strings.Repeat("长", 65)+"\n", 1), []string{"消息名最多 64 个字"}, nil},
			{strings.Replace(closing, "闭馆\n", "a“b\n", 1), []string{"消息名里不能有引号"}, nil},
			{"消息 设置\n模板=2", []string{"缺少名称"}, nil},
			{"消息 设置 a b\n模板=2", []string{"看不懂"}, nil},
			{"消息 设置 a\n闭馆一天", []string{"闭馆一天", "看不懂"}, nil},
		},
		"nothing is executed": {
			{"消息 设置 a\n模板=2\n通知内容={{.OpenID}}\n通知时间={time}\n备注={ x }{{range}}", []string{"通知内容：{{.OpenID}}\n通知时间：09:00\n备注：{ x }{{range}}"}, nil},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "zh")
			s.templates = accountTemplates()
			s.steps(t, steps)
		})
	}
}

func TestMessagesInEnglish(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.templates = accountTemplates()
	s.steps(t, []step{
		{
			"messages set closing\ntemplate=2\nthing1=Closed\ntime2={date}\nkeyword3=x\nlink=https://example.com/1",
			[]string{"“closing” is written. It looks like this:\n[通知提醒]\n通知内容: Closed\n通知时间: 2026-11-24\n备注: x\n→ https://example.com/1\nTo see it on your phone: broadcast me closing"},
			nil,
		},
		{"messages set closing\ntime2=soon\nnope=1", []string{"“closing” was not saved", "通知时间 takes a date or a time", "nope: there is no such field; it can be: 通知内容, 通知时间, 备注, url"}, nil},
		{"messages", []string{"closing\n[通知提醒]\n通知内容: Closed", "changed by " + admin + " at 11-24 09:00"}, nil},
		{"messages remove closing", []string{"“closing” is deleted"}, nil},
		{"messages set notice\nurl=", []string{"in the message file", "messages set NEWNAME\ncopy=notice"}, nil},
	})
}

func TestNothingIsSavedWhileThePlatformIsAway(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	s.templates = accountTemplates()
	s.ask(t, admin, closing)
	s.templates = messagetest.Templates{Err: errors.New("no answer")}
	reply, remember, err := s.Reply(t.Context(), admin, "消息 设置 闭馆\n备注=x", "m:1")
	if err != nil || remember || !strings.Contains(reply, "暂时读取不到账号的模板") {
		t.Errorf("%q, %v, %v", reply, remember, err)
	}
	s.steps(t, []step{
		{"消息", []string{"闭馆\nthing1：图书馆周三闭馆\ntime2：2026年11月24日 09:00\nkeyword3：{name}您好"}, nil},
		{"消息 删除 闭馆", []string{"已删除"}, nil},
	})
}

func TestABrokenFileHidesNoOtherMessage(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	s.templates = accountTemplates()
	s.ask(t, admin, closing)
	s.file.Set("messages: [")
	s.steps(t, []step{
		{"消息", []string{"共 1 条消息：", "消息文件有错误", "闭馆\n【通知提醒】"}, []string{"默认"}},
		{"消息 设置 闭馆\n备注=x", []string{"已改好"}, nil},
	})
}

func TestThereMayBeNoFileAndNoMessage(t *testing.T) {
	t.Parallel()
	for language, want := range map[string][]string{"zh": {"还没有消息", "消息 设置 通知", "模板=1"}, "en": {"no message yet", "messages set notice", "template=1"}} {
		s := newStage(t, language)
		s.templates = accountTemplates()
		s.file.Remove()
		wantAll(t, s.ask(t, admin, "messages"), want...)
		s.err = models.NewError(models.NotFound, models.ErrNoMessages)
		wantAll(t, s.ask(t, admin, "broadcast all"), want...)
		wantAll(t, s.ask(t, admin, closing), "闭馆")
		wantAll(t, s.ask(t, admin, "messages"), map[string]string{"zh": "闭馆（默认）", "en": "闭馆 (default)"}[language])
	}
}

func TestThereIsALimitOfMessages(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	s.templates = accountTemplates()
	for i := range messages.MaxKept {
		wantAll(t, s.ask(t, admin, strings.Replace(closing, "闭馆\n", fmt.Sprintf("m%d\n", i), 1)), "已写好")
	}
	wantAll(t, s.ask(t, admin, closing), "已有 200 条消息，不能再多了，没有保存", "消息 删除 名称")
	wantAll(t, s.ask(t, admin, strings.Replace(closing, "闭馆\n", "m7\n", 1)), "已改好")
	wantAll(t, s.ask(t, admin, "消息"), "……还有")
}

// The number, the recipients, how to cancel and the link are there whatever the message.
func TestTheReplyToABroadcastHasItsMessage(t *testing.T) {
	t.Parallel()
	data := []wechat.Field{{Key: "time2", Value: "09:00"}, {Key: "thing1", Value: "闭馆"}, {Key: "keyword3", Value: "请\n转告"}}
	for language, want := range map[string]string{
		"zh": "群发 #7 · notice → 24,900 位关注者\n10 秒后开始。如需停止，请发送：取消 #7\n进度：https://example.com/b/x\n注意：「通知内容」超出微信的字数限制，会截短为「闭」。\n【通知提醒】\n通知内容：闭馆\n通知时间：09:00\n备注：请 转告\n→ https://example.com/1",
		"en": "Broadcast #7 · notice → 24,900 followers\nStarts in 10 s. To stop it: broadcast cancel #7\nProgress: https://example.com/b/x\nNote: “通知内容” is too long for WeChat and goes out as “闭”.\n[通知提醒]\n通知内容: 闭馆\n通知时间: 09:00\n备注: 请 转告\n→ https://example.com/1",
	} {
		s := newStage(t, language)
		s.link = "https://example.com/b/x"
		s.asked = &broadcast.Created{
			Broadcast: sample(), Recipients: 24_900, Found: check.Found{
				Template: accountTemplates().List[1],
				Warnings: []check.Warning{{Code: check.WarnCut, Args: map[string]any{"Field": "通知内容", "Value": "闭"}}},
				Message:  wechat.Message{TemplateID: "t", URL: "https://example.com/1", Data: data},
			},
		}
		if diff := cmp.Diff(want, s.ask(t, admin, "broadcast all")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		wantAll(t, s.LateReply(s.asked, nil), strings.Split(want, "\n")[4:]...)
		important := strings.Split(want, "\n")[:3]
		for i := range 40 {
			s.asked.Message.Data = append(s.asked.Message.Data, wechat.Field{Key: fmt.Sprintf("keyword%d", i+4), Value: strings.Repeat("长", i*40)})
			wantAll(t, s.ask(t, admin, "broadcast all"), important...)
		}
		wantAll(t, s.ask(t, admin, "broadcast all"), map[string]string{"zh": "……（后面的放不下了）", "en": "… (there is no room for the rest)"}[language])
		for range 100 {
			s.asked.Warnings = append(s.asked.Warnings, s.asked.Warnings[0])
		}
		wantAll(t, s.ask(t, admin, "broadcast all"), important...)
	}
}

func TestLinesAfterABroadcastChangeItsFields(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	s.asked.Broadcast = sample()
	s.ask(t, admin, "群发测试 notice 再发\n通知内容= 今天 a=b 开放 \n网址：https://example.com/?a=1")
	s.wantCalls(t, "ask Message:notice Audience:test AskedBy:"+admin+" RequestKey:m:1 Again:true Fields:[{通知内容 今天 a=b 开放} {网址 https://example.com/?a=1}]")
	for _, language := range lang.Languages {
		s := newStage(t, language)
		var faults []error
		for _, path := range []string{"时间", "内容"} {
			faults = append(faults, message.Problems{{Path: path, Problem: message.Words{Code: "problem.given_twice"}, Hint: message.Words{Code: "hint.one_of_two_lines"}}})
		}
		s.err = models.NewError(models.Invalid, models.ErrFieldsRefused, "Name", "notice", "Reason", errors.Join(faults...))
		wantAll(t, s.ask(t, admin, "broadcast all"), "notice", "\n时间", "\n内容", map[string]string{"zh": "没有发送", "en": "not sent"}[language])
		s.err = models.NewError(models.Invalid, models.ErrContent, "Name", "notice", "Reason", errors.Join(faults...))
		wantAll(t, s.ask(t, admin, "broadcast all"), "notice", "\n时间", "\n内容")
	}
}
