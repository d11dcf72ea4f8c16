package demo

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/simulator"
)

func sampleMessage() (simulator.Message, simulator.Template) {
	m := simulator.Message{At: time.Date(2026, time.November, 24, 1, 5, 0, 0, time.UTC), Content: simulator.Content{
		URL: "https://example.com/", Data: map[string]simulator.DataField{
			"thing1": {Value: "图书馆周三闭馆"}, "time2": {Value: "2026年11月24日 09:05"}, "thing3": {Value: "Please\x1b[2J pass it on"},
		},
	}}
	return m, simulator.Template{Title: "图书馆通知", Content: "通知内容：{{thing1.DATA}}\n时间：{{time2.DATA}}\nNote: {{thing3.DATA}}"}
}

func TestCard(t *testing.T) {
	t.Parallel()
	m, tpl := sampleMessage()
	want := []string{
		"┌──────────────────────────────────────────┐",
		"│ 图书馆通知                         09:05 │",
		"│                                          │",
		"│ 通知内容  图书馆周三闭馆                 │",
		"│ 时间      2026年11月24日 09:05           │",
		"│ Note      Please[2J pass it on           │",
		"├──────────────────────────────────────────┤",
		"│ 详情                                   › │",
		"└──────────────────────────────────────────┘",
	}
	if diff := cmp.Diff(want, card(m, tpl, "详情", 80)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.Content.URL = ""
	for _, line := range card(m, tpl, "详情", 80) {
		if strings.Contains(line, "详情") {
			t.Error("a message without a link shows the way to it")
		}
	}
}

// Whatever the width and the language, the frame is closed.
func TestCardAligns(t *testing.T) {
	t.Parallel()
	m, tpl := sampleMessage()
	long := m
	long.Content.Data = map[string]simulator.DataField{
		"thing1": {Value: strings.Repeat("很长的内容，", 10)}, "time2": {Value: strings.Repeat("x", 90)}, "thing3": {Value: "👍 emoji"},
	}
	for _, message := range []simulator.Message{m, long} {
		for columns := 20; columns <= 120; columns += 7 {
			lines := card(message, tpl, "Details", columns)
			for _, line := range lines {
				if cells(line) != cells(lines[0]) {
					t.Errorf("in %d columns: %q is %d wide, the top %d", columns, line, cells(line), cells(lines[0]))
				}
			}
			if width := cells(lines[0]); columns >= 24 && width > columns {
				t.Errorf("the card is %d wide in %d columns", width, columns)
			}
		}
	}
}

// Each template of the account can be seen on a phone.
func TestCardOfTheMessages(t *testing.T) {
	t.Parallel()
	fieldOf := regexp.MustCompile(`\{\{(\w+)\.DATA\}\}`)
	for _, language := range []string{"zh", "en"} {
		list, err := templates(language)
		if err != nil || len(list) == 0 {
			t.Fatalf("%d templates: %v", len(list), err)
		}
		day, err := os.ReadFile("day." + language + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		for i, tpl := range list {
			written := strings.Contains(string(day), fmt.Sprintf("template=%d", i+1)) || strings.Contains(string(day), fmt.Sprintf("模板=%d", i+1))
			if written && !strings.Contains(Messages(language), tpl.ID) { // the operator of the day writes its message
				continue
			}
			if !strings.Contains(Messages(language), tpl.ID) {
				t.Errorf("%s: no message of template %s", language, tpl.ID)
			}
			for _, match := range fieldOf.FindAllStringSubmatch(tpl.Content, -1) {
				if !strings.Contains(Messages(language), match[1]+":") {
					t.Errorf("%s: nothing fills %s", language, match[1])
				}
			}
		}
	}
}
