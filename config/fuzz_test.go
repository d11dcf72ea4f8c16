package config

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzLoad(f *testing.F) {
	f.Add(ExampleConfig)
	f.Add("send: {rate: 7}\nadmin_openids: [a, b]")
	f.Add("wechat: &a {token: *a}")
	f.Add("database_url: mysql://u:p%40w@h/n?tls=true\nredis_url: redis://h/1")
	f.Add("? [a]\n: b\n<<: {x: y}")
	f.Fuzz(func(t *testing.T, file string) {
		s, err := load(t, file, required())
		var faults Faults
		switch {
		case err == nil:
			_ = s.String()
		case !errors.As(err, &faults):
			t.Errorf("error %v is not Faults", err)
		case strings.Count(err.Error(), "\n") != len(faults)-1:
			t.Errorf("%d faults are not as many lines: %v", len(faults), err)
		}
	})
}

func FuzzParseDatabaseURL(f *testing.F) {
	f.Add("mysql://user:pass%2Fword@host:3306/name?tls=true&timeout=1s")
	f.Add("mysql://u:p@unix(/x.sock)/n")
	f.Add("sqlite:///x.db")
	f.Fuzz(func(t *testing.T, raw string) {
		db, err := ParseDatabaseURL(raw)
		if err == nil && (db.DSN == "" || db.String() == "mysql://"+mask) {
			t.Errorf("%q gives a database that cannot be read back: %q", raw, db.DSN)
		}
	})
}

func FuzzParseMessages(f *testing.F) {
	f.Add(ExampleMessages)
	f.Add(fullFile)
	f.Add("messages: &m {m: *m}")
	f.Add("messages: {m: {template_id: t, data: {x: {value: '{{.OpenID}}'}}}}")
	f.Add("default: x\nmessages: [a, {b: c}]")
	f.Fuzz(func(t *testing.T, file string) {
		m, err := ParseMessages([]byte(file))
		if err != nil {
			var faults Faults
			if !errors.As(err, &faults) {
				t.Errorf("error %v is not Faults", err)
			}
			return
		}
		if len(m.Names()) == 0 {
			t.Error("accepted a file without messages")
		}
		for _, name := range m.Names() {
			message, ok := m.Get(name)
			if !ok || message.Name != name {
				t.Errorf("%q is not found under its name", name)
			}
			if _, err := message.Compile(); err != nil {
				t.Errorf("%q was accepted and does not compile: %v", name, err)
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
		c, err := valued(template).Compile()
		if err != nil {
			return
		}
		first, err := c.Render(sampleVars())
		if err != nil {
			var renderErr *RenderError
			if !errors.As(err, &renderErr) {
				t.Errorf("error %v is no RenderError", err)
			}
			return
		}
		value := first.Data[0].Value
		if isBlank(value) || len(value) > maxValueBytes || (utf8.ValidString(template) && !utf8.ValidString(value)) {
			t.Errorf("rendered %q", value)
		}
		if c.Varies() {
			return
		}
		other := sampleVars()
		other.OpenID, other.Scene, other.Remark, other.Fields = "oOther", "", "r", map[string]string{"city": "上海"}
		second, err := c.Render(other)
		if err != nil || second.Data[0].Value != value {
			t.Errorf("does not vary and gives %q, then %+v, %v", value, second, err)
		}
	})
}
