package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"wechat-broadcast/config"
	"wechat-broadcast/services/diagnosis"
	"wechat-broadcast/simulator"
)

const (
	newcomerApp    = "wxd0a1b2c3d4e5f607"
	newcomerSecret = "0123456789abcdef0123456789abcdef"
)

// newcomer is somebody in an empty folder, with an account of a simulated platform.
type newcomer struct {
	t   *testing.T
	sim *simulator.Simulator
}

func newNewcomer(t *testing.T, o simulator.Options) *newcomer {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("LANGUAGE", "en")
	o.AppID, o.AppSecret, o.Followers, o.Admin = newcomerApp, newcomerSecret, 10, []string{boss}
	sim, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := sim.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return &newcomer{t, sim}
}

// runs carries out a command with lines on standard input, and returns all that it printed.
func (n *newcomer) runs(input string, want int, args ...string) string {
	n.t.Helper()
	var out bytes.Buffer
	if code := run(n.t.Context(), args, strings.NewReader(input), &out, &out); code != want {
		n.t.Fatalf("%q ends with %d, want %d:\n%s", args, code, want, &out)
	}
	return out.String()
}

func (n *newcomer) wants(text string, parts ...string) {
	n.t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			n.t.Errorf("no %q in:\n%s", part, text)
		}
	}
	if strings.Contains(text, newcomerSecret) {
		n.t.Errorf("the secret is printed:\n%s", text)
	}
}

