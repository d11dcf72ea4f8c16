package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"wechat-broadcast/config"
	"wechat-broadcast/services/message"
)

// asProgram has the test's executable be the program, so that a shell can run it.
const asProgram = "RUN_AS_WECHAT_BROADCAST"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("4"); err != nil { // most wait most of the time
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// shell runs commands of a README in a folder of its own, where wechat-broadcast and
// `go run .` are this program.
type shell struct {
	t      *testing.T
	folder string
	env    []string
}

func newShell(t *testing.T, env ...string) *shell {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder, bin := t.TempDir(), t.TempDir()
	for name, script := range map[string]string{
		"wechat-broadcast": fmt.Sprintf("#!/bin/sh\n%s=yes exec %q \"$@\"\n", asProgram, self),
		"go":               "#!/bin/sh\n[ \"$1 $2\" = 'run .' ] || exit 99\nshift 2\nexec wechat-broadcast \"$@\"\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(here, "config"), filepath.Join(folder, "config")); err != nil {
		t.Fatal(err)
	}
	env = append(env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+folder, "TMPDIR="+t.TempDir())
	return &shell{t, folder, env}
}

// command is a shell with commands. With the end of ctx all that it started is told to stop.
func (s *shell) command(ctx context.Context, commands string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", commands)
	cmd.Dir, cmd.Env = s.folder, s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	return cmd
}

// runs has commands run to their end and returns what they printed.
func (s *shell) runs(commands string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	out, err := s.command(ctx, commands).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v of\n%s\n%s", err, commands, out)
	}
	return string(out)
}

// starts runs commands until the end of the test.
func (s *shell) starts(commands string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := s.command(ctx, commands)
	var out logText
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		cancel()
		var ended *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &ended) && !errors.Is(err, context.Canceled) {
			s.t.Error(err)
		}
		if s.t.Failed() {
			s.t.Logf("%s\n%s", commands, out.String())
		}
	})
}

// readmeLanguages are the READMEs with the system's locale of their readers.
var readmeLanguages = map[string]string{readmes[0]: "C", readmes[1]: "zh_CN.UTF-8"}

// The demo's command prints what stands below it, but for times, OpenIDs and speed.
func TestReadmesDemo(t *testing.T) {
	t.Parallel()
	changing := regexp.MustCompile(`\d{4}-\d\d-\d\d|\d{4}年\d+月\d+日|\d\d:\d\d|o[\w-]{5}…[\w-]{4}|after \d+ s|用时 \d+ 秒`)
	for file, locale := range readmeLanguages {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			text := blockNamed(t, file, "The demo 1")
			command, want, _ := strings.Cut(strings.TrimPrefix(text, "$ "), "\n")
			got := newShell(t, "LANG="+locale).runs(command)
			lines := func(text string) (kept []string) {
				for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
					if !strings.ContainsAny(line, "█░") { // the bar, by how fast the machine is
						kept = append(kept, changing.ReplaceAllString(line, "~"))
					}
				}
				return kept
			}
			told, printed := lines(want), lines(got)
			for i := range max(len(told), len(printed)) {
				if i >= len(told) || i >= len(printed) || told[i] != printed[i] {
					t.Fatalf("%s has\n%s\nand the demo prints\n%s\nfrom here on; all of it:\n%s", file, strings.Join(told[i:], "\n"), strings.Join(printed[i:], "\n"), got)
				}
			}
		})
	}
}

// syncFirst is what the reply says instead of the number of followers until that is known.
var syncFirst = map[string]string{readmes[0]: "it is synced first", readmes[1]: "会先同步再发送"}

