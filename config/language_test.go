package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/lang"
	"wechat-broadcast/textfile"
)

func hasHan(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// inBothLanguages checks that a start is refused for these settings, in each language
// with words of its own. A LANGUAGE that is itself wrong is told of in Chinese.
func inBothLanguages(tb testing.TB, want []string, refuse func(language string) error) {
	tb.Helper()
	for _, language := range []string{"zh", "en"} {
		err := refuse(language)
		if err == nil {
			tb.Fatal("accepted")
		}
		if diff := cmp.Diff(want, faultKeys(tb, err)); diff != "" {
			tb.Errorf("%s: faults (-want +got):\n%s", language, diff)
		}
		chinese := language == "zh" || want[0] == "LANGUAGE"
		var faults Faults
		errors.As(err, &faults)
		for _, f := range faults {
			if hasHan(f.Problem) != chinese || hasHan(f.Hint) != chinese {
				tb.Errorf("%s: %s", language, f)
			}
			if strings.Contains(f.String(), "problem.") || strings.Contains(f.String(), "hint.") {
				tb.Errorf("%s: a sentence is missing: %s", language, f)
			}
		}
	}
}

// The language of the faults is that of the settings, as far as it can be read.
func TestFaultsSpeakTheLanguageOfTheSettings(t *testing.T) {
	t.Parallel()
	const zh, en = "UNDO_WINDOW：「10」不是时长", `UNDO_WINDOW: "10" is not a length of time`
	tests := map[string]struct {
		file string
		env  map[string]string
		want string
	}{
		"none":                                   {"", nil, zh},
		"the environment's":                      {"", map[string]string{"LANGUAGE": "en"}, en},
		"the file's":                             {"language: en", nil, en},
		"the file's, beside another fault":       {"language: en\nsend_rat: 1", nil, en},
		"the environment's over the file's":      {"language: en", map[string]string{"LANGUAGE": "zh"}, zh},
		"one that does not exist":                {"", map[string]string{"LANGUAGE": "fr"}, zh},
		"the environment's, with an unread file": {"a: b: c", map[string]string{"LANGUAGE": "en"}, en},
		"the system's locales":                   {"", map[string]string{"LANGUAGE": "en_US:en"}, zh},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := with(test.env)
			env["UNDO_WINDOW"] = "10"
			_, err := load(t, test.file, env)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("no %q in:\n%v", test.want, err)
			}
		})
	}
}

func TestFaultsInChinese(t *testing.T) {
	t.Parallel()
	absent := filepath.Join(t.TempDir(), "config.yaml")
	_, err := Load(absent, true, lookupIn(required()), nil)
	if want := "--config：无法读取 " + absent + "：没有这个文件或文件夹；请指明本用户可以读取的文件"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	big := "# " + strings.Repeat("x", textfile.MaxBytes)
	for file, want := range map[string]string{
		"send_rat: 1":             "SEND_RAT：没有这个设置（config.yaml:1）；是不是想写 SEND_RATE？",
		"send_rate: 1\nrate: 2":   "RATE：没有这个设置（config.yaml:2）；请删掉",
		"send_rate: 1\nsend_rate": "config.yaml：文件格式（YAML）不对：第 2 行或它的上一行：缺少冒号，或者缩进没有对齐；请照示例写，例如 wechat_app_id: wx…",
		"language: \"zh":          "config.yaml：文件格式（YAML）不对：引号不成对；请照示例写，例如 wechat_app_id: wx…",
		"send_rate: 1\n---\na: b": "config.yaml：第 2 行又开始了一个文档，只能有一个；请照示例写，例如 wechat_app_id: wx…",
		big:                       "超过 1,048,576 字节；请指明本用户可以读取的文件",
	} {
		_, err := load(t, file, required())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// Whatever stands in a value, a fault is one line without control characters.
func TestAFaultIsOneLine(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"zh", "en"} {
		_, err := load(t, "", with(map[string]string{"LANGUAGE": language, "LOG_FORMAT": "a\nb\x1b[31m"}))
		if err == nil || strings.ContainsFunc(err.Error(), unicode.IsControl) {
			t.Errorf("%s: %q", language, err)
		}
	}
}

// Each problem and hint that the code names has its sentences, and each option that
// can be refused has a hint.
func TestEveryFaultHasItsSentence(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`\b(wrong|hint)\("(\w+)"[,)]`).FindAllStringSubmatch(string(text), -1) {
			ids = append(ids, map[string]string{"wrong": "problem.", "hint": "hint."}[match[1]]+match[2])
		}
	}
	if len(ids) < 50 {
		t.Fatalf("found %d only", len(ids))
	}
	for _, o := range options {
		if o.name != "MESSAGES_FILE" { // any path will do
			ids = append(ids, "hint."+o.name)
		}
	}
	for _, language := range lang.Languages {
		l, err := lang.New(language, slog.New(slog.DiscardHandler), lang.Terminal)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if !l.Has(id) {
				t.Errorf("%s: no sentence %s", language, id)
			}
		}
	}
}
