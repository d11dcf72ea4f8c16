package message

import (
	"errors"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	f.Add(example(f))
	f.Add(fullFile)
	f.Add("messages: &m {m: *m}")
	f.Add("messages: {m: {template_id: t, data: {x: {value: '{{.OpenID}}'}}}}")
	f.Add("default: x\nmessages: [a, {b: c}]")
	f.Fuzz(func(t *testing.T, file string) {
		m, err := Parse([]byte(file))
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) {
				t.Errorf("error %v is not Problems", err)
			}
			return
		}
		if len(m.Names()) == 0 {
			t.Error("accepted a file without messages")
		}
		for _, name := range m.Names() {
			d, ok := m.Get(name)
			if !ok || d.Name != name {
				t.Errorf("%q is not found under its name", name)
			}
			if problems := validate(d); len(problems) > 0 {
				t.Errorf("%q was accepted and is not valid: %v", name, problems)
			}
		}
	})
}

func FuzzRender(f *testing.F) {
	for _, template := range []string{
		"plain", "{{.OpenID}}", `{{.Now.Format "2006"}}`, "{{if .Fields.city}}a{{else}}b{{end}}", `{{printf "%09d" .Broadcast.ID}}`,
		`{{index .Fields "city"}}`, "{{$x := .Scene}}{{$x}}", "{{slice .OpenID 1 2}}", "{{((((.Now))))}}", "{{/* */}}", "{{- 1 -}}",
		`{{define "x"}}{{range 9}}{{end}}{{end}}a`, "{{break}}", "{{.SubscribedAt.AddDate 1 2 3}}", "{{1.5e3}}{{0x10}}{{'a'}}",
	} {
		f.Add(template)
	}
	f.Fuzz(func(t *testing.T, template string) {
		c, problems := valued(template).compile()
		if len(problems) > 0 {
			return
		}
		first, err := c.render(sample(t))
		if err != nil {
			var renderErr *RenderError
			if !errors.As(err, &renderErr) {
				t.Errorf("error %v is no RenderError", err)
			}
			return
		}
		value := first.Data[0].Value
		if IsBlank(value) || len(value) > maxValueBytes || (utf8.ValidString(template) && !utf8.ValidString(value)) {
			t.Errorf("rendered %q", value)
		}
		if c.varies {
			return
		}
		other := sample(t)
		other.OpenID, other.Scene, other.Remark, other.Fields = "oOther", "", "r", map[string]string{"city": "上海"}
		second, err := c.render(other)
		if err != nil || second.Data[0].Value != value {
			t.Errorf("does not vary and gives %q, then %+v, %v", value, second, err)
		}
	})
}
