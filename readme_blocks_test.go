package main

import (
	"errors"
	"io"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// block is a fenced block of a README.
type block struct {
	name string // the heading in English and which of its blocks it is, such as "Packages 2"
	kind string // sh, console, nginx or yaml
	text string // without indentation
}

// readmeBlocks returns the fenced blocks of a README in order. The names are those of the
// English one, since the headings are the same in number.
func readmeBlocks(t *testing.T, file string) (all []block) {
	t.Helper()
	var headings []string
	for _, m := range regexp.MustCompile(`(?m)^#{2,3} (.*)$`).FindAllStringSubmatch(readFile(t, readmes[0]), -1) {
		headings = append(headings, m[1])
	}
	heading, of, n, open, indented := -1, "above the headings", 0, false, ""
	for _, line := range strings.Split(readFile(t, file), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "```") && open:
			open = false
		case strings.HasPrefix(trimmed, "```"):
			open, indented = true, line[:strings.Index(line, "```")]
			n++
			all = append(all, block{name: of + " " + strconv.Itoa(n), kind: strings.TrimPrefix(trimmed, "```")})
		case open:
			last := &all[len(all)-1]
			last.text += strings.TrimPrefix(line, indented) + "\n"
		case strings.HasPrefix(line, "## "), strings.HasPrefix(line, "### "):
			if heading++; heading >= len(headings) {
				t.Fatalf("%s has more headings than %s", file, readmes[0])
			}
			of, n = headings[heading], 0
		}
	}
	return all
}

// blockNamed returns a block of a README.
func blockNamed(t *testing.T, file, name string) string {
	t.Helper()
	for _, b := range readmeBlocks(t, file) {
		if b.name == name {
			return b.text
		}
	}
	t.Fatalf("%s has no block %q", file, name)
	return ""
}

// heldBy says for each block of commands which test runs it as it stands, or what is held
// where that can't be: the commands of these need a system's packages, a service manager or
// minutes.
var heldBy = map[string]func(t *testing.T, commands []string){
	"above the headings 1":                   byNewcomer,
	"The demo 1":                             byTest, // TestReadmesDemo
	"Going live 1":                           byNewcomer,
	"Going live 2":                           byNewcomer,
	"Going live 3":                           byNewcomer,
	"Going live 5":                           byNewcomer,
	"Packages 1":                             byPackages,
	"Packages 2":                             byPackages,
	"The HTTP API 1":                         byTest, // TestReadmesRehearsal
	"The HTTP API 2":                         byTest, // TestAReceiverVerifiesWithOpenSSL of services/webhooks
	"The right people, with their consent 1": byTest, // TestReadmesRehearsal
	"How the promise is kept 1":              byMake,
	"Operating it 1":                         byTest, // sqliteShell of e2e
	"Operating it 2":                         byTest,
	"Rehearsing 1":                           byTest, // TestReadmesRehearsal
	"Developing 1":                           byMake,
}

// byTest is held by a test that reads the block and runs it.
func byTest(*testing.T, []string) {}

// byNewcomer is run by scripts/newcomer.sh: the first block, and those of some steps.
func byNewcomer(t *testing.T, _ []string) {
	t.Helper()
	for _, part := range []string{`eval "$first"`, `eval "$(block 1)"`, `commands=$(block 2)`, `eval "$(block 3)"`, `eval "$(block 5)"`} {
		if !strings.Contains(readFile(t, "scripts/newcomer.sh"), part) {
			t.Errorf("scripts/newcomer.sh does not run %s", part)
		}
	}
}

// byMake has targets of the Makefile, which take minutes.
func byMake(t *testing.T, commands []string) {
	t.Helper()
	for _, command := range commands {
		target := regexp.MustCompile(`^(?:[A-Z_]+=\S+ )*make ([a-z-]+)$`).FindStringSubmatch(command)
		if target == nil || !strings.Contains(readFile(t, "Makefile"), "\n"+target[1]+": ") {
			t.Errorf("%q is no target of the Makefile", command)
		}
	}
}

// byPackages is done by scripts/package-check.sh in its own words, and printed by the
// package after its installation.
func byPackages(t *testing.T, commands []string) {
	t.Helper()
	printed := strings.NewReplacer("$name", "wechat-broadcast", `\${EDITOR:-vi}`, "editor").Replace(readFile(t, "deploy/package/postinstall.sh"))
	tried := strings.NewReplacer("$name", "wechat-broadcast", "$config", "/etc/wechat-broadcast", "$data", "/var/lib/wechat-broadcast").Replace(readFile(t, "scripts/package-check.sh"))
	for _, command := range commands {
		files, install := strings.CutPrefix(command, "apt install ./")
		in, as, sudo := strings.Cut(command, " && sudo -u wechat-broadcast ")
		switch {
		case install: // the names that nfpm gives
			if ok, err := path.Match(files, "wechat-broadcast_1.2.3-1_amd64.deb"); !ok || err != nil {
				t.Errorf("%q installs no package of a release: %v", command, err)
			}
		case sudo:
			arguments, ok := strings.CutPrefix(as, "wechat-broadcast ")
			if !ok || !strings.Contains(tried, "\n    "+in+"\n") || !strings.Contains(tried, "--config /etc/wechat-broadcast/config.yaml") {
				t.Errorf("%q is not what scripts/package-check.sh does", command)
			}
			parses(t, arguments)
		case !strings.Contains(printed, "\n  "+command+"\n"):
			t.Errorf("%q is not what the package tells to do", command)
		}
	}
}

