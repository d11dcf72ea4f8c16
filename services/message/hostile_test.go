package message

import (
	"fmt"
	"strings"
	"testing"
)

// A few kilobytes of aliases must not stand for hours of work.
func TestAliasesAreBounded(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("messages:\n  a: &a\n    template_id: t\n    data: &d\n")
	for i := range 100 { // what an alias stands for counts by its length, whatever it is
		fmt.Fprintf(&file, "      k%d: {value: '%s'}\n", i, strings.Repeat("x", 1000))
	}
	for i := range 900 {
		fmt.Fprintf(&file, "  m%d: *a\n", i)
	}
	_, err := Parse([]byte(file.String()))
	if err == nil || !strings.Contains(err.Error(), "aliases") {
		t.Errorf("got %.200v", err)
	}
	file.Reset()
	file.WriteString("messages:\n")
	for i := range 20_000 {
		fmt.Fprintf(&file, "  m%d: {template_id: t, data: {x: {value: v}}}\n", i)
	}
	_, err = Parse([]byte(file.String()))
	if err == nil || !strings.Contains(err.Error(), "more than 1,000 keys") {
		t.Errorf("got %.200v", err)
	}
}

// MESSAGES_FILE may name any file by mistake. What stands in it is in no error:
// errors go to chats and logs.
func TestNothingOfAForeignFileIsTold(t *testing.T) {
	t.Parallel()
	const s = "hunter2"
	for _, file := range []string{
		"root:" + s + ":19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n",
		s, s + ":\n", s + ": " + s, "'" + s + "': x\n'" + s + "': y", "- " + s, "[" + s, "{" + s, "{" + s + ": ", "*" + s, "&" + s + " x: *" + s + "y",
		"a: *" + s, "a: 'x" + s, "a: \"" + s + "\\q\"", "`" + s + "`", "@" + s, "%" + s + " x", "%TAG ! " + s, "!" + s + " x: y", "!!" + s + " x", "a: !!int " + s,
		"a: !!float '" + s + "'", "!!binary " + s + ": x", "a: b\n " + s + ": c: d", "\t" + s, s + "\n\x00", "password = " + s + "\n", "export X=" + s + "\nY='" + s,
		"-----BEGIN PRIVATE KEY-----\n" + s + "\n-----END PRIVATE KEY-----\n", `{"auths":{"x":{"auth":"` + s + `"}}}`, `{"private_key":"` + s + `","` + s + `":1}`,
		"wechat_app_secret: " + s + "\n" + s + ": x\ndefault: " + s, "default: " + s + "\n", "machine x\nlogin y\npassword " + s, "a: b\n---\n" + s + ": x",
		"<<: " + s, "? " + s + "\n? [" + s + "]", "messsages: " + s + "\n" + s + ": x",
	} {
		_, err := Parse([]byte(file))
		if err == nil {
			t.Errorf("%q is a message file", file)
		} else if strings.Contains(err.Error(), s) {
			t.Errorf("%q: %v", file, err)
		}
	}
}
