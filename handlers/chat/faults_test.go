package chat

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat/field"
)

// The faults of the message file are in the chat's language.
func TestBrokenMessageFile(t *testing.T) {
	t.Parallel()
	const broken = "default: notcie\nmessages:\n  notice:\n    template_id: t\n    data:\n      thing1: {value: '{{.Openid}}'}\n" +
		"  again: {template_id: t, data: {thing1: {value: x, color: red}}}\n"
	for language, want := range map[string]string{
		"zh": "消息文件有错误，请技术同事修改：\n" +
			"messages.notice.data.thing1.value（第 3 行）：没有变量 .Openid；是不是想写 .OpenID？\n" +
			"messages.again（第 7 行）：这个词在聊天指令里另有含义；请改名\n" +
			"messages.again.data.thing1.color（第 7 行）：不是颜色；请写成 \"#173177\"，引号不能少\n" +
			"default（第 1 行）：没有名为「notcie」的消息；可以写：notice、again",
		"en": "The message file has faults. Ask whoever runs the server to mend it:\n" +
			"messages.notice.data.thing1.value: there is no variable .Openid (line 3); did you mean .OpenID?\n" +
			"messages.again: means something else in a chat command (line 7); rename it\n" +
			"messages.again.data.thing1.color: is not a colour (line 7); write it as \"#173177\", in quotes\n" +
			"default: there is no message “notcie” (line 1); name one of: notice, again",
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, language)
			s.file.Set(broken)
			_, err := message.Parse([]byte(broken))
			s.err = models.NewError(models.Invalid, models.ErrMessagesFile, "Reason", err)
			for _, text := range []string{"messages", "broadcast all"} {
				if got := s.ask(t, admin, text); got != want {
					t.Errorf("%s:\n%s\nwant:\n%s", text, got, want)
				}
			}
		})
	}
}

// A reply names as many faults as fit, and how many more there are.
func TestManyFaults(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	file := "messages:\n"
	for i := range 90 {
		file += fmt.Sprintf("  m%d: {template_id: t, data: {thing1: {value: ''}}}\n", i)
	}
	s.file.Set(file)
	lines := strings.Split(s.ask(t, admin, "消息"), "\n")
	var rest int
	if _, err := fmt.Sscanf(lines[len(lines)-1], "……还有 %d 条", &rest); err != nil || rest+len(lines)-2 != 90 {
		t.Errorf("the last of %d lines is %q", len(lines), lines[len(lines)-1])
	}
}

func TestFaultsInWords(t *testing.T) {
	t.Parallel()
	render := func(template string) error {
		d := &message.Definition{Name: "m", TemplateID: "t", Data: []message.Field{{Key: "thing1", Value: template}}}
		_, err := d.Preview(models.Recipient{}, now)
		if problems := (message.Problems{}); errors.As(err, &problems) {
			t.Fatal(problems)
		}
		return err
	}
	check := func(key, value string) error {
		_, _, err := field.Check(key, value)
		return fmt.Errorf("field %s: %w", key, err)
	}
	_, quote := message.Parse([]byte("a: \"b\nc: d\n"))
	_, second := message.Parse([]byte("a: b\n---\nc: d\n"))
	for _, tt := range []struct {
		err    error
		zh, en string
	}{
		{quote, "文件格式（YAML）不对：第 3 行或它的上一行：引号不成对；值里有", "it is not valid YAML: line 3 or the one before: a quote is not closed; put a value that"},
		{second, "messages：第 2 行又开始了一个文档，只能有一个；值里有 : # { } * & 或引号时，请用引号括起来", "messages: line 2: a second document begins; put a value that holds : # { } * & or a quote in quotes"},
		{render("{{.Fields.town}}"), "thing1（.Fields.town）：只有带这个字段的名单才有值：请发给这样的名单（用「名单」查看），或者从消息里删去它", "thing1 (.Fields.town): has a value only on a list with that field: send it to such a list (see “lists”), or take it out of the message"},
		{render(`{{.SubscribedAt.Format "2006"}}`), "thing1（.SubscribedAt.Format）：有的收件人没有这一项", "thing1 (.SubscribedAt.Format): is not known for some recipients"},
		{render("{{.Scene}}"), "thing1：填出来是空的", "thing1: is blank"},
		{
			render("{{.Remark}}"), "thing1（.Remark）：对有的人填出来是空的：多数人没有备注，请写上没有时的说法，例如 {{if .Remark}}{{.Remark}}{{else}}读者{{end}}",
			"thing1 (.Remark): is blank for somebody: most people have no remark, so write what they read instead, as in {{if .Remark}}{{.Remark}}{{else}}reader{{end}}",
		},
		{check("phrase1", ""), "phrase1 是空的", "phrase1 is empty"},
		{check("phrase1", "一二三四五六"), "phrase1 太长，phrase 类字段最多 5 个字", "phrase1 is too long: a phrase field takes 5 characters"},
		{check("time2", "soon"), "time2 要写成日期或时间，例如 2026年11月26日 09:00", "time2 takes a date or a time, such as 2026-11-26 09:00"},
		{
			fmt.Errorf("read messages: %w", &fs.PathError{Op: "open", Path: "messages.yaml", Err: fs.ErrNotExist}),
			"没有这个文件：messages.yaml", "There is no file messages.yaml",
		},
		{
			fmt.Errorf("read messages: %w", &fs.PathError{Op: "open", Path: "messages.yaml", Err: fs.ErrPermission}),
			"messages.yaml 无法读取：permission denied", "messages.yaml can't be read: permission denied",
		},
		{errors.New("dial: refused"), "dial: refused", "dial: refused"},
	} {
		t.Run(tt.en, func(t *testing.T) {
			t.Parallel()
			for language, want := range map[string]string{"zh": tt.zh, "en": tt.en} {
				s := newStage(t, language)
				s.err = models.NewError(models.Invalid, models.ErrContent, "Name", "notice", "Reason", tt.err)
				wantAll(t, s.ask(t, admin, "broadcast all"), want)
			}
		})
	}
}

