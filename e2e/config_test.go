package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	secretOne = "SecretThatNobodyMaySee1"
	secretTwo = "SecretThatNobodyMaySee2"
)

// What is wrong with the settings stops the start: all of it at once, a line
// for each fault with its key, exit code 2, and no secret.
func TestFaultySettings(t *testing.T) {
	t.Parallel()
	good := settings{"WECHAT_APP_ID": appID, "WECHAT_APP_SECRET": secretOne, "WECHAT_TOKEN": "tokenThatNobodyMaySee"}
	tests := map[string]struct {
		env  settings
		file string
		args []string
		want []string
	}{
		"nothing is set": {
			env:  settings{"WECHAT_APP_ID": "", "WECHAT_APP_SECRET": "", "WECHAT_TOKEN": ""},
			want: []string{"WECHAT_APP_ID", "WECHAT_APP_SECRET", "WECHAT_TOKEN"},
		},
		"everything is wrong": {
			env: settings{
				"WECHAT_APP_ID": "", "WECHAT_ENCODING_AES_KEY": secretTwo, "WECHAT_API_BASE_URL": "gopher://x",
				"DATABASE_URL": "oracle://user:" + secretTwo + "@db/x", "REDIS_URL": "http://:" + secretTwo + "@redis",
				"SEND_CONCURRENCY": "0", "SEND_RATE": "fast", "UNDO_WINDOW": "ten", "LANGUAGE": "fr",
				"LOG_LEVEL": "loud", "LOG_FORMAT": "xml", "LISTEN_ADDR": "nowhere",
			},
			want: []string{
				"WECHAT_APP_ID", "WECHAT_ENCODING_AES_KEY", "WECHAT_API_BASE_URL", "DATABASE_URL", "REDIS_URL",
				"SEND_CONCURRENCY", "SEND_RATE", "UNDO_WINDOW", "LANGUAGE", "LOG_LEVEL", "LOG_FORMAT", "LISTEN_ADDR",
			},
		},
		"unknown keys in the file": {
			file: "send_rat: 5\nwechat_app_secret: " + secretTwo + "\nsend_concurrency: many\ncolour: red\n",
			args: []string{"--config", "settings.yaml"},
			want: []string{"send_rat", "SEND_CONCURRENCY", "colour"},
		},
		"a file that is not there": {
			args: []string{"--config", "elsewhere.yaml"},
			want: []string{"elsewhere.yaml"},
		},
		"proxies that can't be read": {
			env: settings{
				"HTTPS_PROXY": "http://user:" + secretTwo + "#@proxy.example:3128", "http_proxy": "proxy.example:port",
				"WECHAT_TOKEN": "", "WECHAT_TOKEN_FILE": "/dev/zero",
			},
			want: []string{"HTTPS_PROXY", "http_proxy", "WECHAT_TOKEN_FILE"},
		},
		"a secret given twice": {
			env:  settings{"WECHAT_APP_SECRET_FILE": "secret.txt"},
			want: []string{"WECHAT_APP_SECRET"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := newLog(t, "server")
			if test.file != "" {
				if err := os.WriteFile(filepath.Join(filepath.Dir(log.path), "settings.yaml"), []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			env := maps.Clone(good)
			maps.Copy(env, test.env)
			if code := start(t, log, env.environ(), test.args...).wait(); code != 2 {
				t.Errorf("ended with code %d, want 2", code)
			}
			text := log.text(0)
			lines := strings.Split(strings.TrimSpace(text), "\n")
			for _, key := range test.want {
				if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(strings.ToLower(line), strings.ToLower(key)) }) {
					t.Errorf("%s is not named:\n%s", key, text)
				}
			}
			if len(lines) != len(test.want) {
				t.Errorf("%d lines for %d faults:\n%s", len(lines), len(test.want), text)
			}
			for _, secret := range []string{secretOne, secretTwo, good["WECHAT_TOKEN"]} {
				if strings.Contains(text, secret) {
					t.Errorf("a secret is printed:\n%s", text)
				}
			}
		})
	}
}

// A command line that makes no sense is told so, with exit code 2.
func TestFaultyCommandLine(t *testing.T) {
	t.Parallel()
	log := newLog(t, "server")
	if code := start(t, log, nil, "serve", "--colour=red").wait(); code != 2 {
		t.Errorf("ended with code %d, want 2", code)
	}
	if text := log.text(0); !strings.Contains(text, "--colour") || !strings.Contains(text, "--help") {
		t.Errorf("it does not say what is wrong and where to look:\n%s", text)
	}
}
