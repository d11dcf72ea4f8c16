package console

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/services/wechat"
)

var notice = wechat.Template{ID: "t1", Title: "Notice", Fields: []wechat.TemplateField{{Key: "thing1", Name: "What"}, {Key: "time2", Name: "When"}}}

// form returns the inputs of a form.
func form(pairs ...string) url.Values {
	v := url.Values{"whole": {"1"}}
	for pair := range slices.Chunk(pairs, 2) {
		v.Add(pair[0], pair[1])
	}
	return v
}

func written(lines []chat.FieldLine) string {
	var all []string
	for _, l := range lines {
		all = append(all, l.Field+"<"+l.Value+">")
	}
	return strings.Join(all, " ")
}

func TestOnlyWhatIsChangedIsWritten(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		title string
		form  url.Values
		want  string
	}{
		{"a new one", form("fields_of", "t1", "f.thing1", "closed", "f.time2", "", "f..url", ""), "template<t1> thing1<closed>"},
		{"a copy", form("from", "other", "fields_of", "t1", "was_template", "t1", "f.thing1", "new", "was.thing1", "old", "f.time2", "same", "was.time2", "same"), "copy<other> thing1<new>"},
		{"as it is", form("kept", "1", "fields_of", "t1", "was_template", "t1", "f.thing1", "a", "was.thing1", "a"), "template<t1>"},
		{"one field is emptied", form("kept", "1", "fields_of", "t1", "was_template", "t1", "f.thing1", " ", "was.thing1", "a", "f.time2", "b", "was.time2", "b"), "thing1<>"},
		{"the link is taken away", form("kept", "1", "fields_of", "t1", "was_template", "t1", "f..url", "", "was..url", "https://x"), "url<>"},
		{"another template", form("kept", "1", "fields_of", "t1", "was_template", "t0", "f.thing1", "a", "was.thing1", "a", "f.time2", "", "f.gone9", "z"), "template<t1> thing1<a>"},
		{"a value is no other field", form("fields_of", "t1", "f.thing1", "a\r\ntime2=now\nurl=https://evil\u2028copy=x", "f.time2", "template=9"), "template<t1> thing1<a time2=now url=https://evil copy=x> time2<template=9>"},
	} {
		d := readDraft(tt.form)
		if got := written(d.lines(notice)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.title, got, tt.want)
		}
	}
}

// What was a template of the message file would be sent as it stands if it was written as
// plain text.
func TestAnotherTemplateTakesNoActionsAlong(t *testing.T) {
	t.Parallel()
	d := readDraft(form("from", "file", "fields_of", "t0", "was_template", "t0", "template", "t1", "raw", "thing1", "f.thing1", "{{.OpenID}}", "was.thing1", "{{.OpenID}}", "f.time2", "9:00", "was.time2", "9:00"))
	d.move()
	if got := written(d.lines(notice)); got != "copy<file> template<t1> time2<9:00>" {
		t.Errorf("written: %s", got)
	}
}

func FuzzDraft(f *testing.F) {
	f.Add("a\nthing1=b", "x")
	f.Fuzz(func(t *testing.T, value, was string) {
		d := readDraft(form("fields_of", "t1", "was_template", "t1", "kept", "1", "f.thing1", value, "was.thing1", was, "f.other", value))
		lines := d.lines(notice)
		if len(lines) != 1 || strings.ContainsAny(lines[0].Value, "\n\r") || !slices.Contains([]string{"thing1", "template"}, lines[0].Field) {
			t.Errorf("%q becomes %+v", value, lines)
		}
	})
}
