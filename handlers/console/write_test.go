package console_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"wechat-broadcast/models"
)

const template = "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY"

// formOf is what the form of a message brings along.
func formOf(pairs ...string) url.Values {
	v := url.Values{"whole": {"1"}, "fields_of": {template}, "template": {template}}
	for pair := range slices.Chunk(pairs, 2) {
		v.Set(pair[0], pair[1])
	}
	return v
}

// closing is the form of a new message that is in order.
func closing(name string, pairs ...string) url.Values {
	return formOf(append([]string{"name", name, "f.thing1", "闭馆一天", "f.time2", "{date}", "f.keyword3", "-"}, pairs...)...)
}

// htmx sends a form as the script of the page does.
func (b *browser) htmx(path string, fields url.Values) page {
	b.tb.Helper()
	b.headers = map[string]string{"HX-Request": "true"}
	defer func() { b.headers = nil }()
	return b.post(path, fields)
}

func TestAMessageIsWrittenAndSentToItsAuthor(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	d.run()
	b := d.enter(anna, models.Editor)
	b.get("/console/write").has(t, 200, "notice", "图书馆周三闭馆", "In the message file", `name="template"`)
	b.get("/console/write?template="+template).has(t, 200, "0 / 20", `name="f.thing1"`, "takes a date or a time")
	b.get("/console/write?from=notice").has(t, 200, `value="图书馆周三闭馆"`, "7 / 20", "2006年1月2日", "template of the message file")

	b.post("/console/write", closing("closing", "do", "save")).has(t, 200, "“closing” is written", "闭馆一天", `name="kept"`)
	b.post("/console/write", formOf("name", "closing", "kept", "1", "was_template", template, "f.thing1", "明天闭馆", "was.thing1", "闭馆一天", "do", "save")).has(t, 200, "“closing” is changed", "明天闭馆")
	if got := d.say(anna, "messages"); !strings.Contains(got, "明天闭馆") {
		t.Errorf("the chat says %s", got)
	}
	form := closing("second", "do", "me")
	for name, v := range b.form() {
		form[name] = v
	}
	for range 2 { // the same form twice
		b.post("/console/write", form).has(t, 200, "→ you")
	}
	if all, err := d.engine.List(t.Context(), 10); err != nil || len(all) != 1 || all[0].Broadcast.Audience != models.AudienceMe {
		t.Errorf("there are %d broadcasts, %v", len(all), err)
	}
	b.get("/console/write").has(t, 200, "second", "closing")
	b.post("/console/write/remove", url.Values{"name": {"closing"}}).has(t, 200, "“closing” is deleted")
	b.post("/console/write/remove", url.Values{"name": {"notice"}}).has(t, 422, "is in the message file")
	b.get("/console/write?name=closing").has(t, http.StatusNotFound)
}

// The page says what the chat would, before it is asked.
func TestThePreviewSaysWhatTheChatWould(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(anna, models.Editor)
	for _, tt := range []struct{ values, says []string }{
		{[]string{"f.thing1", strings.Repeat("长", 21)}, []string{"too long for WeChat and goes out as", strings.Repeat("长", 19) + "…"}},
		{[]string{"f.time2", "soon"}, []string{"takes a date or a time", "soon"}},
		{[]string{"f..url", "example.com"}, []string{"is not an http or https address"}},
		{[]string{"f.thing1", ""}, []string{"is missing"}},
		{[]string{"name", "", "from", "notice", "was_template", template, "f.time2", "明天"}, []string{"takes a date or a time", "Before it can be saved"}},
		{[]string{"name", "notice"}, []string{"is in the message file"}},
		{[]string{"f.keyword3", "{name}"}, []string{"{name}", "Only for people with these fields"}},
	} {
		form := closing("closing", tt.values...)
		p := b.htmx("/console/write/preview", form)
		p.has(t, 200, tt.says...)
		if strings.Contains(p.body, "<html") {
			t.Error("the script gets a whole page")
		}
		b.post("/console/write/preview", form).has(t, 200, append(tt.says, "<html", `name="f.thing1"`)...)
	}
	b.htmx("/console/write/preview", closing("closing")).has(t, 200, "Everything fits", "闭馆一天")
	if got := d.say(anna, "messages"); strings.Contains(got, "closing") {
		t.Error("a preview was saved")
	}
	b.post("/console/write", closing("closing", "f.time2", "soon", "do", "save")).has(t, 422, "was not saved", "takes a date or a time", `value="soon"`)
	b.post("/console/write", closing("", "do", "save")).has(t, 422)
	cut := closing("closing", "do", "save")
	cut.Del("whole")
	b.post("/console/write", cut).has(t, 422, "incomplete")
}

// A value is a value, whatever stands in it.
func TestNoValueBecomesAnotherField(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(anna, models.Editor)
	b.post("/console/write", closing("closing", "f.keyword3", "a\nurl=https://evil.example\r\ncopy=notice", "do", "save")).has(t, 200, "is written")
	reply := d.say(anna, "messages")
	if !strings.Contains(reply, "a url=https://evil.example copy=notice") || strings.Contains(reply, "→ https://evil") {
		t.Errorf("it became\n%s", reply)
	}
}

func TestNothingThatPeopleWriteIsMarkup(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{followers: 1})
	const bad = `<script>alert(1)</script>"'><img src=x>`
	b := d.enter(anna, models.Sender)
	b.tb = t
	form := closing(bad, "f.thing1", bad, "f.time2", bad, "f.keyword3", bad, "f..url", bad, "from", bad, "was.thing1", bad, "list", bad, "was_template", bad)
	pages := []page{
		b.htmx("/console/write/preview", form), b.post("/console/write/preview", form),
		b.get("/console/write?from=" + url.QueryEscape(bad)), b.get("/console/write?template=" + url.QueryEscape(bad)),
	}
	form.Set("do", "save")
	pages = append(pages, b.post("/console/write", form))
	b.post("/console/write", closing("closing", "f.keyword3", bad, "do", "save")).has(t, 200, "is written")
	if reply := d.say(anna, `topics add “<b>x</b>” <img src=x>`); !strings.Contains(reply, "<b>x</b>") {
		t.Fatalf("no such topic: %s", reply)
	}
	sending := url.Values{
		"message": {"closing"}, "to": {"topic"}, "in.topic": {"<b>x</b>", bad}, "out.list": {bad}, "out.tag": {bad}, "of": {bad}, "at": {bad},
		"changes_of": {"closing"}, "f.thing1": {bad}, "f..url": {bad},
	}
	pages = append(pages, b.get("/console/write"), b.get("/console/write?name=closing"), b.get("/console/send?message=closing"), b.htmx("/console/send/preview", sending), b.post("/console/send/preview", sending))
	sending.Set("do", "prepare")
	pages = append(pages, b.post("/console/send", sending))
	for i, p := range pages {
		if p.Code >= 500 || strings.Contains(p.body, "<script>alert") || strings.Contains(p.body, "<img src") || strings.Contains(p.body, "<b>x") {
			t.Errorf("page %d, status %d:\n%s", i, p.Code, p.body)
		}
	}
}
