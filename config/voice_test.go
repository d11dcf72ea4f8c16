package config

import (
	"strings"
	"testing"
)

func TestWelcome(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, file, env, want string }{
		{"a line", "", "欢迎关注", "欢迎关注"},
		{"a variable with a new line", "", "欢迎\n关注", "欢迎\n关注"},
		{"a variable with its sign", "", `欢迎\n关注`, "欢迎\n关注"},
		{"lines of the file", "welcome: |\n  欢迎\n\n  关注\n", "", "欢迎\n\n关注"},
		{"the longest", "", strings.Repeat("欢", 682), strings.Repeat("欢", 682)},
	} {
		if got := mustLoad(t, tt.file, with(map[string]string{"WELCOME": tt.env})).Welcome; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	for _, tt := range []struct{ name, value, problem string }{
		{"too long", strings.Repeat("欢", 683), "2,049 bytes"},
		{"a control character", "a\x07b", "no message can carry"},
		{"broken", "a\xffb", "no message can carry"},
	} {
		_, err := load(t, "", with(map[string]string{"LANGUAGE": "en", "WELCOME": tt.value}))
		if err == nil || !strings.Contains(err.Error(), "WELCOME: ") || !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestUnknownText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ value, want string }{
		{"", "hint"},
		{"HINT", "hint"},
		{"silent", "silent"},
		{"customer_service", "customer_service"},
		{"https://old.example.com/wechat.php?route=a", "https://old.example.com/wechat.php?route=a"},
		{"https://10.0.0.7:8443/", "https://10.0.0.7:8443/"},
		{"http://127.0.0.1:9000/wx", "http://127.0.0.1:9000/wx"},
		{"http://127.5.5.5", "http://127.5.5.5"},
		{"http://[::1]:9000/wx", "http://[::1]:9000/wx"},
		{"http://localhost/wx", "http://localhost/wx"},
	} {
		if got := mustLoad(t, "", with(map[string]string{"UNKNOWN_TEXT": tt.value})).UnknownText; got != tt.want {
			t.Errorf("%q: %q, want %q", tt.value, got, tt.want)
		}
	}
	for _, tt := range []struct{ value, problem string }{
		{"hints", "none of hint, silent, customer_service"},
		{"old.example.com", "no URL"},
		{"http://old.example.com/wx", "not this machine"},
		{"http://127.0.0.1.example.com/wx", "not this machine"},
		{"http://10.0.0.7/wx", "not this machine"},
		{"ftp://old.example.com/wx", "starts with none of https://, http://"},
		{"https://", "names no host"},
		{"https://old.example.com:99999/", "port"},
		{"https://user:" + leakToken + "@old.example.com/", "user name or password"},
		{"https://old.example.com/#" + leakToken, "holds a #"},
		{"https://old.example.com/%zz" + leakToken, "cannot be read"},
	} {
		_, err := load(t, "", with(map[string]string{"LANGUAGE": "en", "UNKNOWN_TEXT": tt.value}))
		if err == nil || !strings.Contains(err.Error(), "UNKNOWN_TEXT: ") || !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%q: %v, want %q", tt.value, err, tt.problem)
			continue
		}
		assertSilent(t, tt.value, err.Error())
	}
}

// The query of the other server's URL may be what it is let in by.
func TestTheURLsQueryIsNotPrinted(t *testing.T) {
	t.Parallel()
	s := mustLoad(t, "", with(map[string]string{"UNKNOWN_TEXT": "https://old.example.com/wx?key=" + leakToken}))
	assertSilent(t, "settings", s.Settings.String())
	if !strings.Contains(s.Settings.String(), "https://old.example.com/wx?***") {
		t.Errorf("the rest of the URL is not printed: %s", s.Settings)
	}
}
