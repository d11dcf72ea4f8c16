package config

import (
	_ "embed"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wechat-broadcast/zone"
)

// required is the least that a start needs.
func required() map[string]string {
	return map[string]string{
		"WECHAT_APP_ID": "wx0123456789abcdef", "WECHAT_APP_SECRET": "the-app-secret", "WECHAT_TOKEN": "theToken",
	}
}

func with(more map[string]string) map[string]string {
	env := required()
	for name, value := range more {
		env[name] = value
	}
	return env
}

// load runs Load on a file's content (none if empty) and an environment.
func load(tb testing.TB, file string, env map[string]string) (*Settings, error) {
	tb.Helper()
	path := ""
	if file != "" {
		path = mustWrite(tb, "config.yaml", file)
	}
	return Load(path, path != "", lookupIn(env), environ(env))
}

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

func environ(env map[string]string) []string {
	var pairs []string
	for name, value := range env {
		pairs = append(pairs, name+"="+value)
	}
	return pairs
}

func mustWrite(tb testing.TB, name, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// alone is the settings of a program with one account.
type alone struct {
	*Settings
	Account
}

func mustLoad(tb testing.TB, file string, env map[string]string) alone {
	tb.Helper()
	s, err := load(tb, file, env)
	if err != nil {
		tb.Fatalf("Load: %v", err)
	}
	if len(s.Accounts) != 1 || s.Several() {
		tb.Fatalf("Load: %d accounts, want one without a name", len(s.Accounts))
	}
	return alone{s, s.Accounts[0]}
}

// faultKeys returns the keys of an error that must be Faults.
func faultKeys(tb testing.TB, err error) []string {
	tb.Helper()
	var faults Faults
	if !errors.As(err, &faults) {
		tb.Fatalf("error %v is not Faults", err)
	}
	keys := make([]string, len(faults))
	for i, f := range faults {
		keys[i] = f.Key
		if f.Problem == "" || f.Hint == "" {
			tb.Errorf("%s: problem %q, hint %q: both must be said", f.Key, f.Problem, f.Hint)
		}
	}
	return keys
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	want := &Settings{
		Process: Process{ListenAddr: "127.0.0.1:8080", LogLevel: slog.LevelInfo, LogFormat: "text"},
		Accounts: []Account{{
			AppID: "wx0123456789abcdef", AppSecret: "the-app-secret", Token: "theToken",
			APIBaseURL: "https://api.weixin.qq.com", Database: Database{Driver: SQLite, DSN: "data/broadcast.db"},
			MessagesFile: "messages.yaml", SendConcurrency: 64, SendRate: 100, UndoWindow: 10 * time.Second, Canary: Share{Percent: 1},
			UnknownText: "hint", Language: "zh",
		}},
	}
	got := mustLoad(t, "", required())
	if diff := cmp.Diff(want, got.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestLoadEverything(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("A", 42) + "B" // spare bits set
	got := mustLoad(t, "", with(map[string]string{
		"LISTEN_ADDR": "127.0.0.1:0", "METRICS_ADDR": "127.0.0.1:9", "WECHAT_ENCODING_AES_KEY": key, "WECHAT_API_BASE_URL": " http://127.0.0.1:9/base/ ",
		"DATABASE_URL": "sqlite:///var/lib/b.db", "REDIS_URL": "rediss://:pw@redis.example:6380/2",
		"ADMIN_OPENIDS": " oA1, oB2 ,, oA1，oC3", "MESSAGES_FILE": "m.yaml", "SEND_CONCURRENCY": "10000", "SEND_RATE": "0",
		"UNDO_WINDOW": "0s", "APPROVALS": "2", "REQUIRE_TEST": "TRUE", "QUOTA_RESET": "08:30", "CANARY": "250", "QUIET_HOURS": "22:00 - 8:00", "MAX_PER_FOLLOWER": "5/7d", "RETENTION": "90d",
		"WELCOME": `Hello\nthere`, "UNKNOWN_TEXT": "Silent", "WEBHOOK_URL": "http://[::1]:9/x?y=1", "WEBHOOK_SECRET": "0123456789abcdef", "LANGUAGE": "EN", "PUBLIC_URL": "https://p.example.com/x//",
		"LOG_LEVEL": "Debug", "LOG_FORMAT": "JSON",
	}))
	want := &Settings{
		Process: Process{
			ListenAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:9", LogLevel: slog.LevelDebug, LogFormat: "json",
		},
		Accounts: []Account{{
			AppID: "wx0123456789abcdef", AppSecret: "the-app-secret", Token: "theToken",
			EncodingAESKey: Secret(key), APIBaseURL: "http://127.0.0.1:9/base", Database: Database{Driver: SQLite, DSN: "/var/lib/b.db"},
			RedisURL:     "rediss://:pw@redis.example:6380/2",
			AdminOpenIDs: OpenIDs{"oA1", "oB2", "oC3"}, MessagesFile: "m.yaml", SendConcurrency: 10000,
			Approvals: 2, RequireTest: true,
			QuotaReset: 8*time.Hour + 30*time.Minute, Canary: Share{Number: 250}, QuietHours: zone.Hours{From: 22 * time.Hour, To: 8 * time.Hour},
			MaxPerFollower: PerTime{Count: 5, Within: 7 * 24 * time.Hour}, Retention: 90 * 24 * time.Hour, Welcome: "Hello\nthere", UnknownText: "silent",
			WebhookURL: "http://[::1]:9/x?y=1", WebhookSecret: "0123456789abcdef", Language: "en", PublicURL: "https://p.example.com/x",
		}},
	}
	if diff := cmp.Diff(want, got.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestLoadFile(t *testing.T) {
	t.Parallel()
	type check func(s alone) any
	tests := []struct {
		name string
		file string
		env  map[string]string
		get  check
		want any
	}{
		{
			"flat key", "send_rate: 7", required(),
			func(s alone) any { return s.SendRate }, 7,
		},
		{
			"any case", "Send_RATE: 7", required(),
			func(s alone) any { return s.SendRate }, 7,
		},
		{
			"nested key", "send: {rate: 7, concurrency: 9}", required(),
			func(s alone) any { return [2]int{s.SendRate, s.SendConcurrency} },
			[2]int{7, 9},
		},
		{
			"environment wins", "send_rate: 7", with(map[string]string{"SEND_RATE": "8"}),
			func(s alone) any { return s.SendRate }, 8,
		},
		{
			"empty variable is not set", "send_rate: 7", with(map[string]string{"SEND_RATE": " "}),
			func(s alone) any { return s.SendRate }, 7,
		},
		{
			"empty in the file is not set", "send_rate: ''\nsend_concurrency:", required(),
			func(s alone) any { return [2]int{s.SendRate, s.SendConcurrency} },
			[2]int{100, 64},
		},
		{
			"numbers keep their spelling", "wechat_token: 0123456\nwechat_app_secret: 1e10",
			map[string]string{"WECHAT_APP_ID": "wx1"},
			func(s alone) any { return s.Token.Reveal() + s.AppSecret.Reveal() }, "01234561e10",
		},
		{
			"list of admins", "admin_openids: [oA1, oB2]", required(),
			func(s alone) any { return s.AdminOpenIDs },
			OpenIDs{"oA1", "oB2"},
		},
		{
			"admins as text", "admin_openids: oA1,oB2", required(),
			func(s alone) any { return s.AdminOpenIDs },
			OpenIDs{"oA1", "oB2"},
		},
		{
			"time of day", "quota_reset: 16:00", required(),
			func(s alone) any { return s.QuotaReset }, 16 * time.Hour,
		},
		{
			"locale does not override the file", "language: en", with(map[string]string{"LANGUAGE": "zh_CN:zh"}),
			func(s alone) any { return s.Language }, "en",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, tt.get(mustLoad(t, tt.file, tt.env))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadMissingFile(t *testing.T) {
	t.Parallel()
	absent := filepath.Join(t.TempDir(), "config.yaml")
	if _, err := Load(absent, false, lookupIn(required()), nil); err != nil {
		t.Errorf("default file absent: %v", err)
	}
	_, err := Load(absent, true, lookupIn(required()), nil)
	if diff := cmp.Diff([]string{"--config"}, faultKeys(t, err)); diff != "" {
		t.Errorf("named file absent: faults (-want +got):\n%s", diff)
	}
}

func TestLoadAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, "send_rat: 1\nsend_concurrency: many\n", map[string]string{"UNDO_WINDOW": "10", "LANGUAGE": "en"})
	want := []string{"SEND_RAT", "WECHAT_APP_ID", "WECHAT_APP_SECRET", "WECHAT_TOKEN", "SEND_CONCURRENCY", "UNDO_WINDOW"}
	if diff := cmp.Diff(want, faultKeys(t, err), cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	text := err.Error()
	if lines := strings.Split(text, "\n"); len(lines) != len(want) {
		t.Errorf("%d lines for %d faults:\n%s", len(lines), len(want), text)
	}
	for _, hint := range []string{"did you mean SEND_RATE?", "config.yaml:1", `"many" is not a whole number (config.yaml:2)`, "its unit"} {
		if !strings.Contains(text, hint) {
			t.Errorf("no %q in:\n%s", hint, text)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ key, value string }{
		{"LISTEN_ADDR", "8080"},
		{"LISTEN_ADDR", ":"},
		{"LISTEN_ADDR", ":65536"},
		{"LISTEN_ADDR", ":http"},
		{"LISTEN_ADDR", "http://x:80"},
		{"WECHAT_APP_ID", "wx 1"},
		{"WECHAT_APP_SECRET", "a\u00a0b"},
		{"WECHAT_TOKEN", "two words"},
		{"WECHAT_ENCODING_AES_KEY", strings.Repeat("A", 42)},
		{"WECHAT_ENCODING_AES_KEY", strings.Repeat("A", 43) + "="},
		{"WECHAT_ENCODING_AES_KEY", strings.Repeat("A", 42) + "-"},
		{"WECHAT_ENCODING_AES_KEY", strings.Repeat("A", 42) + "="},
		{"WECHAT_API_BASE_URL", "api.weixin.qq.com"},
		{"WECHAT_API_BASE_URL", "ftp://api.weixin.qq.com"},
		{"WECHAT_API_BASE_URL", "https://"},
		{"WECHAT_API_BASE_URL", "https://u:p@h"},
		{"WECHAT_API_BASE_URL", "https://h:99999"},
		{"WECHAT_API_BASE_URL", "https://h/?a=b"},
		{"WECHAT_API_BASE_URL", "https://h/#"},
		{"PUBLIC_URL", "push.example.com"},
		{"DATABASE_URL", "data/broadcast.db"},
		{"DATABASE_URL", "postgres://u:p@h/n"},
		{"REDIS_URL", "localhost:6379"},
		{"REDIS_URL", "http://h"},
		{"REDIS_URL", "redis://"},
		{"REDIS_URL", "redis://h/queue"},
		{"REDIS_URL", "redis://h:0"},
		{"ADMIN_OPENIDS", "oA1,o B2"},
		{"ADMIN_OPENIDS", strings.Repeat("o", 129)},
		{"SEND_CONCURRENCY", "0"},
		{"SEND_CONCURRENCY", "10001"},
		{"SEND_CONCURRENCY", "6.5"},
		{"SEND_RATE", "-1"},
		{"SEND_RATE", "100/s"},
		{"UNDO_WINDOW", "-1s"},
		{"UNDO_WINDOW", "25h"},
		{"UNDO_WINDOW", "10"},
		{"APPROVALS", "11"},
		{"APPROVALS", "-1"},
		{"APPROVALS", "two"},
		{"REQUIRE_TEST", "yes"},
		{"QUOTA_RESET", "24:00"},
		{"QUOTA_RESET", "8"},
		{"CANARY", "0"},
		{"CANARY", "-5"},
		{"CANARY", "100001"},
		{"CANARY", "1.5"},
		{"CANARY", "few"},
		{"CANARY", "%"},
		{"CANARY", "0%"},
		{"CANARY", "NaN%"},
		{"CANARY", "51%"},
		{"QUIET_HOURS", "night"},
		{"QUIET_HOURS", "22:00"},
		{"QUIET_HOURS", "22:00-24:00"},
		{"QUIET_HOURS", "22-8"},
		{"QUIET_HOURS", "00:00-00:00"},
		{"QUIET_HOURS", "8:00-08:00"},
		{"MAX_PER_FOLLOWER", "3"},
		{"MAX_PER_FOLLOWER", "3/"},
		{"MAX_PER_FOLLOWER", "/24h"},
		{"MAX_PER_FOLLOWER", "0/24h"},
		{"MAX_PER_FOLLOWER", "-1/24h"},
		{"MAX_PER_FOLLOWER", "1.5/24h"},
		{"MAX_PER_FOLLOWER", "1001/24h"},
		{"MAX_PER_FOLLOWER", "3/day"},
		{"MAX_PER_FOLLOWER", "3/24"},
		{"MAX_PER_FOLLOWER", "3/0h"},
		{"MAX_PER_FOLLOWER", "3/-24h"},
		{"MAX_PER_FOLLOWER", "3/30s"},
		{"MAX_PER_FOLLOWER", "3/366d"},
		{"MAX_PER_FOLLOWER", "3/1e300d"},
		{"MAX_PER_FOLLOWER", "3/NaNd"},
		{"RETENTION", "90"},
		{"RETENTION", "0"},
		{"RETENTION", "-90d"},
		{"RETENTION", "1d"},
		{"RETENTION", "47h59m"},
		{"RETENTION", "3651d"},
		{"RETENTION", "never"},
		{"LANGUAGE", "de"},
		{"LOG_LEVEL", "trace"},
		{"LOG_LEVEL", "info+2"},
		{"LOG_FORMAT", "xml"},
		{"WELCOME", "a\x07b"},
		{"WELCOME", strings.Repeat("欢", 683)},
		{"UNKNOWN_TEXT", "hints"},
		{"UNKNOWN_TEXT", "http://old.example.com/wx"},
	}
	for _, tt := range tests {
		t.Run(tt.key+"="+tt.value, func(t *testing.T) {
			t.Parallel()
			inBothLanguages(t, []string{tt.key}, func(language string) error {
				_, err := load(t, "", with(map[string]string{"LANGUAGE": language, tt.key: tt.value}))
				return err
			})
		})
	}
}

func TestLoadRefusesFile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string
		want       []string
	}{
		{"not YAML", "a: b: c", []string{"config.yaml"}},
		{"a list", "- a", []string{"config.yaml"}},
		{"two documents", "send_rate: 1\n---\nsend_rate: 2", []string{"config.yaml"}},
		{"twice", "send_rate: 1\nSEND_RATE: 2", []string{"SEND_RATE"}},
		{"twice, nested", "send_rate: 1\nsend: {rate: 2}", []string{"SEND_RATE"}},
		{"list for one value", "send_rate: [1, 2]", []string{"SEND_RATE"}},
		{"list of lists", "admin_openids: [[oA]]", []string{"ADMIN_OPENIDS"}},
		{"below a value", "wechat_app_id: {name: x}", []string{"WECHAT_APP_ID_NAME"}},
		{"alias", "send_rate: &a 1\nsend_concurrency: *a", []string{"SEND_CONCURRENCY"}},
		{"an alias to itself", "send: &a {rate: *a}", []string{"SEND_RATE"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBothLanguages(t, tt.want, func(language string) error {
				_, err := load(t, tt.file, with(map[string]string{"LANGUAGE": language}))
				return err
			})
		})
	}
}

func TestLoadSecretFiles(t *testing.T) {
	t.Parallel()
	named := mustWrite(t, "token", "fromFile\r\n")
	empty := mustWrite(t, "empty", "\n")
	absent := filepath.Join(t.TempDir(), "absent")
	const fileBase = "wechat_app_id: wx1\nwechat_app_secret: s\n"
	tests := []struct {
		name, file string
		env        map[string]string
		want       string
		faults     []string
	}{
		{"environment", fileBase, map[string]string{"WECHAT_TOKEN_FILE": named}, "fromFile", nil},
		{"settings file", fileBase + "wechat_token_file: " + named, nil, "fromFile", nil},
		{"environment's file over the file's value", fileBase + "wechat_token: x", map[string]string{"WECHAT_TOKEN_FILE": named}, "fromFile", nil},
		{"environment's value over the file's file", fileBase + "wechat_token_file: " + absent, map[string]string{"WECHAT_TOKEN": "x"}, "x", nil},
		{"both", fileBase, map[string]string{"WECHAT_TOKEN_FILE": named, "WECHAT_TOKEN": "x"}, "", []string{"WECHAT_TOKEN"}},
		{"absent", fileBase, map[string]string{"WECHAT_TOKEN_FILE": absent}, "", []string{"WECHAT_TOKEN_FILE"}},
		{"empty", fileBase, map[string]string{"WECHAT_TOKEN_FILE": empty}, "", []string{"WECHAT_TOKEN_FILE"}},
		{"none for what is no secret", fileBase + "wechat_token: x\nsend_rate_file: " + named, nil, "", []string{"SEND_RATE_FILE"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := load(t, tt.file, tt.env)
			if tt.faults != nil {
				if err == nil {
					t.Fatal("accepted")
				}
				if diff := cmp.Diff(tt.faults, faultKeys(t, err)); diff != "" {
					t.Errorf("faults (-want +got):\n%s", diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Accounts[0].Token.Reveal(); got != tt.want {
				t.Errorf("token %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLoadSecretFilesForEverySecret(t *testing.T) {
	t.Parallel()
	env := map[string]string{"WECHAT_APP_ID": "wx1"}
	for name, content := range map[string]string{
		"WECHAT_APP_SECRET": "s1", "WECHAT_TOKEN": "t12", "WECHAT_ENCODING_AES_KEY": strings.Repeat("A", 43),
		"DATABASE_URL": "sqlite://x.db", "REDIS_URL": "redis://h",
	} {
		env[name+"_FILE"] = mustWrite(t, name, content+"\n")
	}
	s := mustLoad(t, "", env)
	got := []string{s.AppSecret.Reveal(), s.Token.Reveal(), s.EncodingAESKey.Reveal(), s.Database.DSN, s.RedisURL.Reveal()}
	if diff := cmp.Diff([]string{"s1", "t12", strings.Repeat("A", 43), "x.db", "redis://h"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoadWarnings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, value string
		want        string // part of the only warning; empty for none
	}{
		{"WECHAT_APPID", "x", "did you mean WECHAT_APP_ID?"},
		{"WECHAT_TOKEN_FIL", "x", "did you mean WECHAT_TOKEN_FILE?"},
		{"SEND_SOMETHING_ELSE", "x", "SEND_SOMETHING_ELSE is not a setting"},
		{"DATABASE_URI", "x", "did you mean DATABASE_URL?"},
		{"LOG_LEVL", "x", "did you mean LOG_LEVEL?"},
		{"LANGUAGE", "en_US:en", "LANGUAGE=en_US:en"},
		{"WECHAT_TOKEN", "not-alphanumeric", "3 to 32 letters and digits"},
		{"WECHAT_BROADCAST_PORT_8080_TCP", "x", ""},
		{"REDIS_SERVICE_HOST", "x", ""},
		{"LANG", "x", ""},
		{"PATH", "x", ""},
		{"HOME", "x", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := mustLoad(t, "", with(map[string]string{tt.name: tt.value})).Warnings
			if tt.want == "" {
				if len(got) > 0 {
					t.Errorf("warnings %q, want none", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("warnings %q, want one with %q", got, tt.want)
			}
		})
	}
}

//go:embed config.example.yaml
var exampleConfig string

func TestExampleConfig(t *testing.T) {
	t.Parallel()
	got := mustLoad(t, exampleConfig, nil)
	defaults := mustLoad(t, "", required())
	ignore := cmpopts.IgnoreFields(Account{}, "AppID", "AppSecret", "Token", "AdminOpenIDs")
	if diff := cmp.Diff(defaults.Settings, got.Settings, ignore); diff != "" {
		t.Errorf("the example differs from the defaults (-default +example):\n%s", diff)
	}
	for _, o := range options {
		if !strings.Contains(exampleConfig, strings.ToLower(o.name)+":") {
			t.Errorf("the example does not show %s", o.name)
		}
	}
	// What is commented out is the default: with all of it in force nothing changes.
	whole := strings.NewReplacer("# public_url: https://push.example.com", "", "# wechat_", "wechat_", "# listen_", "listen_",
		"# database_", "database_", "# redis_", "redis_", "# messages_", "messages_", "# send_", "send_", "# undo_", "undo_",
		"# quota_", "quota_", "# language:", "language:", "# log_", "log_").Replace(exampleConfig)
	if diff := cmp.Diff(got.Settings, mustLoad(t, whole, nil).Settings); diff != "" {
		t.Errorf("a commented line is not the default (-example +uncommented):\n%s", diff)
	}
}
