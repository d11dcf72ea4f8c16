package message

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustParse(tb testing.TB, file string) *File {
	tb.Helper()
	m, err := Parse([]byte(file))
	if err != nil {
		tb.Fatalf("Parse: %v", err)
	}
	return m
}

func mustGet(tb testing.TB, f *File, name string) *Definition {
	tb.Helper()
	d, ok := f.Get(name)
	if !ok {
		tb.Fatalf("no message %q among %q", name, f.Names())
	}
	return d
}

// paths returns the paths of an error that must be Problems.
func paths(tb testing.TB, err error) []string {
	tb.Helper()
	var problems Problems
	if !errors.As(err, &problems) {
		tb.Fatalf("error %v is not Problems", err)
	}
	all := make([]string, len(problems))
	for i, p := range problems {
		all[i] = p.Path
		if !english().Has(p.Problem.ID()) || !english().Has(p.Hint.ID()) {
			tb.Errorf("%s: problem %q, hint %q: both must be said", p.Path, p.Problem, p.Hint)
		}
	}
	return all
}

// example returns the message file that operators start from.
func example(tb testing.TB) string {
	tb.Helper()
	data, err := os.ReadFile("../../config/messages.example.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

const fullFile = `
default: Notice
messages:
  notice:
    template_id: tpl-1
    url: https://example.com/notices/1
    miniprogram: {appid: wx0123456789abcdef, pagepath: index}
    data:
      thing1: {value: "图书馆周三闭馆"}
      time2:  {value: "{{.Now.Format \"2006年1月2日 15:04\"}}"}
      keyword3: {value: " 请相互转告 ", color: "#173177"}
  借阅:
    template_id: 42
    data:
      number1: {value: 007}
      amount2: {value: 1.50}
      phrase3: {value: true}
`

func TestFileIsReadAsWritten(t *testing.T) {
	t.Parallel()
	m := mustParse(t, fullFile)
	if m.Default != "notice" {
		t.Errorf("default %q, want notice", m.Default)
	}
	if diff := cmp.Diff([]string{"notice", "借阅"}, m.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	want := &Definition{
		Name: "notice", TemplateID: "tpl-1", URL: "https://example.com/notices/1",
		MiniProgram: &MiniProgram{AppID: "wx0123456789abcdef", PagePath: "index"},
		Data: []Field{
			{Key: "thing1", Value: "图书馆周三闭馆"},
			{Key: "time2", Value: `{{.Now.Format "2006年1月2日 15:04"}}`},
			{Key: "keyword3", Value: "请相互转告", Color: "#173177"},
		},
	}
	if diff := cmp.Diff(want, mustGet(t, m, "notice")); diff != "" {
		t.Errorf("notice (-want +got):\n%s", diff)
	}
	want = &Definition{
		Name: "借阅", TemplateID: "42",
		Data: []Field{{Key: "number1", Value: "007"}, {Key: "amount2", Value: "1.50"}, {Key: "phrase3", Value: "true"}},
	}
	if diff := cmp.Diff(want, mustGet(t, m, "借阅")); diff != "" {
		t.Errorf("numbers and truth values (-want +got):\n%s", diff)
	}
}

func TestAliasesAreFilledIn(t *testing.T) {
	t.Parallel()
	m := mustParse(t, "messages:\n  a: {template_id: t, data: &d {x: {value: v}}}\n  b: {template_id: u, data: *d}\n")
	if diff := cmp.Diff(mustGet(t, m, "a").Data, mustGet(t, m, "b").Data); diff != "" {
		t.Errorf("(-a +b):\n%s", diff)
	}
	if m.Default != "" {
		t.Errorf("default %q of two messages", m.Default)
	}
}

func TestNamesAreFoundInAnyCaseAndWidth(t *testing.T) {
	t.Parallel()
	m := mustParse(t, "messages: {Notice1: {template_id: t, data: {x: {value: v}}}}")
	if m.Default != "Notice1" {
		t.Errorf("default %q, want the only message", m.Default)
	}
	for _, name := range []string{"Notice1", "notice1", " NOTICE1 ", "ｎｏｔｉｃｅ１"} {
		if got := mustGet(t, m, name); got.Name != "Notice1" {
			t.Errorf("%q found %q", name, got.Name)
		}
	}
	for _, name := range []string{"", "notice", "notice12"} {
		if _, ok := m.Get(name); ok {
			t.Errorf("%q found", name)
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	message := func(body string) string {
		return "messages:\n  m:\n    " + strings.ReplaceAll(strings.TrimSpace(body), "\n", "\n    ") + "\n"
	}
	const sound = "template_id: t\ndata: {x: {value: v}}\n"
	tests := []struct {
		name, file string
		want       []string // paths of the problems
		hint       string   // part of the text
	}{
		{"empty", "", []string{"messages"}, "empty"},
		{"comment only", "# nothing", []string{"messages"}, "empty"},
		{"not YAML", "messages: {", []string{"messages"}, "not valid YAML"},
		{"a list", "- a", []string{"messages"}, "line 1"},
		{"two documents", message(sound) + "\n---\n" + message(sound), []string{"messages"}, "second document"},
		{"no messages", "default: x", []string{"messages"}, "missing"},
		{"empty messages", "messages: {}", []string{"messages"}, "no message"},
		{"messages as list", "messages: [a]", []string{"messages"}, ""},
		{"unknown at the top", "mesages: {}\n" + message(sound), []string{"mesages"}, "did you mean messages?"},
		{"unknown default", "default: y\n" + message(sound), []string{"default"}, `no message "y"`},
		{"null message", "messages: {m: }", []string{"messages.m"}, ""},
		{"unknown key", message(sound + "colour: red"), []string{"messages.m.colour"}, "line 5"},
		{"no template", message("data: {x: {value: v}}"), []string{"messages.m.template_id"}, ""},
		{"empty template", message("template_id: ''\ndata: {x: {value: v}}"), []string{"messages.m.template_id"}, ""},
		{"template with a space", message("template_id: a b\ndata: {x: {value: v}}"), []string{"messages.m.template_id"}, ""},
		{"template as map", message("template_id: {}\ndata: {x: {value: v}}"), []string{"messages.m.template_id"}, ""},
		{"no data", message("template_id: t"), []string{"messages.m.data"}, ""},
		{"empty data", message("template_id: t\ndata: {}"), []string{"messages.m.data"}, ""},
		{"null data", message("template_id: t\ndata:"), []string{"messages.m.data"}, ""},
		{"data as list", message("template_id: t\ndata: [x]"), []string{"messages.m.data"}, ""},
		{"bare value", message("template_id: t\ndata: {x: v}"), []string{"messages.m.data.x"}, `{value: "…"}`},
		{"no value", message("template_id: t\ndata: {x: {color: '#000000'}}"), []string{"messages.m.data.x.value"}, ""},
		{"empty value", message("template_id: t\ndata: {x: {value: }}"), []string{"messages.m.data.x.value"}, ""},
		{"blank value", message("template_id: t\ndata: {x: {value: \" \u3000\"}}"), []string{"messages.m.data.x.value"}, ""},
		{"value as list", message("template_id: t\ndata: {x: {value: [a]}}"), []string{"messages.m.data.x.value"}, ""},
		{"unknown beside value", message("template_id: t\ndata: {x: {value: v, colour: '#000000'}}"), []string{"messages.m.data.x.colour"}, "did you mean color?"},
		{"colour by name", message("template_id: t\ndata: {x: {value: v, color: red}}"), []string{"messages.m.data.x.color"}, ""},
		{"colour of three", message("template_id: t\ndata: {x: {value: v, color: '#fff'}}"), []string{"messages.m.data.x.color"}, ""},
		{"colour lost as a comment", message("template_id: t\ndata:\n  x:\n    value: v\n    color: #173177"), []string{"messages.m.data.x.color"}, "in quotes"},
		{"key with .DATA", message("template_id: t\ndata: {x.DATA: {value: v}}"), []string{"messages.m.data.x.DATA"}, "write x"},
		{"key with a space", message("template_id: t\ndata: {'x y': {value: v}}"), []string{"messages.m.data.x y"}, ""},
		{"key twice", message("template_id: t\ndata: {x: {value: v}, x: {value: w}}"), []string{"messages.m.data.x"}, "twice"},
		{"url without scheme", message(sound + "url: example.com"), []string{"messages.m.url"}, ""},
		{"url of another kind", message(sound + "url: javascript:alert(1)"), []string{"messages.m.url"}, ""},
		{"url template without scheme", message(sound + "url: 'example.com/{{.OpenID}}'"), []string{"messages.m.url"}, ""},
		{"mini program without appid", message(sound + "miniprogram: {pagepath: x}"), []string{"messages.m.miniprogram.appid"}, ""},
		{"mini program with empty appid", message(sound + "miniprogram: {appid: }"), []string{"messages.m.miniprogram.appid"}, ""},
		{"mini program as text", message(sound + "miniprogram: wx1"), []string{"messages.m.miniprogram"}, ""},
		{"mini program's unknown key", message(sound + "miniprogram: {appid: wx1, path: x}"), []string{"messages.m.miniprogram.path"}, "pagepath"},
		{"name twice", message(sound) + "  m:\n    template_id: t\n", []string{"messages.m"}, "first in line 2"},
		{"names that fold", message(sound) + "  Ｍ:\n    template_id: t\n    data: {x: {value: v}}", []string{"messages.Ｍ"}, "cannot tell apart"},
		{"name with a space", "messages: {a b: {template_id: t, data: {x: {value: v}}}}", []string{"messages.a b"}, ""},
		{"name of a number", "messages: {'#7': {template_id: t, data: {x: {value: v}}}}", []string{"messages.#7"}, ""},
		{"name with a meaning", "messages: {Again: {template_id: t, data: {x: {value: v}}}}", []string{"messages.Again"}, ""},
		{"name with a meaning in Chinese", "messages: {再发: {template_id: t, data: {x: {value: v}}}}", []string{"messages.再发"}, ""},
		{"long name", "messages: {" + strings.Repeat("名", 65) + ": {template_id: t, data: {x: {value: v}}}}", []string{"messages." + strings.Repeat("名", 65)}, ""},
		{"alias to itself", "messages: &m {m: *m}", []string{"messages.m.m", "messages.m.template_id", "messages.m.data"}, ""},
		{"bad template", message("template_id: t\ndata: {x: {value: '{{.Openid}}'}, y: {value: '{{'}}"), []string{"messages.m.data.x.value", "messages.m.data.y.value"}, "did you mean .OpenID?"},
		{
			"many at once",
			"default: z\nmessages:\n  a: {data: {x: {value: v, color: red}}}\n  b: {template_id: t, data: {x: {value: '{{.Nope}}'}}}\n",
			[]string{"messages.a.data.x.color", "messages.a.template_id", "messages.b.data.x.value", "default"},
			"line 4",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(tt.file))
			if err == nil {
				t.Fatal("accepted")
			}
			if diff := cmp.Diff(tt.want, paths(t, err)); diff != "" {
				t.Errorf("problems (-want +got):\n%s\n%v", diff, err)
			}
			if !strings.Contains(err.Error(), tt.hint) {
				t.Errorf("no %q in:\n%v", tt.hint, err)
			}
			if got, want := len(strings.Split(err.Error(), "\n")), len(tt.want); got != want {
				t.Errorf("%d lines for %d problems:\n%v", got, want, err)
			}
		})
	}
}
