package message

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStoredDefinitionsStayReadable(t *testing.T) {
	t.Parallel()
	want := mustGet(t, mustParse(t, fullFile), "notice")
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	// Rows written by earlier releases hold this form.
	const stored = `{"name":"notice","template_id":"tpl-1","url":"https://example.com/notices/1",` +
		`"miniprogram":{"appid":"wx0123456789abcdef","pagepath":"index"},"data":[{"key":"thing1","value":"图书馆周三闭馆"},` +
		`{"key":"time2","value":"{{.Now.Format \"2006年1月2日 15:04\"}}"},{"key":"keyword3","value":"请相互转告","color":"#173177"}]}`
	if diff := cmp.Diff(stored, string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var got Definition
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*want, got); diff != "" {
		t.Errorf("there and back (-want +got):\n%s", diff)
	}
}

func TestDigestIsOfWhatIsSaid(t *testing.T) {
	t.Parallel()
	base := func() *Definition { return mustGet(t, mustParse(t, fullFile), "notice") }
	// Kept in the database to recognise a message sent before.
	const want = "74d0bbb626b570516c7846c4a6d63f27e31696d82868e7624d22fe902d31571c"
	if got := base().Digest(); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	same := map[string]func(*Definition){
		"name":  func(m *Definition) { m.Name = "other" },
		"order": func(m *Definition) { m.Data[0], m.Data[2] = m.Data[2], m.Data[0] },
	}
	for name, change := range same {
		m := base()
		change(m)
		before := *m
		if m.Digest() != want {
			t.Errorf("%s changes the digest", name)
		}
		if diff := cmp.Diff(before, *m); diff != "" {
			t.Errorf("Digest changed the message:\n%s", diff)
		}
	}
	different := map[string]func(*Definition){
		"template": func(m *Definition) { m.TemplateID = "tpl-2" },
		"url":      func(m *Definition) { m.URL = "" },
		"appid":    func(m *Definition) { m.MiniProgram.AppID = "wx2" },
		"pagepath": func(m *Definition) { m.MiniProgram.PagePath = "" },
		"no mini":  func(m *Definition) { m.MiniProgram = nil },
		"key":      func(m *Definition) { m.Data[0].Key = "thing2" },
		"value":    func(m *Definition) { m.Data[0].Value = "图书馆周四闭馆" },
		"color":    func(m *Definition) { m.Data[0].Color = "#000000" },
		"fewer":    func(m *Definition) { m.Data = m.Data[:2] },
		"swapped":  func(m *Definition) { m.Data[0].Value, m.Data[2].Value = m.Data[2].Value, m.Data[0].Value },
	}
	for name, change := range different {
		m := base()
		change(m)
		if m.Digest() == want {
			t.Errorf("%s does not change the digest", name)
		}
	}
}
