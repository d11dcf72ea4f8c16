package e2e

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// What is wrong with a message is told in the chat's language, and nothing is
// sent.
func TestFaultyMessagesInChinese(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "--followers", "3")
	s := startServer(t, p, sqlite(t).url, settings{"LANGUAGE": "zh"})
	for _, test := range []struct{ old, broken, want string }{
		{"thing1: {value", "thing1: {valeu", "messages.notice.data.thing1.valeu（第 7 行）：没有这个键；是不是想写 value？"},
		{`.Now.Format "2006年1月2日 15:04"`, ".Fields.town", "没有发送：消息「notice」的内容填不完整。通知时间（.Fields.town）：只有带这个字段的名单才有值：请发给这样的名单（用「名单」查看），或者从消息里删去它"},
		{`{{.Now.Format "2006年1月2日 15:04"}}`, "soon", "没有发送：消息「notice」的内容填不完整。通知时间 要写成日期或时间，例如 2026年11月26日 09:00"},
		{"default: notice", "default: [", "文件格式（YAML）不对"},
	} {
		broken := strings.Replace(messagesFile, test.old, test.broken, 1)
		if err := os.WriteFile(s.env["MESSAGES_FILE"], []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := p.say(admin, "群发全部"); !strings.Contains(got, test.want) {
			t.Errorf("with %q the reply is\n%s\nand not\n%s", test.broken, got, test.want)
		}
	}
	if got := p.say(admin, "群发记录"); got != "还没有群发过。" {
		t.Errorf("the broadcasts are\n%s", got)
	}
}

// MESSAGES_FILE may name any file by mistake. Neither a reply nor the log has a
// word of it, and none keeps the program from answering.
func TestForeignMessagesFile(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "--followers", "3")
	s := startServer(t, p, sqlite(t).url, settings{"LANGUAGE": "zh"})
	path := s.env["MESSAGES_FILE"]
	write := func(text string) func() error {
		return func() error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	for name, test := range map[string]struct {
		put  func() error
		want string
	}{
		"accounts":     {write("root:" + secretOne + ":19000:0:99999:7:::\ndaemon:*:19000:::::\n"), "messages（第 1 行）：缺少这一项"},
		"settings":     {write("wechat_app_secret: " + secretOne + "\n" + secretTwo + ": x\n"), "messages（第 1 行）：缺少这一项"},
		"a broken one": {write("a: b\nc: *" + secretOne + "\n"), "文件格式（YAML）不对"},
		"a long one":   {write(strings.Repeat(secretOne+"\n", 1<<16)), path + " 超过 1,048,576 字节"},
		"a bomb":       {write(strings.Replace(messagesFile, "图书馆周三闭馆", `{{printf \"`+strings.Repeat("%1000000[1]d", 330)+`\" 1}}`, 1)), "宽度或精度超过 100"},
		"a pipe":       {func() error { return syscall.Mkfifo(path, 0o600) }, path + " 不是普通文件"},
		"a device":     {func() error { return os.Symlink("/dev/zero", path) }, path + " 不是普通文件"},
		"a folder":     {func() error { return os.Mkdir(path, 0o700) }, path + " 不是普通文件"},
	} {
		if err := errors.Join(os.Remove(path), test.put()); err != nil {
			t.Fatal(err)
		}
		for _, asked := range []string{"群发全部", "消息"} {
			got := p.say(admin, asked)
			if !strings.Contains(got, test.want) {
				t.Errorf("%s: the reply to %s is\n%s\nand not\n%s", name, asked, got, test.want)
			}
			for _, secret := range []string{secretOne, secretTwo} {
				if strings.Contains(got+s.log.text(0), secret) {
					t.Errorf("%s: the reply or the log repeats the file", name)
				}
			}
		}
	}
	if got := p.say(admin, "群发记录"); got != "还没有群发过。" {
		t.Errorf("the broadcasts are\n%s", got)
	}
}
