package message

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const sampleOpenID = "oSample890123456789012345678"

func sampleBroadcast() models.Broadcast {
	asked := time.Date(2026, time.November, 24, 17, 30, 0, 0, time.UTC) // 01:30 of the next day in Beijing
	return models.Broadcast{ID: 7, AskedAt: models.At(asked)}
}

func sampleRecipient() models.Recipient {
	return models.Recipient{
		OpenID: sampleOpenID, SubscribedAt: models.At(time.Date(2025, time.March, 1, 20, 0, 0, 0, time.UTC)), Scene: "ADD_SCENE_QR_CODE",
		Fields: `{"city":"杭州","empty":"","long":"` + strings.Repeat("长", 1000) + `","mark":"100%!(really)"}`,
	}
}

// sample returns what a message of the sample broadcast says of the recipient.
func sample(tb testing.TB) vars {
	tb.Helper()
	v, err := newVars(sampleBroadcast(), sampleRecipient())
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// valued returns a message whose only value is the template.
func valued(template string) *Definition {
	return &Definition{Name: "m", TemplateID: "t", Data: []Field{{Key: "thing1", Value: template}}}
}

func mustCompile(tb testing.TB, d *Definition) *compiled {
	tb.Helper()
	c, problems := d.compile()
	if len(problems) > 0 {
		tb.Fatalf("compile: %v", problems)
	}
	return c
}

func TestTemplatesAreFilledIn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		template, want string
		varies         bool
	}{
		{"plain", "plain", false},
		{"} }} {", "} }} {", false},
		{"{{/* nothing */}}text", "text", false},
		{`{{.Now.Format "2006年1月2日 15:04"}}`, "2026年11月25日 01:30", false},
		{"{{.Now.Year}}", "2026", false},
		{"{{(.Now.AddDate 0 0 1).Format \"2 Jan\"}}", "26 Nov", false},
		{"#{{.Broadcast.ID}}", "#7", false},
		{"#{{$.Broadcast.ID}}", "#7", false},
		{`{{$t := .Now}}{{$t.Format "15"}}`, "01", false},
		{"{{if gt .Broadcast.ID 5}}late{{else}}early{{end}}", "late", false},
		{"{{.OpenID}}", sampleOpenID, true},
		{"{{$.OpenID}}", sampleOpenID, true},
		{"{{slice .OpenID 0 3}}", "oSa", true},
		{`{{.SubscribedAt.Format "2006-01-02 15:04"}}`, "2025-03-02 04:00", true},
		{"{{.Scene}}", "ADD_SCENE_QR_CODE", true},
		{"{{.Fields.city}}欢迎您", "杭州欢迎您", true},
		{`{{index .Fields "city"}}`, "杭州", true},
		{`{{if eq .Fields.city "杭州"}}本地{{else if .Remark}}外地{{else}}别处{{end}}`, "本地", true},
		{"{{if .OpenID}}same{{end}}", "same", true},
		{`{{printf "%03d" .Broadcast.ID}}`, "007", false},
		{`{{printf "%-5d|%+.1f|%*d" .Broadcast.ID 1.25 3 8}}`, "7    |+1.2|  8", false},
		{`100%!(yes) {{printf "%d%%!(%s" 5 "100%!d(x)"}}`, "100%!(yes) 5%!(100%!d(x)", false},
		{`{{printf "%s" .Fields.mark}}`, "100%!(really)", true},
		{`{{urlquery "a b&c"}}`, "a+b%26c", false},
		{"  {{.Broadcast.ID}}  ", "7", false},
		{"{{print .Broadcast.ID}}<b>&", "7<b>&", false},
	}
	for _, tt := range tests {
		t.Run(tt.template, func(t *testing.T) {
			t.Parallel()
			c := mustCompile(t, valued(tt.template))
			if c.varies != tt.varies {
				t.Errorf("varies = %t, want %t", c.varies, tt.varies)
			}
			got, err := c.render(sample(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wechat.Message{TemplateID: "t", Data: []wechat.Field{{Key: "thing1", Value: tt.want}}}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLinksAreFilledInToo(t *testing.T) {
	t.Parallel()
	m := &Definition{
		Name: "m", TemplateID: "t", URL: "https://example.com/{{.OpenID}}",
		MiniProgram: &MiniProgram{AppID: "wx1", PagePath: "p?b={{.Broadcast.ID}}"},
		Data:        []Field{{Key: "z", Value: "{{.Broadcast.ID}}", Color: "#173177"}, {Key: "a", Value: "fixed"}},
	}
	c := mustCompile(t, m)
	if !c.varies {
		t.Error("a link with the OpenID does not vary")
	}
	got, err := c.render(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	want := wechat.Message{
		TemplateID:  "t",
		Data:        []wechat.Field{{Key: "z", Value: "7", Color: "#173177"}, {Key: "a", Value: "fixed"}},
		URL:         "https://example.com/" + sampleOpenID,
		MiniProgram: &wechat.MiniProgram{AppID: "wx1", PagePath: "p?b=7"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.MiniProgram.PagePath, m.URL = "{{.Scene}}", ""
	if !mustCompile(t, m).varies {
		t.Error("a page with the scene does not vary")
	}
	m.MiniProgram.PagePath = "p"
	if mustCompile(t, m).varies {
		t.Error("nothing of a recipient, and yet it varies")
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ template, hint string }{
		{"", "empty"},
		{"\u3000\u200b ", "empty"},
		{"{{", "not a valid template"},
		{"{{.OpenID", "not a valid template"},
		{"{{nosuch .OpenID}}", `"nosuch" not defined`},
		{"{{.Openid}}", "did you mean .OpenID?"},
		{"{{.Nothing}}", "there is no variable .Nothing"},
		{"{{$.Nothing}}", "there is no variable .Nothing"},
		{"{{.Broadcast.Id}}", "there is no variable .Broadcast.Id"},
		{"{{.OpenID.Upper}}", "there is no variable .OpenID.Upper"},
		{"{{.Now.Frmat}}", "there is no variable .Now.Frmat"},
		{"{{.Fields.a.b}}", "there is no variable .Fields.a.b"},
		{"{{.subscribedAt}}", "there is no variable .subscribedAt"},
		{"{{if true}}{{else}}{{.Nothing}}{{end}}", "there is no variable .Nothing"},
		{"{{print (print .Nothing)}}", "there is no variable .Nothing"},
		{"{{.}}", "lone dot"},
		{"{{$}}", "lone dot"},
		{`{{printf "%v" .}}`, "lone dot"},
		{"{{range 1000000000}}{{end}}", "range is not available"},
		{"{{range .Fields}}{{.}}{{end}}", "range is not available"},
		{"{{with .OpenID}}{{.}}{{end}}", "with is not available"},
		{`{{template "value" .}}`, "template is not available"},
		{`{{block "x" .}}a{{end}}`, "template is not available"},
		{"{{html .OpenID}}", "function html is not available"},
		{"{{call .OpenID}}", "function call is not available"},
		{"{{.Now.Format}}", ".Now.Format"},
		{"{{.Now.Format 5}}", ""},
		{"{{(.Now.AddDate 0 0 1).Nope}}", "Nope"},
		{`{{""}}`, "blank"},
		{"{{if false}}x{{end}}", "blank"},
		{`{{printf "%1000000000d" 1}}`, "a width or a precision above 100"},
		{`{{printf "` + strings.Repeat("%1000000[1]d", 330) + `" .Broadcast.ID}}`, "a width or a precision above 100"},
		{`{{printf "%.101f" 1.5}}`, "a width or a precision above 100"},
		{`{{printf "%[1]101d" 1}}`, "its format does not fit"},
		{`{{printf "x%%%d%101s" 1 .OpenID}}`, "a width or a precision above 100"},
		{`{{printf "%*d" 101 1}}`, "a width or a precision above 100"},
		{`{{printf "%*d" -101 1}}`, "a width or a precision above 100"},
		{`{{printf "%.*f" 1000000 1.5}}`, "a width or a precision above 100"},
		{`{{printf "%[2]*[1]d" 1 1000000}}`, "a width or a precision above 100"},
		{`{{$f := "%1000000d"}}{{printf $f 1}}`, "a width or a precision above 100"},
		{`{{printf (print "%1000" "000d") 1}}`, "a width or a precision above 100"},
		{`{{"x" | printf "%1000000s"}}`, "a width or a precision above 100"},
		{`{{printf "` + strings.Repeat("%100[1]d", 50) + `" 1}}`, "longer than 4,096 bytes"},
		{`{{$x := "` + strings.Repeat("x", 2000) + `"}}{{printf "` + strings.Repeat("%[1]s", 300) + `" $x}}`, "longer than 4,096 bytes"},
		{`{{$x := "` + strings.Repeat("x", 2000) + `"}}{{print ` + strings.Repeat("$x ", 500) + `}}`, "longer than 4,096 bytes"},
		{`{{$x := "` + strings.Repeat("x", 2000) + `"}}{{println ` + strings.Repeat("$x ", 500) + `}}`, "longer than 4,096 bytes"},
		{`{{$x := "` + strings.Repeat("?", 2000) + `"}}{{urlquery $x}}`, "longer than 4,096 bytes"},
		{`{{$x := "1"}}` + strings.Repeat("{{$x = .Now.Format $x}}", 150) + `{{$x}}`, "the layout of Format is not a text in quotes"},
		{`{{$n := .Now}}{{$n.Format (print 1 1)}}`, "the layout of Format is not a text in quotes"},
		{`{{(.Now.AddDate 0 0 1).Format .OpenID}}`, "the layout of Format is not a text in quotes"},
		{`{{"2006" | .Now.Format}}`, "the layout of Format is not a text in quotes"},
		{`{{$b := .Now.AppendFormat nil "2006"}}{{$b}}`, ".AppendFormat is not available"},
		{`{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`, "template is not available"},
		{`{{range $i := 1000000000}}{{range 1000000000}}x{{end}}{{end}}`, "range is not available"},
		{`{{slice .OpenID 99999999999999999999}}`, "not a valid template"},
		{`{{if slice "x" 1000000000}}x{{end}}`, "out of range"},
		{`{{printf "%d" "hi"}}`, "does not fit"},
		{`{{printf "%.1d" "%!d(x)"}}`, "does not fit"},
		{`{{printf "%d"}}`, "does not fit"},
		{`{{printf "%d" 1 2}}`, "does not fit"},
		{`{{printf "100%"}}`, "does not fit"},
		{`{{printf "%! (x"}}`, "does not fit"},
		{`{{printf "%[5]d" 1}}`, "does not fit"},
		{`{{printf "%%!d(%d" "%!d(x)" "%!d(y)"}}`, "does not fit"},
		{`{{$x := "` + strings.Repeat("x", 1000) + `"}}{{$x = print $x $x}}{{$x = print $x $x}}{{$x = print $x $x}}`, "longer than 4,096 bytes"},
		{`{{$x := "` + strings.Repeat("x", 1500) + `"}}{{$x}}{{$x}}{{$x}}`, "longer than 4,096 bytes"},
		{strings.Repeat("x", 4097), "longer than 4,096 bytes"},
		{strings.Repeat("(", 5000), "longer than 4,096 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.template[:min(len(tt.template), 60)], func(t *testing.T) {
			t.Parallel()
			_, problems := valued(tt.template).compile()
			if len(problems) == 0 {
				t.Fatal("accepted")
			}
			if diff := cmp.Diff([]string{"messages.m.data.thing1.value"}, paths(t, problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if !strings.Contains(problems.Error(), tt.hint) {
				t.Errorf("no %q in: %v", tt.hint, problems)
			}
			if strings.Contains(problems.Error(), "value:1:") {
				t.Errorf("names what nobody wrote: %v", problems)
			}
		})
	}
}

func TestEveryProblemOfTheTemplatesIsFound(t *testing.T) {
	t.Parallel()
	m := &Definition{
		Name: "m", URL: "https://e/{{.A}}", MiniProgram: &MiniProgram{AppID: "wx1", PagePath: "{{.B}}"},
		Data: []Field{{Key: "x", Value: "{{.C}}{{.D}}"}, {Key: "y", Value: "ok"}},
	}
	_, problems := m.compile()
	want := []string{"messages.m.data.x.value", "messages.m.data.x.value", "messages.m.url", "messages.m.miniprogram.pagepath"}
	if diff := cmp.Diff(want, paths(t, problems)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, problems := (&Definition{Name: "m"}).compile(); len(problems) == 0 {
		t.Error("a message without data compiles")
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	t.Parallel()
	unknown := sample(t)
	unknown.subscribedAt = time.Time{}
	tests := []struct {
		name    string
		message *Definition
		vars    vars
		want    RenderError
	}{
		{
			"missing field", valued("{{.Fields.town}}"), sample(t),
			RenderError{"m", "thing1", ".Fields.town", words("problem.no_value")},
		},
		{
			"missing field by index", valued(`x{{index .Fields "town"}}`), sample(t),
			RenderError{"m", "thing1", `index .Fields "town"`, words("problem.no_value")},
		},
		{
			"no fields at all", valued("{{.Fields.city}}"),
			vars{},
			RenderError{"m", "thing1", ".Fields.city", words("problem.no_value")},
		},
		{
			"blank field", valued("{{.Fields.empty}}"), sample(t),
			RenderError{"m", "thing1", "", words("problem.blank")},
		},
		{
			"blank remark", valued(" {{.Remark}}\u3000"), sample(t),
			RenderError{"m", "thing1", ".Remark", words("problem.blank_remark")},
		},
		{
			"unknown date", valued(`{{.SubscribedAt.Format "2006"}}`), unknown,
			RenderError{"m", "thing1", ".SubscribedAt.Format", words("problem.not_known")},
		},
		{
			"long field", valued("{{.Fields.long}}{{.Fields.long}}"), sample(t),
			RenderError{"m", "thing1", "", words("problem.long", "Max", 4096)},
		},
		{
			"half a character", valued("{{slice .Fields.city 0 2}}"), sample(t),
			RenderError{"m", "thing1", "", words("problem.half")},
		},
		{
			"url", &Definition{Name: "m", URL: "{{.Fields.city}}", Data: []Field{{Key: "x", Value: "v"}}}, sample(t),
			RenderError{"m", "url", "", words("problem.url")},
		},
		{
			"page", &Definition{Name: "m", MiniProgram: &MiniProgram{"wx1", "{{.Remark}}"}, Data: []Field{{Key: "x", Value: "v"}}}, sample(t),
			RenderError{"m", "miniprogram.pagepath", ".Remark", words("problem.blank_remark")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := mustCompile(t, tt.message).render(tt.vars)
			var got *RenderError
			if !errors.As(err, &got) {
				t.Fatalf("error %v is no RenderError", err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, part := range []string{`"m"`, tt.want.Field, tt.want.Variable, tt.want.Problem.String()} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in: %v", part, err)
				}
			}
		})
	}
}

func TestErrorsHoldNoOpenID(t *testing.T) {
	t.Parallel()
	for _, template := range []string{
		"{{slice .OpenID 0 99}}", "{{slice .OpenID 5 .Broadcast.ID 6}}", "{{index .Fields .OpenID}}", "{{lt .OpenID 5}}",
		"{{printf \"%5000s\" .OpenID}}", "{{printf \"%d\" .OpenID}}", "{{len .Broadcast.ID}}{{.OpenID}}", "{{index .OpenID 99}}", "{{.Now.Format .OpenID .OpenID}}",
		"{{eq .OpenID .Now.Zone}}", "{{.OpenID | .Now.Format 5}}",
	} {
		c, problems := valued(template).compile()
		err := problems.or()
		if err == nil {
			_, err = c.render(sample(t))
		}
		if err == nil {
			t.Errorf("%s: no error", template)
		} else if strings.Contains(err.Error(), sampleOpenID) {
			t.Errorf("%s: the error holds the OpenID: %v", template, err)
		}
	}
}

func TestContentIsFilledForManyAtOnce(t *testing.T) {
	t.Parallel()
	c := mustCompile(t, valued("{{.OpenID}} {{.Fields.city}} {{.Now.Year}}"))
	var group sync.WaitGroup
	for _, id := range []string{"oA", "oB", "oC", "oD"} {
		group.Go(func() {
			v := sample(t)
			v.OpenID = id
			for range 200 {
				got, err := c.render(v)
				if err != nil || got.Data[0].Value != id+" 杭州 2026" {
					t.Errorf("%s got %+v, %v", id, got, err)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestTheExampleCanBeSent(t *testing.T) {
	t.Parallel()
	f := mustParse(t, example(t))
	for _, name := range f.Names() {
		if _, err := mustGet(t, f, name).Preview(sampleRecipient(), time.Now()); err != nil {
			t.Error(err)
		}
	}
	if mustCompile(t, mustGet(t, f, "notice")).varies {
		t.Error("the notice varies")
	}
}

func BenchmarkRender(b *testing.B) {
	v := sample(b)
	for name, template := range map[string]string{"fixed": "图书馆周三闭馆", "varying": "{{.Fields.city}}的{{.OpenID}}"} {
		c := mustCompile(b, valued(template))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.render(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
