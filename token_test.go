package main

import (
	"strings"
	"testing"
)

const tokenSettings = "language: en\nwechat_app_id: wxba5fad812f8e6fb9\nwechat_token: token\nwechat_app_secret: 0123456789abcdef0123456789abcdef\n"

// runOn runs a command line in the folder of the test, which an earlier one may have left a
// database in.
func runOn(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs logText
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// A new token stands alone on the last line of standard output, and nowhere later.
func TestTokenCommands(t *testing.T) {
	code, stdout, stderr := runIn(t, tokenSettings, "token", "add", "shop", "--scope", "draft")
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	secret := lines[len(lines)-1]
	if code != exitOK || len(secret) != 46 || !strings.HasPrefix(secret, "wb_") || strings.Contains(stderr, secret) {
		t.Fatalf("exit code %d: %q, %s", code, stdout, stderr)
	}
	code, stdout, _ = runOn(t, "token", "list")
	if code != exitOK || !strings.Contains(stdout, "shop  draft") || !strings.Contains(stdout, "never") || strings.Contains(stdout, secret) {
		t.Errorf("list: %d, %s", code, stdout)
	}
	if code, stdout, stderr = runOn(t, "token", "add", "shop", "--scope", "read"); code != exitFailed || !strings.Contains(stderr, "already") || stdout != "" {
		t.Errorf("the name twice: %d, %q, %s", code, stdout, stderr)
	}
	if code, stdout, _ = runOn(t, "token", "remove", "shop"); code != exitOK || !strings.Contains(stdout, "removed") {
		t.Errorf("remove: %d, %s", code, stdout)
	}
	if code, _, stderr = runOn(t, "token", "remove", "shop"); code != exitFailed || !strings.Contains(stderr, "no token shop") {
		t.Errorf("remove it again: %d, %s", code, stderr)
	}
	if code, stdout, _ = runOn(t, "token", "list"); code != exitOK || !strings.Contains(stdout, "token add NAME") {
		t.Errorf("list none: %d, %s", code, stdout)
	}
}

func TestFaultsOfTokenCommands(t *testing.T) {
	tests := map[string]struct {
		args []string
		says []string
	}{
		"no scope":        {[]string{"token", "add", "shop"}, []string{"--scope read", "--scope draft", "--scope send"}},
		"a bad scope":     {[]string{"token", "add", "shop", "--scope", "all"}, []string{"--scope all", "read", "draft", "send"}},
		"no name":         {[]string{"token", "add", "--scope", "read"}, []string{"<name>"}},
		"a bad name":      {[]string{"token", "add", "商 店", "--scope", "read"}, []string{"letters, digits"}},
		"no such account": {[]string{"--account", "other", "token", "list"}, []string{"account"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runIn(t, tokenSettings, test.args...)
			if code != exitUsage || stdout != "" {
				t.Errorf("exit code %d, %q", code, stdout)
			}
			for _, want := range test.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("no %q in: %s", want, stderr)
				}
			}
		})
	}
}
