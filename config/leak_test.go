package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const (
	leakSecret = "appSecretLeaks"
	leakToken  = "tokenLeaks"
	leakKey    = "aesKeyLeaksAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	leakMySQL  = "mysqlLeaks"
	leakRedis  = "redisLeaks"
	leakHook   = "webhookSecretLeaks"
	leakOpenID = "oLeaks4567890123456789012345"
)

// assertSilent fails if text holds anything that must not be printed, in the
// clear or in hex.
func assertSilent(tb testing.TB, where, text string) {
	tb.Helper()
	for _, secret := range []string{leakSecret, leakToken, leakKey[:43], leakMySQL, leakRedis, leakHook, leakOpenID} {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret)} {
			if strings.Contains(text, form) {
				tb.Errorf("%s prints a secret: %s", where, text)
			}
		}
	}
}

func leakySettings(tb testing.TB) alone {
	tb.Helper()
	return mustLoad(tb, "", map[string]string{
		"WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": leakSecret, "WECHAT_TOKEN": leakToken,
		"WECHAT_ENCODING_AES_KEY": leakKey[:43], "DATABASE_URL": "mysql://u:" + leakMySQL + "@h/n",
		"REDIS_URL": "redis://u:" + leakRedis + "@h:6379/1?password=" + leakRedis, "ADMIN_OPENIDS": leakOpenID,
		"WEBHOOK_URL": "https://crm.example.com/x?key=" + leakHook, "WEBHOOK_SECRET": leakHook,
	})
}

func TestSettingsPrintNoSecret(t *testing.T) {
	t.Parallel()
	s := leakySettings(t)
	values := map[string]any{
		"pointer": s.Settings, "value": *s.Settings, "in a slice": []any{*s.Settings}, "database": s.Database, "database pointer": &s.Database,
		"secret": s.Token, "secret pointer": &s.Token, "redis": s.RedisURL,
		"the process's": s.Process, "the account's": s.Account, "OpenIDs": s.AdminOpenIDs,
		"in a struct": struct {
			S Settings
			T Secret
			D Database
		}{*s.Settings, s.Token, s.Database},
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "% x", "%10s"} {
			assertSilent(t, name+" "+verb, fmt.Sprintf(verb, value))
		}
		assertSilent(t, name+" Sprint", fmt.Sprint(value))
		text, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		assertSilent(t, name+" json", string(text))
		for format, handler := range map[string]func(*bytes.Buffer) slog.Handler{
			"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var out bytes.Buffer
			slog.New(handler(&out)).InfoContext(t.Context(), "started", "settings", value)
			assertSilent(t, name+" slog "+format, out.String())
		}
	}
	for _, pair := range s.Settings.Masked() {
		assertSilent(t, "Masked", pair[0]+"="+pair[1])
	}
	text, err := yaml.Marshal(map[string]any{"s": s.Token, "d": s.Database})
	if err != nil {
		t.Fatal(err)
	}
	assertSilent(t, "yaml", string(text))
}

func TestMaskedShowsTheRest(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for _, pair := range leakySettings(t).Settings.Masked() {
		got[pair[0]] = pair[1]
	}
	want := map[string]string{
		"LISTEN_ADDR": "127.0.0.1:8080", "METRICS_ADDR": "", "WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": "***", "WECHAT_TOKEN": "***",
		"WECHAT_ENCODING_AES_KEY": "***", "WECHAT_API_BASE_URL": "https://api.weixin.qq.com",
		"DATABASE_URL": "mysql://u:***@h:3306/n", "REDIS_URL": "redis://***@h:6379/1", "ADMIN_OPENIDS": "oLea…45",
		"MESSAGES_FILE": "messages.yaml", "SEND_CONCURRENCY": "64", "SEND_RATE": "100", "UNDO_WINDOW": "10s",
		"APPROVALS": "0", "REQUIRE_TEST": "false", "QUOTA_RESET": "00:00", "CANARY": "1%", "QUIET_HOURS": "", "MAX_PER_FOLLOWER": "", "RETENTION": "", "WELCOME": "", "UNKNOWN_TEXT": "hint",
		"WEBHOOK_URL": "https://crm.example.com/x?***", "WEBHOOK_SECRET": "***",
		"LANGUAGE": "zh", "PUBLIC_URL": "", "LOG_LEVEL": "info", "LOG_FORMAT": "text",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, err := json.Marshal(leakySettings(t).Settings)
	if err != nil {
		t.Fatal(err)
	}
	decoded := map[string]string{}
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, decoded); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func TestEmptySecretShowsAsEmpty(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprintf("[%v]", Secret("")); got != "[]" {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprintf("%v", Database{Driver: MySQL, DSN: leakMySQL}); got != "mysql://***" {
		t.Errorf("a DSN that cannot be read prints as %s", got)
	}
}

func TestFaultsPrintNoSecret(t *testing.T) {
	t.Parallel()
	files := []string{
		"wechat_token: *" + leakToken,
		"wechat_token: &" + leakToken + " *" + leakSecret,
		"wechat_token: '" + leakToken,
		"wechat_token: \"" + leakToken + "\\q\"",
		"wechat_token: [" + leakToken,
		"wechat_token: {" + leakToken + ": x",
		"wechat_token: @" + leakToken,
		"wechat_token: %" + leakToken,
		"wechat_token: `" + leakToken + "`",
		"wechat_token: !x!" + leakToken + " y",
		"wechat_token: " + leakToken + ": x",
		"wechat_token: [" + leakToken + "]",
		"wechat_token: |\n" + leakToken,
		"wechat_tokn: " + leakToken,
		"wechat_token: " + leakToken + "\nwechat: {token: " + leakToken + "}",
		"webhook_secret: [" + leakHook + "]",
		"redis_url: \"redis://" + leakRedis + "\"\nadmin_openids: ['" + leakOpenID + " x']",
	}
	for _, file := range files {
		_, err := load(t, file, map[string]string{"WECHAT_APP_ID": "wx1"})
		if err == nil {
			t.Errorf("%q accepted", file)
			continue
		}
		assertSilent(t, file, err.Error())
	}
	for _, o := range options {
		for _, value := range []string{
			leakToken + " x", "x://" + leakToken + " x", "mysql://u:" + leakMySQL + "@h", "mysql://u:%zz" + leakMySQL + "@h/n",
			"redis://u:" + leakRedis + "@h/x", "redis://u:" + leakRedis + "%zz@h", "https://u:" + leakRedis + "@h", leakKey + leakKey,
			leakOpenID + " " + leakOpenID, leakOpenID + "," + leakOpenID + "中",
		} {
			// A setting that is no secret may repeat what stands there.
			if !o.secret && o.name != "ADMIN_OPENIDS" && o.name != "WECHAT_API_BASE_URL" && o.name != "PUBLIC_URL" {
				continue
			}
			_, err := load(t, "", with(map[string]string{o.name: value}))
			if err != nil {
				assertSilent(t, o.name, err.Error())
			}
		}
	}
}
