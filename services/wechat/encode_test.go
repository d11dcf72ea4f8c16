package wechat

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestAppendMessage(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		message Message
		want    string
	}{
		"least": {
			Message{ToUser: "o1", TemplateID: "T"},
			`{"touser":"o1","template_id":"T","data":{}}`,
		},
		"all, in order and unescaped": {
			Message{
				ToUser: "o1", TemplateID: "T", URL: "https://example.com/?a=1&b=<2>", ClientMsgID: "7-1",
				MiniProgram: &MiniProgram{AppID: "wx1", PagePath: "index?foo=bar&x=1"},
				Data: []Field{
					{Key: "time2", Value: "2026年11月24日 09:00"},
					{Key: "thing1", Value: "a \"b\"\n\\<c>", Color: "#173177"},
				},
			},
			`{"touser":"o1","template_id":"T","url":"https://example.com/?a=1&b=<2>",` +
				`"miniprogram":{"appid":"wx1","pagepath":"index?foo=bar&x=1"},"client_msg_id":"7-1",` +
				`"data":{"time2":{"value":"2026年11月24日 09:00"},"thing1":{"value":"a \"b\"\n\\<c>","color":"#173177"}}}`,
		},
		"mini program without a page": {
			Message{ToUser: "o1", TemplateID: "T", MiniProgram: &MiniProgram{AppID: "wx1"}},
			`{"touser":"o1","template_id":"T","miniprogram":{"appid":"wx1"},"data":{}}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := string(encodeMessage(tt.message))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "图书馆", "a\"b\\c\n\r\t\x00\x1f", "\xff\xfe", "<&>\u2028", "😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw := appendString(nil, s)
		var back string
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatalf("%q is no JSON: %v", raw, err)
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); utf8.ValidString(s) && back != want {
			t.Errorf("%q came back as %q", want, back)
		}
	})
}
