package lang_test

import (
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"wechat-broadcast/lang"
)

// parts are the files of sentences, with those of the sources that say them.
var parts = map[string][]string{
	"common":      {"*.go", "../handlers/chat/*.go", "../demo/*.go"},
	lang.Chat:     {"../handlers/chat/*.go"},
	lang.Problems: {"../services/message/words.go"},
	lang.Platform: {"platform.go", "../handlers/pages_words.go"},
	lang.Pages:    {"../handlers/pages*.go", "../demo/*.go", "../web/templates/*.html", "*.go"},
	lang.Console:  {"../handlers/console/*.go", "../web/templates/console_*.html"},
	lang.Terminal: {"*.go", "../config/*.go", "../models/*.go", "../services/diagnosis/*.go", "../setup/*.go", "../*.go"},
	lang.Demo:     {"../demo/*.go", "../web/templates/phone.html"},
}

// sentences returns those of a file by id; plural forms are joined.
func sentences(t *testing.T, part, language string) map[string]string {
	t.Helper()
	more, err := filepath.Glob("sentences/" + part + "_*." + language + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	var walk func(id string, node any)
	walk = func(id string, node any) {
		switch v := node.(type) {
		case string:
			all[id] += v + " "
		case map[string]any:
			for name, below := range v {
				if name == "one" || name == "other" {
					walk(id, below)
				} else {
					walk(strings.TrimPrefix(id+"."+name, "."), below)
				}
			}
		default:
			t.Errorf("%s, %s: %s is a %T", part, language, id, node)
		}
	}
	for _, file := range append(more, "sentences/"+part+"."+language+".yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := yaml.Unmarshal(data, &tree); err != nil {
			t.Fatal(err)
		}
		walk("", tree)
	}
	return all
}

func TestBothLanguagesHaveTheSameSentences(t *testing.T) {
	t.Parallel()
	value := regexp.MustCompile(`\.[A-Z]\w*`)
	for part := range parts {
		shape := func(language string) map[string][]string {
			ids := map[string][]string{}
			for id, text := range sentences(t, part, language) {
				if strings.TrimSpace(text) == "" {
					t.Errorf("%s, %s: %s is empty", part, language, id)
				}
				ids[id] = slices.Compact(slices.Sorted(slices.Values(value.FindAllString(text, -1))))
			}
			return ids
		}
		if diff := cmp.Diff(shape("zh"), shape("en")); diff != "" {
			t.Errorf("%s: -zh +en:\n%s", part, diff)
		}
	}
	found, err := fs.Glob(os.DirFS("sentences"), "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		part, _, _ := strings.Cut(file, ".")
		part, _, _ = strings.Cut(part, "_")
		if parts[part] == nil && file != lang.Plain+".en.yaml" {
			t.Errorf("no part has the file %s", file)
		}
	}
}

func TestPlainSentencesStandForOthers(t *testing.T) {
	t.Parallel()
	problems := sentences(t, lang.Problems, "en")
	for id := range sentences(t, lang.Plain, "en") {
		if problems[id] == "" {
			t.Errorf("%s stands for no other", id)
		}
	}
}

// Every sentence is named by the code or a template, or belongs to a family whose
// beginning or end is.
func TestNoSentenceIsIdle(t *testing.T) {
	t.Parallel()
	quoted := regexp.MustCompile(`"([\w. -]*)"`)
	for part, patterns := range parts {
		named := map[string]bool{}
		for _, pattern := range patterns {
			sources, err := filepath.Glob(pattern)
			if err != nil || sources == nil {
				t.Fatalf("%s: %v, %v", pattern, sources, err)
			}
			for _, source := range sources {
				if strings.HasSuffix(source, "_test.go") {
					continue
				}
				text, err := os.ReadFile(source)
				if err != nil {
					t.Fatal(err)
				}
				for _, match := range quoted.FindAllStringSubmatch(strings.ReplaceAll(string(text), "%v", ""), -1) {
					named[match[1]], named["file."+match[1]] = true, true
				}
			}
		}
		for id := range sentences(t, part, "en") {
			inFamily := false
			for i, c := range id {
				inFamily = inFamily || c == '.' && (named[id[:i+1]] || named[id[i:]])
			}
			if !named[id] && !inFamily {
				t.Errorf("%s: nothing says %s", part, id)
			}
		}
	}
}

