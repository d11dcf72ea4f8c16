package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wechat-broadcast/services/followers"
)

// runIn runs a command line in an empty folder that has this settings file, if any.
func runIn(t *testing.T, file string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if file != "" {
		if err := os.WriteFile(defaultConfig, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs logText // the log and a progress bar write at once
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// The help, and what is wrong with a command line, speak the language of the settings.
func TestTheCommandLineSpeaksTheLanguageOfTheSettings(t *testing.T) {
	tests := map[string]struct {
		language, file string
		args           []string
		code           int
		want           []string
	}{
		"help":                              {"", "", []string{"--help"}, exitOK, []string{"用法：wechat-broadcast", "选项：\n", "显示这份说明。", "指令：\n", "同步一次关注者名单。", "wechat-broadcast <指令> --help"}},
		"help in English":                   {"en", "", []string{"--help"}, exitOK, []string{"Usage: wechat-broadcast", "Flags:\n", "Show context-sensitive help.", "Commands:\n", "Sync the follower list once.", "<command> --help"}},
		"help of a command":                 {"", "", []string{"demo", "--help"}, exitOK, []string{"用法：wechat-broadcast demo", "模拟的公众号有多少关注者。"}},
		"the file's language":               {"", "language: en", []string{"--help"}, exitOK, []string{"Usage: "}},
		"the file's, with other faults":     {"", "language: en\nsend_rat: 1", []string{"--help"}, exitOK, []string{"Usage: "}},
		"the environment's over the file's": {"zh", "language: en", []string{"--help"}, exitOK, []string{"用法："}},
		"a language that does not exist":    {"fr", "", []string{"--help"}, exitOK, []string{"用法："}},
		"an unknown flag":                   {"", "", []string{"serve", "--colour=red"}, exitUsage, []string{"没有选项 --colour\n可用的写法：wechat-broadcast --help\n"}},
		"an unknown flag in English":        {"en", "", []string{"serve", "--colour=red"}, exitUsage, []string{"there is no flag --colour\nTry: wechat-broadcast --help\n"}},
		"an unknown command":                {"", "", []string{"servee"}, exitUsage, []string{"看不懂 servee\n"}},
		"a flag without its value":          {"", "", []string{"serve", "--config"}, exitUsage, []string{"--config 后面要写值\n"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("LANGUAGE", test.language)
			code, stdout, stderr := runIn(t, test.file, test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, want := range test.want {
				if !strings.Contains(stdout+stderr, want) {
					t.Errorf("no %q in:\n%s%s", want, stdout, stderr)
				}
			}
		})
	}
}

func TestANamedFileDecidesTheLanguage(t *testing.T) {
	t.Setenv("LANGUAGE", "")
	path := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(path, []byte("language: en\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--config", path, "--help"}, {"--config=" + path, "--help"}} {
		if _, stdout, _ := runIn(t, "", args...); !strings.Contains(stdout, "Usage: ") {
			t.Errorf("%v: %s", args, stdout)
		}
	}
}

func TestAnAddressThatIsTakenIsToldInTheLanguageOfTheSettings(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	address := taken.Addr().String()
	for language, want := range map[string]string{
		"zh": "LISTEN_ADDR：无法在 " + address + " 监听：端口已被占用\n", "en": "LISTEN_ADDR: can't listen at " + address + ": address already in use\n",
	} {
		t.Setenv("LANGUAGE", language)
		code, _, stderr := runIn(t, "wechat_app_id: wx1\nwechat_app_secret: s\nwechat_token: abc\nlisten_addr: "+address, "serve")
		if code != exitFailed || stderr != "wechat-broadcast: "+want {
			t.Errorf("code %d: %s", code, stderr)
		}
	}
}

// What stops a start is one line for each fault, in the language of the settings.
func TestAStartThatIsRefusedSaysWhyInTheLanguageOfTheSettings(t *testing.T) {
	folder := t.TempDir()
	base := "wechat_app_id: wx1\nwechat_app_secret: s\nwechat_token: abc\n"
	tests := map[string]struct{ language, file, want string }{
		"settings": {
			"zh", "wechat_app_id: wx1\nwechat_app_secret: s\nundo_window: ten\n",
			"WECHAT_TOKEN：必须设置，现在没有；请写上在微信开发者平台与回调网址一起填写的 Token，或者把它写进一个文件，用 WECHAT_TOKEN_FILE 指明\n" +
				"UNDO_WINDOW：「ten」不是时长（config.yaml:3）；请写 0s 到 24h 的时长，带单位，例如 10s 或 1m30s\n",
		},
		"settings in English": {
			"en", "wechat_app_id: wx1\nwechat_app_secret: s\nundo_window: ten\n",
			"WECHAT_TOKEN: is required and not set; give the token that is entered on the platform beside the callback URL, or name a file with it in WECHAT_TOKEN_FILE\n" +
				"UNDO_WINDOW: \"ten\" is not a length of time (config.yaml:3); give a time from 0s to 24h with its unit, such as 10s or 1m30s\n",
		},
		"a folder for a database": {
			"zh", base + "database_url: sqlite://" + folder, "DATABASE_URL：" + folder + " 是文件夹；请指明一个文件，例如 sqlite://data/broadcast.db\n",
		},
		"a folder for a database, in English": {
			"en", base + "database_url: sqlite://" + folder, "DATABASE_URL: " + folder + " is a folder; name a file, such as sqlite://data/broadcast.db\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, command := range []string{"serve", "sync"} {
				t.Setenv("LANGUAGE", test.language)
				code, stdout, stderr := runIn(t, test.file+"\nlisten_addr: 127.0.0.1:0", command)
				if code != exitUsage || stdout != "" || stderr != test.want {
					t.Errorf("%s: code %d\ngot  %s%s\nwant %s", command, code, stdout, stderr, test.want)
				}
			}
		})
	}
}

// The bar of a sync has separators in its numbers, and says no word of another language.
func TestTheSyncsBarSpeaksTheLanguageOfTheSettings(t *testing.T) {
	t.Parallel()
	for language, want := range map[string][]string{
		"zh": {"读取关注者 10,000 / 25,000", "写入名单 5,000 / 25,000"}, "en": {"reading followers: 10,000 of 25,000", "storing the list: 5,000 of 25,000"},
	} {
		words, err := terminalWords(language)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		bar := syncBar{words: words, w: &out}
		for _, p := range []followers.SyncProgress{{Done: 10_000, Total: 25_000}, {Done: 5_000, Total: 25_000, Storing: true}} {
			bar.show(p)
		}
		bar.end()
		for _, part := range want {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s: no %q in %q", language, part, out.String())
			}
		}
		if strings.Contains(out.String(), "/hr") || strings.Contains(out.String(), "25000") {
			t.Errorf("%s: %q", language, out.String())
		}
	}
}
