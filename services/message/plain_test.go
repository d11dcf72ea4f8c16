package message

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
)

// plain returns a message whose only value is that plain text.
func plain(text, language string) *Definition {
	return &Definition{Name: "m", TemplateID: "t", Data: []Field{{Key: "keyword1", Value: PlainTemplate(text, language)}}, Plain: []string{"keyword1"}}
}

func TestPlainTextIsReplacedInNamesAndTimesOnly(t *testing.T) {
	t.Parallel()
	b := models.Broadcast{AskedAt: models.At(time.Date(2026, 11, 27, 1, 0, 0, 0, time.UTC))}
	r := models.Recipient{OpenID: sampleOpenID, Fields: `{"name":"小林","姓名":"林","a-b":"c","time2":"t"}`}
	for text, want := range map[string]string{
		"{name}您好，{姓名}":              "小林您好，林",
		"{a-b}{name}":                "c小林",
		"{date} {time}":              "2026年11月27日 09:00",
		"{日期} {时间}":                  "2026年11月27日 09:00",
		"{Date}{ＴＩＭＥ}":               "2026年11月27日09:00",
		"{time2}":                    "t",
		"{{.OpenID}}":                "{{.OpenID}}",
		"{{name}}":                   "{{name}}",
		"{{{name}}}":                 "{{{name}}}",
		`{{"{{"}}`:                   `{{"{{"}}`,
		"{{- range 9}}x{{end -}} y":  "{{- range 9}}x{{end -}} y",
		`{{define "x"}}`:             `{{define "x"}}`,
		"{":                          "{",
		"a{":                         "a{",
		"a{name":                     "a{name",
		"{}{ name }{a.b}{3}{a b}{-}": "{}{ name }{a.b}{3}{a b}{-}",
		"{-{name}-}":                 "{-小林-}",
		"}} {name} }}":               "}} 小林 }}",
		`"\n` + "`":                  `"\n` + "`",
		"<a&b>":                      "<a&b>",
	} {
		stored, err := json.Marshal(plain(text, "zh"))
		if err != nil {
			t.Fatal(err)
		}
		b.Message = string(stored)
		c, err := NewContent(b)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		m, err := c.For(r)
		if err != nil || m.Data[0].Value != want {
			t.Errorf("%s: %+v, %v; want %s", text, m.Data, err, want)
		}
	}
	if m, err := plain("{date}", "en").Preview(r, b.AskedAt.Time); err != nil || m.Data[0].Value != "2026-11-27" {
		t.Errorf("in English: %+v, %v", m, err)
	}
}

func TestTheTimeIsThatOfTheStart(t *testing.T) {
	t.Parallel()
	at := func(hour int) models.Time { return models.At(time.Date(2026, 11, 27, hour, 30, 0, 0, time.UTC)) }
	stored, err := json.Marshal(plain("{date} {time}", "en"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		b    models.Broadcast
		want string
	}{
		{models.Broadcast{AskedAt: at(1)}, "2026-11-27 09:30"},
		{models.Broadcast{AskedAt: at(1), NotBefore: at(2)}, "2026-11-27 10:30"},
		{models.Broadcast{AskedAt: at(1), NotBefore: at(2), StartedAt: at(20)}, "2026-11-28 04:30"},
	} {
		tt.b.Message = string(stored)
		c, err := NewContent(tt.b)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := c.For(models.Recipient{}); err != nil || m.Data[0].Value != tt.want {
			t.Errorf("%+v, %v; want %s", m.Data, err, tt.want)
		}
	}
}

// Who wrote {name} has never seen .Fields.name.
func TestFaultsOfPlainTextAreInItsTerms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"{town}": "{town}", "{a-b}": "{a-b}", "{城市}": "{城市}"} {
		_, err := contentOf(t, plain(text, "zh")).For(models.Recipient{})
		var unfilled *RenderError
		if !errors.As(err, &unfilled) || unfilled.Variable != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	_, err := contentOf(t, valued("{{.Fields.town}}")).For(models.Recipient{})
	var unfilled *RenderError
	if !errors.As(err, &unfilled) || unfilled.Variable != ".Fields.town" {
		t.Errorf("a template of the file: %v", err)
	}
}

// All that is wrong is told, whatever is wrong.
func TestEveryFieldThatCantBeFilledIsNamed(t *testing.T) {
	t.Parallel()
	d := &Definition{Name: "m", TemplateID: "t", URL: "{{.Fields.link}}", Data: []Field{{Key: "time1", Value: "soon"}, {Key: "thing2", Value: "{{.Fields.town}}"}, {Key: "phrase3", Value: "太长太长太长"}}}
	_, _, err := contentOf(t, d).Fill(models.Recipient{})
	for _, part := range []string{"time1", "thing2", "phrase3", "url"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("no %s in: %v", part, err)
		}
	}
}

// FuzzPlain holds that a plain text says itself: what stands in braces is replaced by
// what the test gives, which is the same text again, and nothing is executed.
func FuzzPlain(f *testing.F) {
	for _, text := range []string{"plain", "{name}", "{{.OpenID}}", "{{{name}}}", "{-{a-b}", `{{"x"}}`, "{{/*", "*/}}", "{{- end -}}", "}}{{", "{\n}", "`{{`", "{_}{é}{²}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.TrimSpace(text) != text || IsBlank(text) || len(text) > 1000 {
			return
		}
		d := plain(text, "zh")
		if !strings.Contains(text, "{") && d.Data[0].Value != text {
			t.Errorf("%q became the template %q", text, d.Data[0].Value)
		}
		want := text
		for _, word := range append(append([]string{}, dateWords...), timeWords...) {
			if strings.Contains(Fold(text), "{"+word+"}") {
				return
			}
		}
		m, err := d.Preview(models.Recipient{OpenID: sampleOpenID}, time.Now())
		if err != nil {
			t.Fatalf("%q as %q: %v", text, d.Data[0].Value, err)
		}
		if diff := cmp.Diff(want, m.Data[0].Value); diff != "" {
			t.Errorf("%q as %q (-want +got):\n%s", text, d.Data[0].Value, diff)
		}
	})
}
