package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a format prints is what Go's fmt prints, wherever that has no complaint.
func TestPrintfIsThatOfGo(t *testing.T) {
	t.Parallel()
	args := []any{7, "图书馆", 2.5, -3, true, sampleVars().Now, []string{"a"}}
	for _, format := range []string{
		"%d", "%[1]d", "%5d|%-5d|%05[1]d", "%[2]s", "%[2]q", "%x", "%[2]x", "% x", "%+d", "%[3]f", "%[3].2f", "%[3]8.3f", "%[3]e", "%[3]g",
		"%[1]*[4]d", "%[4]*[1]d", "%[4]*[2]s", "%.[1]*[3]f", "%[1]*.[1]*[3]f", "%[5]t", "%[5]v", "%v %v %v %v %v %v %v", "%[6]v", "%[7]v", "%[7]q",
		"%%", "%5%", "100%% %[1]d", "%[1]d%[2]s%d", "%[1]c", "%[1]b", "%[1]o", "%#[1]x", "%U", "%[2]T", "%[3].f", "%[2].2s", "%[2]5.1s", "%-[4]*[1]d",
		"", "no directive", "%[1]v", "%[6]s", "%d %s %g %d %t %s %s",
		"%z", "%", "%[", "%[0]d", "%[9]d", "%[x]d", "%[2]d", "%s", "%[1]5d", "%[1].2f", "%[2]*d", "%d", "%!", "%.", "%.*", "%100", "%-", "%[1]",
	} {
		want := fmt.Sprintf(format, args...)
		got, err := printf(format, args...)
		if wrong := strings.Contains(want, "%!"); wrong != (err != nil) || !wrong && got != want {
			t.Errorf("%q prints %q, %v; Go prints %q", format, got, err, want)
		}
	}
	for _, args := range [][]any{{}, {"a"}, {"a", "b"}, {1, 2}, {1, "a", 2, 3}, {nil, 1}, {"", 1, ""}} {
		if got, err := printAll(false, args); err != nil || got != fmt.Sprint(args...) {
			t.Errorf("%v prints %q, %v", args, got, err)
		}
		if got, err := printAll(true, args); err != nil || got+"\n" != fmt.Sprintln(args...) {
			t.Errorf("%v prints %q, %v", args, got, err)
		}
	}
}

// A few kilobytes of aliases must not stand for hours of work.
func TestAliasesAreBounded(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("messages:\n  a: &a\n    template_id: t\n    data: &d\n")
	for i := range 100 {
		fmt.Fprintf(&file, "      k%d: {value: '{{if printf %q .Now.Year}}x{{end}}'}\n", i, strings.Repeat("%[1]d", 200))
	}
	for i := range 900 {
		fmt.Fprintf(&file, "  m%d: *a\n", i)
	}
	_, err := ParseMessages([]byte(file.String()))
	if err == nil || !strings.Contains(err.Error(), "aliases") {
		t.Errorf("got %.200v", err)
	}
	file.Reset()
	file.WriteString("messages:\n")
	for i := range 20_000 {
		fmt.Fprintf(&file, "  m%d: {template_id: t, data: {x: {value: v}}}\n", i)
	}
	_, err = ParseMessages([]byte(file.String()))
	if err == nil || !strings.Contains(err.Error(), "more than 1000 keys") {
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
		_, err := ParseMessages([]byte(file))
		if err == nil {
			t.Errorf("%q is a message file", file)
		} else if strings.Contains(err.Error(), s) {
			t.Errorf("%q: %v", file, err)
		}
	}
}

// A proxy that can't be read would be done without, and the calls would come
// from an address that the platform doesn't know.
func TestProxyIsChecked(t *testing.T) {
	t.Parallel()
	const s = leakSecret
	for _, value := range []string{
		"proxy.example:port", "http://u:" + s + "@proxy.example:99999", "http://u:" + s + "@proxy.example:x", "http://u:" + s + "#x@proxy.example:3128",
		"http://u:" + s + "/x@proxy.example:3128", "http://u:%zz" + s + "@proxy.example", "http:/proxy.example:3128", "htp://u:" + s + "@proxy.example", "http://",
		"://proxy", "socks4://u:" + s + "@proxy.example", "http://proxy.example/" + s, "http://proxy.example?" + s, "  ", " http://proxy.example", "http://proxy.example\n", "http://proxy example:1", "http://:3128", "ftp://proxy.example", "proxy.example:3128:1",
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
			_, err := load(t, "", with(map[string]string{name: value}))
			if err == nil {
				t.Errorf("%s=%q is taken", name, value)
				continue
			}
			if diff := cmp.Diff([]string{name}, faultKeys(t, err)); diff != "" {
				t.Errorf("%q: %s", value, diff)
			}
			if !strings.Contains(err.Error(), "give http://host:port") {
				t.Errorf("%q: no remedy in %v", value, err)
			}
			assertSilent(t, name, err.Error())
		}
	}
	for _, value := range []string{
		"", "proxy.example", "proxy.example:3128", "http://proxy.example:3128/", "HTTP://u:p%23@proxy.example", "u:p@proxy.example:3128",
		"https://proxy.example", "socks5://proxy.example:1080", "socks5h://u:p@[::1]:1080",
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
			if got := mustLoad(t, "", with(map[string]string{name: value})); len(got.Warnings) > 0 {
				t.Errorf("%s=%q: %v", name, value, got.Warnings)
			}
		}
	}
	// net/http reads the small letters only without the large.
	mustLoad(t, "", with(map[string]string{"HTTPS_PROXY": "proxy.example", "https_proxy": "http://"}))

	for _, name := range []string{"ALL_PROXY", "all_proxy"} {
		got := mustLoad(t, "", with(map[string]string{name: "http://u:" + s + "@proxy.example"}))
		if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], name+" is not used") {
			t.Errorf("%s: %q", name, got.Warnings)
		}
		assertSilent(t, name, strings.Join(got.Warnings, "\n"))
		if got := mustLoad(t, "", with(map[string]string{name: "x", "https_proxy": "proxy.example"})); len(got.Warnings) > 0 {
			t.Errorf("%s beside https_proxy: %q", name, got.Warnings)
		}
	}
}
