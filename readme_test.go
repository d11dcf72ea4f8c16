package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"wechat-broadcast/config"
	"wechat-broadcast/handlers/chat"
)

var readmes = []string{"README.md", "README.zh-CN.md"}

func TestReadmesHaveEverySetting(t *testing.T) {
	t.Parallel()
	for _, file := range readmes {
		text := readFile(t, file)
		for _, pair := range (config.Settings{}).Masked() {
			if !strings.Contains(text, "\n| `"+pair[0]+"`") {
				t.Errorf("%s: no row for %s", file, pair[0])
			}
		}
	}
}

// Each row of the table of chat commands names a command that exists, the same one
// in both languages.
func TestReadmesTeachCommandsThatExist(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile("(?m)^\\| (?:anyone|admin|任何人|管理员) \\| `([^`]+)` \\| `([^`]+)`")
	placeholder := regexp.MustCompile(`\[[^]]*\]|OPENID|#id|#编号`)
	parse := func(text string) chat.Name {
		return chat.Parse(placeholder.ReplaceAllString(text, "")).Name
	}
	for _, file := range readmes {
		rows := row.FindAllStringSubmatch(readFile(t, file), -1)
		if len(rows) < 15 {
			t.Errorf("%s: %d rows of commands", file, len(rows))
		}
		for _, r := range rows {
			one, other := parse(r[1]), parse(r[2])
			if one == chat.Unknown || one != other {
				t.Errorf("%s: %q is %q, %q is %q", file, r[1], one, r[2], other)
			}
		}
	}
}

func TestDocumentsLinkToWhatExists(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	documents, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(append(documents, readmes...), "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md") {
		for _, m := range link.FindAllStringSubmatch(readFile(t, file), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			}
		}
	}
}

func readFile(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}