// commandsOf returns the commands of a block without comments; of a console's block, what
// stands behind the prompt.
func commandsOf(b block) (all []string) {
	text := strings.ReplaceAll(b.text, "\\\n", " ")
	for _, line := range strings.Split(text, "\n") {
		if b.kind == "console" {
			var typed bool
			if line, typed = strings.CutPrefix(line, "$ "); !typed {
				continue
			}
		}
		if line, _, _ = strings.Cut(" "+line, " #"); strings.TrimSpace(line) != "" {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// Every command in both READMEs is run by a test as it stands, or is one that heldBy names,
// and is a shell's.
func TestReadmesCommandsAreKnown(t *testing.T) {
	t.Parallel()
	for _, file := range readmes {
		seen := map[string]bool{}
		for _, b := range readmeBlocks(t, file) {
			seen[b.name] = true
			held := heldBy[b.name]
			switch {
			case b.kind == "nginx", b.kind == "yaml": // TestNginxLogsNoSignature, TestReadmesSettingsCanBeUsed
			case b.kind != "sh" && b.kind != "console":
				t.Errorf("%s: %s is a block of %q", file, b.name, b.kind)
			case held == nil:
				t.Errorf("%s: no test runs %s:\n%s", file, b.name, b.text)
			default:
				commands := commandsOf(b)
				held(t, commands)
				if out, err := exec.CommandContext(t.Context(), "bash", "-n", "-c", strings.Join(commands, "\n")).CombinedOutput(); err != nil {
					t.Errorf("%s: %s: %v\n%s", file, b.name, err, out)
				}
			}
		}
		for name := range heldBy {
			if !seen[name] {
				t.Errorf("%s has no block %s any more", file, name)
			}
		}
	}
}

// The Chinese README has the same commands and settings as the English one: it differs in
// comments, in what is said and in the language that the program is asked for.
func TestReadmesHaveTheSameCommands(t *testing.T) {
	t.Parallel()
	said := strings.NewReplacer("群发测试", "broadcast test", "群发全部", "broadcast all", "姓名", "name", "到期日", "due", "小林", "Lin",
		"2026年12月4日", "2026-12-04", "读者", "readers", "图书馆周三闭馆", "Closed on Wednesday", "2006年1月2日", "2006-01-02")
	same := func(file string) (all []string) {
		for _, b := range readmeBlocks(t, file) {
			for _, command := range commandsOf(b) {
				if command == "export LANGUAGE=en" {
					continue
				}
				command = strings.TrimSuffix(strings.Join(strings.Fields(said.Replace(command)), " "), " LANGUAGE=en")
				all = append(all, b.name+": "+command)
			}
		}
		return all
	}
	english, chinese := same(readmes[0]), same(readmes[1])
	for i := range max(len(english), len(chinese)) {
		if i >= len(english) || i >= len(chinese) || english[i] != chinese[i] {
			t.Fatalf("they differ from here on:\n%q\n%q", english[i:min(i+2, len(english))], chinese[i:min(i+2, len(chinese))])
		}
	}
}

// What the READMEs and docs name in a text exists: the program takes the command line, the
// Makefile has the target.
func TestDocumentsNameCommandsThatExist(t *testing.T) {
	t.Parallel()
	inline := regexp.MustCompile("`([^`\n]+)`")
	scopes := strings.NewReplacer(`read\|draft\|send`, "read") // a bar in a cell of a table
	target := regexp.MustCompile(`^(?:[A-Z0-9_]+=\S+ )*make ([a-z-]+)`)
	made := readFile(t, "Makefile")
	var lines []string
	for _, file := range append([]string{"CONTRIBUTING.md", "docs/runbook.md", "docs/runbook.zh-CN.md", "docs/scaling.md", "docs/performance.md", "docs/security.md"}, readmes...) {
		for _, m := range inline.FindAllStringSubmatch(readFile(t, file), -1) {
			if named := target.FindStringSubmatch(m[1]); named != nil && !strings.Contains(made, "\n"+named[1]+":") {
				t.Errorf("%s: %q is no target of the Makefile", file, m[1])
			}
			if arguments, ok := strings.CutPrefix(scopes.Replace(m[1]), "wechat-broadcast "); ok && !slices.Contains(lines, arguments) {
				lines = append(lines, arguments)
			}
		}
	}
	parses(t, lines...)
}

// parses fails the test for each command line that the program does not take.
func parses(t *testing.T, lines ...string) {
	t.Helper()
	words, err := terminalWords("en")
	if err != nil {
		t.Fatal(err)
	}
	var c commands
	parser, err := newParser(&c, words, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		c = commands{}
		fields := strings.Fields(strings.NewReplacer("--broadcast N", "--broadcast 7", "'", "", "…", "").Replace(line))
		if _, err := parser.Parse(fields); err != nil && !errors.Is(err, errHelpShown) {
			t.Errorf("wechat-broadcast %s: %v", line, err)
		}
	}
}
