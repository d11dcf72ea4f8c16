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
	row := regexp.MustCompile("(?m)^\\| (?:anyone|viewer|editor|sender|owner|任何人|查看|编辑|发送|所有者) \\| `([^`]+)` \\| `([^`]+)`")
	placeholder := regexp.MustCompile(`\[[^]]*\]|OPENID|#id|#编号`)
	parse := func(text string) chat.Name {
		return chat.Parse(placeholder.ReplaceAllString(text, "")).Name
	}
	for _, file := range readmes {
		rows := row.FindAllStringSubmatch(readFile(t, file), -1)
		if len(rows) < 35 {
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

// What the operator's pages tell to send is a command, a panic word, or what readers write
// to leave and to come back: each text in code.
func TestOperatorsPagesTeachCommandsThatExist(t *testing.T) {
	t.Parallel()
	block := regexp.MustCompile("(?s)```\n(.*?)\n```")
	inline := regexp.MustCompile("`([^`\n]+)`")
	image := regexp.MustCompile(`<img src="([^"]+)" width="\d+" alt="[^"]+">`)
	for _, file := range []string{"docs/operator.md", "docs/operator.zh-CN.md"} {
		text := readFile(t, file)
		said := block.FindAllStringSubmatch(text, -1)
		said = append(said, inline.FindAllStringSubmatch(block.ReplaceAllString(text, ""), -1)...)
		taught := map[chat.Name]bool{}
		for _, m := range said {
			cmd := chat.Parse(m[1])
			taught[cmd.Name] = true
			if m[1] == "like this" || chat.Alarming(m[1]) {
				continue
			}
			if cmd.Fault != "" || cmd.Name == chat.Unknown {
				t.Errorf("%s: %q is no command: %+v", file, m[1], cmd)
			}
		}
		for _, name := range []chat.Name{
			chat.Templates, chat.Messages, chat.MessagesSet, chat.MessagesRemove, chat.BroadcastMe, chat.BroadcastTest, chat.BroadcastAll,
			chat.Schedule, chat.Reschedule, chat.Cancel, chat.Resume, chat.Status, chat.List, chat.Rest, chat.Reached, chat.Retry, chat.Who, chat.Stats,
			chat.TestersAdd, chat.Admins, chat.AdminsAdd, chat.AdminsRemove, chat.Replies, chat.RepliesSet, chat.RepliesRemove,
			chat.Sync, chat.OpenID, chat.Help, chat.Stop, chat.Start,
		} {
			if !taught[name] {
				t.Errorf("%s does not tell of %s", file, name)
			}
		}
		pictures := image.FindAllStringSubmatch(text, -1)
		if len(pictures) < 4 || len(pictures) != strings.Count(text, "<img") {
			t.Errorf("%s: %d pictures with a text", file, len(pictures))
		}
		for _, m := range pictures {
			if info, err := os.Stat(filepath.Join("docs", m[1])); err != nil || info.Size() > 60<<10 {
				t.Errorf("%s: %s: %v, at most 60 KiB", file, m[1], err)
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