// A rehearsal goes as the READMEs say, each terminal with its commands; only the ports are
// others, and nothing waits. Beside it the list of readers is made, the consents are
// exported, and another program uses the API.
func TestReadmesRehearsal(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("skipped: curl is not installed (Debian: curl)")
	}
	for file := range readmeLanguages {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			platform, server := freePort(t), freePort(t)
			ports := strings.NewReplacer("127.0.0.1:9000", platform, "127.0.0.1:8080", server)
			terminals := strings.Split(ports.Replace(blockNamed(t, file, "Rehearsing 1")), "\n\n")
			if len(terminals) != 3 {
				t.Fatalf("%d terminals", len(terminals))
			}
			s := newShell(t, "LISTEN_ADDR="+server, "UNDO_WINDOW=0s")
			s.starts(strings.Replace(terminals[0], "wechat-broadcast simulator ", "wechat-broadcast simulator --addr "+platform+" ", 1))
			answers(t, "http://"+platform+"/_sim/stats")
			s.starts(terminals[1])
			answers(t, "http://"+server+"/readyz")

			// A sync that takes more than two seconds goes on after the reply.
			out := s.runs(terminals[2])
			if !strings.Contains(out, "25,000") && !strings.Contains(out, syncFirst[file]) {
				t.Errorf("the broadcast is not taken:\n%s", out)
			}
			var stats struct{ Reached, Twice int }
			eventually(t, "followers are reached", func() bool {
				return json.Unmarshal(asked(t, "http://"+platform+"/_sim/stats"), &stats) == nil && stats.Reached >= 10
			})
			if stats.Twice > 0 {
				t.Errorf("%d were reached twice", stats.Twice)
			}

			settings := regexp.MustCompile(`(?m)^export .*$`).FindAllString(terminals[1], -1)
			set := strings.Join(settings, "\n") + "\n"
			s.runs(set + "wechat-broadcast say 'testers add oRehearsalAdmin0000000000001 Lin'")
			usesTheAPI(t, s.runs(set+ports.Replace(blockNamed(t, file, "The HTTP API 1"))))
			s.runs(set + blockNamed(t, file, "The right people, with their consent 1"))
			consents, err := os.ReadFile(filepath.Join(s.folder, "consents.csv"))
			if err != nil || !strings.HasPrefix(string(consents), "openid,topic,joined,at,via,text") {
				t.Errorf("the consents are %q, %v", consents, err)
			}
		})
	}
}

// usesTheAPI holds what the commands of the READMEs for the API print while a rehearsal's
// broadcast runs: it is paused, and the one that was asked for goes to the test list.
func usesTheAPI(t *testing.T, printed string) {
	t.Helper()
	lines := strings.Split(printed, "\n")
	if len(lines) < 7 {
		t.Fatalf("the API says\n%s", printed)
	}
	for i, want := range []string{`"audience":"all"`, `"name":"notice"`, `{"id":2,`, `{"id":1,`, `"openid":"`, `"state":"paused"`, "openapi: 3.1.0"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("answer %d has no %s:\n%s", i+1, want, lines[i])
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// answers waits until a URL answers 200.
func answers(t *testing.T, url string) {
	t.Helper()
	eventually(t, url+" answers", func() bool { return asked(t, url) != nil })
}

// asked returns what a URL answers, or nil if that is not a 200.
func asked(t *testing.T, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	return body
}

// The message file, the settings of several accounts and those for Prometheus in the READMEs
// can be used as they stand.
func TestReadmesSettingsCanBeUsed(t *testing.T) {
	for _, file := range readmes {
		t.Run(file, func(t *testing.T) {
			if _, err := message.Parse([]byte(blockNamed(t, file, "Going live 6"))); err != nil {
				t.Errorf("the message file: %v", err)
			}
			scrape := blockNamed(t, file, "Operating it 3")
			if !strings.Contains(scrape, "job_name: wechat-broadcast\n") {
				t.Errorf("the alerts do not know the job of\n%s", scrape)
			}
			rules, accounts := readFile(t, "deploy/prometheus/rules.yaml"), blockNamed(t, file, "Several accounts 1")
			t.Chdir(t.TempDir())
			for name, text := range map[string]string{
				"library-secret.txt": "0123456789abcdef0123456789abcdef\n", "gym-secret.txt": "fedcba9876543210fedcba9876543210\n", defaultConfig: accounts,
				"prometheus.yml": scrape, "rules.yaml": rules,
			} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			settings, err := config.Load(defaultConfig, true, func(string) (string, bool) { return "", false }, nil)
			if err != nil {
				t.Fatalf("the settings of several accounts: %v", err)
			}
			if names := settings.Names(); len(names) != 2 {
				t.Errorf("the accounts are %v", names)
			}
			if prometheus := os.Getenv("TEST_PROMETHEUS"); prometheus != "" {
				promtool := filepath.Join(filepath.Dir(prometheus), "promtool")
				if out, err := exec.CommandContext(t.Context(), promtool, "check", "config", "prometheus.yml").CombinedOutput(); err != nil {
					t.Errorf("promtool: %v\n%s", err, out)
				}
			}
		})
	}
}
