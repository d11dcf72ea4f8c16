package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goodSecret = "0123456789abcdef"

func TestWebhooksGoToTheOperatorsServersAlone(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://crm.example.com":                "",
		"https://crm.example.com:8443/a?b=c":     "",
		"http://127.0.0.1:9000/x":                "",
		"http://127.9.9.9/x":                     "",
		"http://[::1]/x":                         "",
		"http://LOCALHOST:1/x":                   "",
		"http://crm.example.com/x":               "its host is not this machine",
		"http://10.0.0.1/x":                      "its host is not this machine",
		"http://localhost.example.com/x":         "its host is not this machine",
		"http://0.0.0.0/x":                       "its host is not this machine",
		"https://user:password@crm.example.com/": "holds a user name or password",
		"http://user@127.0.0.1/":                 "holds a user name or password",
		"https://crm.example.com/#x":             "holds a #",
		"ftp://crm.example.com/":                 "https://",
		"https:///x":                             "",
		"crm.example.com":                        "https://",
	} {
		_, err := load(t, "", with(map[string]string{"LANGUAGE": "en", "WEBHOOK_URL": url, "WEBHOOK_SECRET": goodSecret}))
		if url == "https:///x" { // no host
			want = "host"
		}
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", url, err)
		case want != "" && (err == nil || !strings.HasPrefix(err.Error(), "WEBHOOK_URL: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

func TestAWebhookHasAURLAndASecret(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(goodSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	accounts := func(top, a, b string) string {
		return "wechat_app_secret: s\nwechat_token: t12\n" + top + "accounts:\n  a:\n    wechat_app_id: wx1\n" + a + "  b:\n    wechat_app_id: wx2\n" + b
	}
	const url, secret = "webhook_url: https://crm.example.com/{account}\n", "webhook_secret: " + goodSecret + "\n"
	for _, tt := range []struct {
		name, file string
		env        map[string]string
		faults     []string
		want       string
	}{
		{name: "both", env: with(map[string]string{"WEBHOOK_URL": "https://a.example.com", "WEBHOOK_SECRET": goodSecret})},
		{name: "neither", env: with(nil)},
		{name: "a secret in a file", env: with(map[string]string{"WEBHOOK_URL": "https://a.example.com", "WEBHOOK_SECRET_FILE": file})},
		{name: "both for all accounts", file: accounts(url+secret, "", "")},
		{name: "both for one account", file: accounts("", "    "+url+"    "+secret, "")},
		{
			name: "no secret", env: with(map[string]string{"WEBHOOK_URL": "https://a.example.com"}),
			faults: []string{"WEBHOOK_SECRET"}, want: "required with WEBHOOK_URL",
		},
		{
			name: "no URL", env: with(map[string]string{"WEBHOOK_SECRET": goodSecret}),
			faults: []string{"WEBHOOK_URL"}, want: "remove WEBHOOK_SECRET",
		},
		{
			name: "a short secret", env: with(map[string]string{"WEBHOOK_URL": "https://a.example.com", "WEBHOOK_SECRET": goodSecret[1:]}),
			faults: []string{"WEBHOOK_SECRET"}, want: "openssl rand -hex 32",
		},
		{
			name: "a wrong URL with a secret", env: with(map[string]string{"WEBHOOK_URL": "http://a.example.com", "WEBHOOK_SECRET": goodSecret}),
			faults: []string{"WEBHOOK_URL"}, want: "this machine",
		},
		{
			name: "no secret for one account", file: accounts("", "    "+url, "    "+url+"    "+secret),
			faults: []string{"WEBHOOK_SECRET"}, want: "accounts: a",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"LANGUAGE": "en"}
			for k, v := range tt.env {
				env[k] = v
			}
			s, err := load(t, tt.file, env)
			if tt.faults == nil {
				if err != nil {
					t.Fatal(err)
				}
				if a := s.Accounts[0]; a.WebhookURL != "" && a.WebhookSecret.Reveal() != goodSecret {
					t.Errorf("the secret is %q", a.WebhookSecret.Reveal())
				}
				if a := s.Accounts[0]; a.Name != "" && a.WebhookURL != "https://crm.example.com/a" {
					t.Errorf("the URL is %s", a.WebhookURL)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if diff := cmp.Diff(tt.faults, faultKeys(t, err)); diff != "" || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if strings.Contains(err.Error(), goodSecret[1:]) {
				t.Errorf("prints the secret: %v", err)
			}
		})
	}
}