// flagWords are the words that say how a broadcast goes out.
func flagWords() (all []string) {
	for _, f := range flags {
		all = append(all, f.words...)
	}
	return all
}

// A message with several faults another meaning in a command could not be sent.
func TestEveryNameCanBeAskedFor(t *testing.T) {
	t.Parallel()
	for _, name := range append([]string{
		"at", "AT", "#7", "Ａｇａｉｎ", "test", "all", "me", "测试", "全部", "自己", "名单", "再发一次", "定时", "7", "notice", "status", "暂停",
	}, flagWords()...) {
		_, err := message.Parse([]byte("messages: {'" + name + "': {template_id: t, data: {thing1: {value: x}}}}"))
		for _, text := range []string{"broadcast all " + name, "群发全部 " + name, "群发测试" + name} {
			cmd := Parse(text)
			if means := cmd.Fault == "" && !cmd.Again && cmd.Message == name; err == nil && !means {
				t.Errorf("%q may be a message's name, but %s is %+v", name, text, cmd)
			}
		}
	}
	for _, word := range append([]string{"at"}, flagWords()...) {
		if _, err := message.Parse([]byte("messages: {" + word + ": {template_id: t, data: {thing1: {value: x}}}}")); err == nil {
			t.Errorf("%q may be a message's name", word)
		}
	}
}

// A message with several faults names all of them, whichever is found first.
func TestSeveralFaultsAreAllNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"群发全部 notice\n地点=x\n备注", []string{"看不懂", "\n备注", "地点：没有这个字段"}},
		{"群发全部 notice 定时 明天\n地点=x\n备注", []string{"\n备注", "没有写几点", "地点：没有这个字段"}},
		{"群发全部 notice 定时 明天\n地点=x", []string{"没有写几点", "地点：没有这个字段"}},
		{"群发全部 没有 定时\n地点=x", []string{"缺少时间", "没有名为「没有」的消息"}},
		{"群发其余 #7 没有 定时\n地点=x", []string{"缺少时间", "没有名为「没有」的消息"}},
		{"消息 设置 坏\n模板=2\n地点=x\n备注", []string{"\n备注", "「坏」没有保存", "地点：没有这个字段"}},
		{"消息 设置 坏\n备注", []string{"\n备注"}},
	} {
		s := newStage(t, "zh")
		s.templates = accountTemplates()
		wantAll(t, s.ask(t, admin, tt.text), tt.want...)
		if strings.Contains(strings.Join(s.calls, "\n"), "ask ") {
			t.Errorf("%q was carried out: %v", tt.text, s.calls)
		}
		if kept, err := s.store.Messages(t.Context()); err != nil || len(kept) != 0 {
			t.Errorf("%q was kept: %v, %v", tt.text, kept, err)
		}
	}
}

// A name as long as a chat message leaves room for what is wrong with it.
func TestTheReasonStandsBesideALongName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长", 650)
	for text, want := range map[string]string{
		"消息 设置 " + long + "\n复制=notice":     "最多 64 个字",
		"群发全部 " + long + " 定时 明天":           "birthday",
		"消息 删除 " + long:                     "birthday",
		"群发全部 notice 定时 明天\n" + long + "=x": "没有这个字段",
	} {
		s := newStage(t, "zh")
		s.templates = accountTemplates()
		wantAll(t, s.ask(t, admin, text), want)
	}
}