// What the code and the templates name in a call is there.
func TestNoSentenceIsMissing(t *testing.T) {
	t.Parallel()
	all := map[string]bool{}
	for part := range parts {
		for id := range sentences(t, part, "en") {
			all[id] = true
		}
	}
	said := regexp.MustCompile(`\b(?:Say|say|terminal)(?:\(| )"([\w.]*\w)"[,)} ]`)
	calls := 0
	for _, pattern := range []string{"*.go", "../handlers/*.go", "../handlers/chat/*.go", "../handlers/console/*.go", "../demo/*.go", "../web/templates/*.html"} {
		sources, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			text, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range said.FindAllStringSubmatch(string(text), -1) {
				calls++
				if !strings.HasSuffix(source, "_test.go") && !all[match[1]] && !all["terminal."+match[1]] {
					t.Errorf("%s says %s, which is missing", source, match[1])
				}
			}
		}
	}
	if calls < 200 {
		t.Errorf("found %d calls only", calls)
	}
}

func newLocale(t *testing.T, language string) *lang.Locale {
	t.Helper()
	l, err := lang.New(language, slog.New(slog.DiscardHandler), lang.Platform, lang.Chat, lang.Pages, lang.Demo)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestSay(t *testing.T) {
	t.Parallel()
	l := newLocale(t, "en")
	at := time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC)
	for want, got := range map[string]string{
		"Broadcast #12345": l.Say("broadcast", lang.Vars{"ID": 12345}),
		"Broadcast #1234 · a → 1,000 of #1233 that failed or are uncertain": l.Say("asked.retry", lang.Vars{
			"ID": int64(1234), "Name": "a", "Count": int64(1000), "Of": int64(1233),
		}),
		"1,500 of 12,345":   l.Say("of", lang.Vars{"Done": 1500}, lang.Vars{"Total": int64(12_345)}),
		"as of 11-24 09:02": l.Say("as_of", lang.Vars{"At": at}),
		"took 2 h 30 min":   l.Say("line.took", lang.Vars{"Took": 150 * time.Minute}),
		"… and one more":    l.Say("help.more", lang.Vars{"Count": int64(1)}),
		"… and 2,000 more":  l.Say("help.more", lang.Vars{"Count": int64(2000)}),
		"Test list: ":       l.Say("stats.testers", lang.Vars{"N": nil}),
		"Nobody here is called \"a\\tb\". There are: @lin, @wang, @zhao": l.Say("terminal.nobody", lang.Vars{"Name": "a\tb"}),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if l.Other() != "zh" || newLocale(t, "zh").Other() != "en" {
		t.Error("a language is offered to whoever reads it already")
	}
}

// A part does not see the sentences of another, and what it replaces stays as it
// is for the others.
func TestPartsAreApart(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	l, err := lang.New("en", slog.New(slog.NewTextHandler(&log, nil)), lang.Pages)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Say("kept.head"); got != "kept.head" || l.Has(got) || !strings.Contains(log.String(), "kept.head") {
		t.Errorf("a missing sentence is %q, and the log has %q", got, log.String())
	}
	if got := l.Span(2 * time.Hour); got != "2 h 0 min" {
		t.Errorf("pages name the minutes: %q", got)
	}
	if _, err := lang.New("fr", slog.Default()); err == nil {
		t.Error("there are no French sentences")
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	l := newLocale(t, "en")
	for n, want := range map[int64]string{
		0: "0", 999: "999", -100: "-100", 1000: "1,000", -1000: "-1,000", 1_234_567: "1,234,567", math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		if got := l.Number(n); got != want {
			t.Errorf("number %d = %q, want %q", n, got, want)
		}
	}
	for _, tt := range []struct {
		part, whole int64
		want        string
	}{
		{0, 10, "0"}, {1, 1_000_000, "0.1"}, {999_999, 1_000_000, "99.9"}, {10, 10, "100"}, {1, 3, "33.3"}, {1, 2, "50"}, {5, 0, "0"}, {1, 0, "0"},
	} {
		if got := lang.Percent(tt.part, tt.whole); got != tt.want {
			t.Errorf("Percent(%d, %d) = %s, want %s", tt.part, tt.whole, got, tt.want)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	l, err := lang.New("en", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 10 * time.Second: "10 s", 89 * time.Second: "89 s", 3 * time.Minute: "3 min", 89 * time.Minute: "89 min",
		2 * time.Hour: "2 h", 150 * time.Minute: "2 h 30 min", 72 * time.Hour: "3 days",
	} {
		if got := l.Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
	at := time.Date(2026, 11, 24, 17, 2, 3, 0, time.UTC)
	if got := lang.Moment(at) + ", " + lang.Minute(at) + ", " + lang.Clock(at) + ", " + lang.HourMinute(at); got != "2026-11-25 01:02:03, 11-25 01:02, 01:02:03, 01:02" {
		t.Errorf("got %s", got)
	}
	if got := lang.Moment(time.Time{}); got != "–" {
		t.Errorf("no moment is %q", got)
	}
}
