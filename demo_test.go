package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
)

// runDemoOn runs the demo in a system locale with the lines of a script, and
// returns what it says. It is a process of its own, so that several can run at once.
func runDemoOn(t *testing.T, locale, script string, args ...string) string {
	t.Helper()
	folder := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // ends a demo that hangs
	defer cancel()
	var stdout, stderr bytes.Buffer
	demo := exec.CommandContext(ctx, os.Args[0], append([]string{"demo"}, args...)...)
	demo.Env = append(os.Environ(), asProgram+"=yes", "TMPDIR="+folder, "LANGUAGE=", "LC_ALL=", "LC_MESSAGES=", "LANG="+locale)
	demo.Stdin, demo.Stdout, demo.Stderr = strings.NewReader(script), &stdout, &stderr
	err := demo.Run()
	out := stdout.String()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%v, %v, standard error:\n%s\nstandard output:\n%s", err, ctx.Err(), &stderr, out)
	}
	if left, err := filepath.Glob(filepath.Join(folder, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for _, r := range out {
		if r != '\n' && unicode.IsControl(r) {
			t.Errorf("a control character, %q, in:\n%s", r, out)
			break
		}
	}
	return out
}

var tableRow = regexp.MustCompile(`(?m)^  ([a-z]+) +([0-9,]+)(?:   .*)?$`)

func TestDemoFromAScript(t *testing.T) {
	t.Parallel()
	out := runDemoOn(t, "C", "openid\nbroadcast test\nbroadcast all\nbroadcast all\nnonsense\n", "--followers", "250")
	for _, part := range []string{
		"Nothing leaves this machine", "250 followers",
		"you> openid\n  ← oDemo-admin-", // the OpenID and nothing else
		"│ Notice  Closed on Wednesday ",
		"Outcome of broadcast #1 · notice · finished\n  recipients 3: delivered 3\n",
		"Outcome of broadcast #2 · notice · finished\n",
		"= the sum",
		"100% · 250/250",
		"it reached 245 phones, each exactly once.",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q", part)
		}
	}
	if n := strings.Count(out, "Outcome of"); n != 2 {
		t.Errorf("%d outcomes, want 2", n)
	}
	counts := map[string]int{}
	sum := 0
	for _, row := range tableRow.FindAllStringSubmatch(out, -1) {
		n := count(t, row[2])
		counts[row[1]] = n
		if row[1] != "recipients" {
			sum += n
		}
	}
	if counts["recipients"] != 250 || sum != 250 || counts["delivered"] != 245 || counts["blocked"] != 3 || counts["failed"] != 2 {
		t.Errorf("the counts are %v, their sum %d", counts, sum)
	}
	if t.Failed() {
		t.Log(out)
	}
}

// count reads a number with separators.
func count(t *testing.T, written string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.ReplaceAll(written, ",", ""))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A script ends though broadcasts wait for their time or are paused, and says so.
func TestDemoEndsWithoutWhatIsPlanned(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	out := runDemoOn(t, "C", "broadcast all at tomorrow 09:00\nbroadcast all loan\nstop\n@wang unfollow\n@zhao hello\n@zhao follow\n@zhao follow\n@wait 200%\n", "--followers", "20")
	for _, part := range []string{
		"Still waiting: #1 · notice, which starts on ", "Still paused: #2 · loan.", "not started, nobody got it", "Not paused, as they start later: #1",
		"(Zhao doesn't follow the account.", "Zhao ← Welcome", "(Zhao follows the account already.)", `Nobody here is called "wait"`,
	} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q", part)
		}
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestDemoInChinese(t *testing.T) {
	t.Parallel()
	out := runDemoOn(t, "zh_CN.UTF-8", "@小林 退订\n@nobody hi\n群发全部\n取消\n", "--followers", "20")
	for _, part := range []string{"小林> 退订\n  小林 ← ", `「nobody」`, "你> 取消\n  ← ", "演示结束"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q", part)
		}
	}
	if strings.Contains(out, "┌") {
		t.Error("a broadcast that was cancelled in its undo window reached someone")
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestDemoLanguage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ language, lcAll, lcMessages, lang, want string }{
		{"", "", "", "", "en"},
		{"", "", "", "C", "en"},
		{"", "", "", "POSIX", "en"},
		{"", "", "", "C.UTF-8", "en"},
		{"", "", "", "fr_FR.UTF-8", "en"},
		{"", "", "", "en_US.UTF-8", "en"},
		{"", "", "", "zho", "en"},
		{"", "", "", "zh_CN.UTF-8", "zh"},
		{"", "", "", "zh_TW", "zh"},
		{"", "", "", "ZH-HANS", "zh"},
		{"", "", "", "zh", "zh"},
		// The first variable that is set decides.
		{"", "C.UTF-8", "zh_CN.UTF-8", "zh_CN.UTF-8", "en"},
		{"", "zh_CN.UTF-8", "C", "en_US", "zh"},
		{"", "", "en_US.UTF-8", "zh_CN.UTF-8", "en"},
		{"", "", "zh_CN.UTF-8", "en_US.UTF-8", "zh"},
		// LANGUAGE wins, as our setting and as a list for gettext.
		{"en", "zh_CN.UTF-8", "", "zh_CN.UTF-8", "en"},
		{"zh", "en_US.UTF-8", "", "C", "zh"},
		{"en_US:en", "", "", "zh_CN.UTF-8", "en"},
		{"zh_CN:zh", "", "", "en_US.UTF-8", "zh"},
		{"fr:zh_CN:en", "", "", "", "zh"},
		{"fr", "", "", "zh_CN.UTF-8", "zh"},
		{"fr", "", "", "C", "en"},
	} {
		env := map[string]string{"LANGUAGE": tt.language, "LC_ALL": tt.lcAll, "LC_MESSAGES": tt.lcMessages, "LANG": tt.lang}
		if got := demoLanguage(func(name string) string { return env[name] }); got != tt.want {
			t.Errorf("%v: %s, want %s", env, got, tt.want)
		}
	}
}

func TestDemoRefusesItsFlags(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"demo", "--followers", "3"}, strings.NewReader(""), &stdout, &stderr)
	if code != exitUsage || !strings.Contains(stderr.String(), "followers") {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
}

func TestDemoStopsWhenTold(t *testing.T) {
	t.Parallel()
	in, typed, err := os.Pipe() // no line is ever written
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = in.Close(), typed.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	var stderr bytes.Buffer
	seen := &stopWhenSeen{text: "@lin", stop: cancel}
	if code := run(ctx, []string{"demo", "--followers", "20"}, in, seen, &stderr); code != exitOK || stderr.Len() > 0 {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
}

// stopWhenSeen calls stop once a text was written.
type stopWhenSeen struct {
	text string
	stop func()
	got  bytes.Buffer
}

func (s *stopWhenSeen) Write(p []byte) (int, error) {
	n, err := s.got.Write(p)
	if strings.Contains(s.got.String(), s.text) || strings.Contains(s.got.String(), "@小林") {
		s.stop()
	}
	return n, err
}
