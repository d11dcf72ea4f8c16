package e2e

import (
	"os"
	"strings"
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
		{`.Now.Format "2006年1月2日 15:04"`, ".Fields.town", "「notice」的内容填不上，没有发送：time2（.Fields.town）：这位收件人没有这个值"},
		{`{{.Now.Format "2006年1月2日 15:04"}}`, "soon", "「notice」的内容填不上，没有发送：time2 不符合 time 类字段的格式"},
		{"default: notice", "default: [", "不是合法的 YAML"},
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