// left returns what is in the folder.
func (n *newcomer) left() (names []string) {
	n.t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		n.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (n *newcomer) flags(more ...string) []string {
	return append([]string{"init", "--app-id", newcomerApp, "--app-secret", newcomerSecret, "--api-base-url", n.sim.URL()}, more...)
}

func TestInitAsksUntilEachValueIsRightAndSendsTheFirstMessage(t *testing.T) {
	n := newNewcomer(t, simulator.Options{})
	answers := []string{
		"wx with spaces", "wxOther", "wrong", "edit", newcomerApp, newcomerSecret, // refused by form, then by WeChat
		"to", "aToken123", "short", "none", "mysql://nobody", "", boss, "ftp://x", "https://push.example.com", "9", "1", "yes",
	}
	text := n.runs(strings.Join(answers, "\n")+"\n", exitOK, "init", "--api-base-url", n.sim.URL())
	n.wants(text, "40013", "3 to 32 letters", "WECHAT_ENCODING_AES_KEY: ", "DATABASE_URL: ", "PUBLIC_URL: ",
		"URL: https://push.example.com/wechat", "Token: aToken123", "plain mode", "server_name push.example.com;", "\npush.example.com {", "ExecStart=",
		"Give a number from 0 to 3", "Finished", "accepted 1")
	if got, _ := n.sim.Ledger(boss); len(got) != 1 {
		t.Errorf("the admin received %+v", got)
	}
	settings, err := config.Load(defaultConfig, true, func(string) (string, bool) { return "", false }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := settings.Accounts[0]; a.Token != "aToken123" || a.EncodingAESKey != "" || a.Language != "en" || a.AdminOpenIDs[0] != boss {
		t.Errorf("written: %+v", a)
	}
}

func TestInitWithFlagsAsksNothingAndOverwritesNothing(t *testing.T) {
	n := newNewcomer(t, simulator.Options{})
	text := n.runs("", exitOK, n.flags("--admin", boss, "--public-url", "https://push.example.com")...)
	written, err := os.ReadFile(defaultConfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"wechat_token", "wechat_encoding_aes_key"} {
		made := regexp.MustCompile(name + `: (\S+)`).FindSubmatch(written)
		if made == nil || !strings.Contains(text, string(made[1])) {
			t.Errorf("%s is not printed to be pasted:\n%s", name, text)
		}
	}
	n.wants(text, "broadcast me trial")
	if info, err := os.Stat(defaultConfig); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the settings are %v, %v", info.Mode(), err)
	}
	if got, _ := n.sim.Ledger(boss); len(got) > 0 {
		t.Errorf("something was sent unasked: %+v", got)
	}
	n.wants(n.runs("", exitFailed, n.flags()...), "exists and was left as it is")
	if now, err := os.ReadFile(defaultConfig); err != nil || !bytes.Equal(now, written) {
		t.Errorf("the second init changed the settings: %v", err)
	}
}

func TestInitLeavesNothingBehindUnlessAllIsRight(t *testing.T) {
	n := newNewcomer(t, simulator.Options{})
	for name, tt := range map[string]struct {
		args  []string
		input string
		code  int
		want  []string
	}{
		"every fault of the flags": {
			n.flags("--token", "a b", "--aes-key", "short", "--public-url", "nowhere", "--app-secret-file", "x"), "", exitUsage,
			[]string{"WECHAT_TOKEN: ", "WECHAT_ENCODING_AES_KEY: ", "PUBLIC_URL: ", "WECHAT_APP_SECRET: "},
		},
		"a wrong secret":            {n.flags("--app-secret", strings.Repeat("f", 32)), "", exitFailed, []string{"40001", "No settings were written"}},
		"a database that is away":   {n.flags("--database-url", "mysql://u:p@127.0.0.1:1/d"), "", exitFailed, []string{"DATABASE_URL", "No settings were written"}},
		"a file that is not there":  {[]string{"init", "--app-id", newcomerApp, "--app-secret-file", "nowhere", "--api-base-url", n.sim.URL()}, "", exitUsage, []string{"WECHAT_APP_SECRET_FILE"}},
		"no place":                  {n.flags("--out", "nowhere/config.yaml"), "", exitFailed, []string{"can't be written"}},
		"no answers":                {[]string{"init"}, "", exitUsage, []string{"The input ended", "--app-id"}},
		"answers that end too soon": {[]string{"init", "--api-base-url", n.sim.URL()}, newcomerApp + "\n" + newcomerSecret + "\n\n", exitUsage, []string{"The input ended"}},
	} {
		n.wants(n.runs(tt.input, tt.code, tt.args...), tt.want...)
		if left := n.left(); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
	if err := n.sim.SetFaults(simulator.Faults{RefuseIP: true}); err != nil {
		t.Fatal(err)
	}
	n.wants(n.runs("", exitFailed, n.flags()...), "127.0.0.1", "IP白名单", "No settings were written")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out bytes.Buffer
	if code := run(ctx, []string{"init"}, blocked{}, &out, &out); code != exitFailed || !strings.Contains(out.String(), "Stopped; no settings were written") {
		t.Errorf("interrupted: %d\n%s", code, &out)
	}
	if left := n.left(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// blocked is standard input on which nothing is typed.
type blocked struct{}

func (blocked) Read([]byte) (int, error) { select {} }

func TestCheckTellsEveryPoint(t *testing.T) {
	n := newNewcomer(t, simulator.Options{})
	n.runs("", exitOK, n.flags("--admin", boss)...)
	n.wants(n.runs("", exitOK, "check"), "✓ Settings", "✓ Database", "✓ Redis", "✓ IP whitelist", "✓ Permission", "1 fit the account's templates", "✓ Clock", "PUBLIC_URL is not set", "All is in order.")

	points := func(want int) map[string]diagnosis.Point {
		t.Helper()
		var out, faults logText
		if code := run(t.Context(), []string{"check", "--json"}, strings.NewReader(""), &out, &faults); code != want {
			t.Fatalf("exit code %d:\n%s%s", code, &out, &faults)
		}
		var list []diagnosis.Point
		if err := json.Unmarshal([]byte(out.String()), &list); err != nil || len(list) != 9 {
			t.Fatalf("%d points, %v:\n%s", len(list), err, &out)
		}
		n.wants(out.String())
		byName := map[string]diagnosis.Point{}
		for _, p := range list {
			byName[p.Name] = p
			if p.OK != (p.Fix == "") || p.Detail == "" {
				t.Errorf("%+v", p)
			}
		}
		return byName
	}
	points(exitOK)
	if err := n.sim.SetFaults(simulator.Faults{RefuseIP: true}); err != nil {
		t.Fatal(err)
	}
	if p := points(exitFailed)[diagnosis.IPWhitelist]; p.OK || !strings.Contains(p.Fix, "127.0.0.1") {
		t.Errorf("%+v", p)
	}
	if err := n.sim.SetFaults(simulator.Faults{}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PUBLIC_URL", "http://127.0.0.1:1")
	t.Setenv("REDIS_URL", "redis://:s3cret@127.0.0.1:1/0")
	got := points(exitFailed)
	if p := got[diagnosis.PublicURL]; !strings.Contains(p.Detail, "http://") || !strings.Contains(p.Detail, "this machine") || !strings.Contains(p.Detail, "no program runs") {
		t.Errorf("%+v", p)
	}
	if p := got[diagnosis.Redis]; p.OK || strings.Contains(p.Detail, "s3cret") {
		t.Errorf("%+v", p)
	}
	t.Setenv("SEND_RATE", "much")
	if got := points(exitFailed); got[diagnosis.Settings].OK || got[diagnosis.Database].OK || !strings.Contains(got[diagnosis.Settings].Detail, "SEND_RATE") {
		t.Errorf("%+v", got)
	}
}

// printed returns what a program prints.
func printed(t *testing.T, program string, args ...string) ([]byte, error) {
	t.Helper()
	return exec.CommandContext(t.Context(), program, args...).CombinedOutput()
}

// nginx takes what init prints for it, and logs no signature with it.
func TestNginxTakesWhatInitPrints(t *testing.T) {
	nginx := os.Getenv("TEST_NGINX")
	if nginx == "" {
		t.Skip("skipped: set TEST_NGINX=/usr/sbin/nginx to try the configurations for it")
	}
	n := newNewcomer(t, simulator.Options{})
	text := n.runs("", exitOK, n.flags("--public-url", "https://push.example.com")...)
	servers := regexp.MustCompile(`(?s)\n(server \{\n.*?\n\}\n\nserver \{\n.*?\n\}\n)`).FindStringSubmatch(text)
	if servers == nil {
		t.Fatalf("nothing for nginx:\n%s", text)
	}
	folder, err := filepath.Abs("live")
	if err != nil {
		t.Fatal(err)
	}
	certificate := filepath.Join(folder, "push.example.com")
	if err := os.MkdirAll(certificate, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := printed(t, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=push.example.com",
		"-keyout", filepath.Join(certificate, "privkey.pem"), "-out", filepath.Join(certificate, "fullchain.pem"))
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	config := strings.NewReplacer(
		"/etc/letsencrypt/live", folder, "listen 80;", "listen unix:"+filepath.Join(folder, "p")+";", "listen 443 ssl;", "listen unix:"+filepath.Join(folder, "s")+" ssl;",
	).Replace(servers[1])
	file := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(file, []byte("events {}\npid "+folder+"/pid;\nhttp {\naccess_log off;\n"+config+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := printed(t, nginx, "-t", "-e", filepath.Join(folder, "log"), "-c", file); err != nil {
		t.Errorf("nginx -t: %v: %s", err, out)
	}
	// The second server, without TLS, is tried by requests.
	_, second, _ := strings.Cut(servers[1], "\n}\n")
	second = regexp.MustCompile(`ssl_[^;]*;`).ReplaceAllString(strings.Replace(second, "listen 443 ssl;", "listen 80;", 1), "")
	second = strings.ReplaceAll(second, "127.0.0.1:8080", "127.0.0.1:1")
	if logs := nginxLogs(t, nginx, "events {}\nhttp {\naccess_log access.log;\n"+second+"}\n"); strings.Contains(logs, "5ec2e7") {
		t.Errorf("logged:\n%s", logs)
	}
}

// The unit of a SQLite file elsewhere lets the program write there.
func TestTheUnitOfADatabaseElsewhere(t *testing.T) {
	n := newNewcomer(t, simulator.Options{})
	elsewhere, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text := n.runs("", exitOK, n.flags("--database-url", "sqlite://"+elsewhere+"/broadcast.db")...)
	if !regexp.MustCompile(`(?m)^ReadWritePaths=\S+ ` + regexp.QuoteMeta(elsewhere) + `$`).MatchString(text) {
		t.Errorf("the unit:\n%s", text)
	}
}

// systemd takes the unit that init prints.
func TestSystemdTakesWhatInitPrints(t *testing.T) {
	systemd := os.Getenv("TEST_SYSTEMD_ANALYZE")
	if systemd == "" {
		t.Skip("skipped: set TEST_SYSTEMD_ANALYZE=/usr/bin/systemd-analyze to try the unit of init")
	}
	n := newNewcomer(t, simulator.Options{})
	text := n.runs("", exitOK, n.flags()...)
	_, unit, found := strings.Cut(text, "[Unit]\n")
	unit, _, ended := strings.Cut(unit, "\n\nThe first message")
	if !found || !ended {
		t.Fatalf("no unit:\n%s", text)
	}
	unit = regexp.MustCompile(`ExecStart=\S+`).ReplaceAllString(unit, "ExecStart=/bin/true")
	if err := os.WriteFile("wechat-broadcast.service", []byte("[Unit]\n"+unit+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := printed(t, systemd, "verify", "--man=no", "./wechat-broadcast.service"); err != nil || bytes.Contains(out, []byte("wechat-broadcast.service:")) {
		t.Errorf("systemd-analyze verify: %v: %s", err, out)
	}
}
