package wechat

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFieldsAreCalledByWhatTheTemplateWritesBeforeThem(t *testing.T) {
	t.Parallel()
	for content, want := range map[string][]TemplateField{
		"通知内容：{{thing1.DATA}}\n时间：{{time2.DATA}}":                      {{"thing1", "通知内容"}, {"time2", "时间"}},
		"{{first.DATA}}\r\n通知内容: {{keyword1.DATA}}\r\n{{remark.DATA}}": {{"first", "first"}, {"keyword1", "通知内容"}, {"remark", "remark"}},
		"Book : {{ thing1.DATA }} Due: {{time2.DATA}}":                 {{"thing1", "Book"}, {"time2", "Due"}},
		"时间：{{time1.DATA}}\n时间：{{time2.DATA}}":                         {{"time1", "时间(time1)"}, {"time2", "时间(time2)"}},
		"内容：{{thing1.DATA}}{{thing2.DATA}}\n再次：{{thing1.DATA}}":        {{"thing1", "内容"}, {"thing2", "thing2"}},
		"内容：\u200b{{thing1.DATA}}":                                     {{"thing1", "内容"}},
		"内容：{{.OpenID}} {{thing1}}":                                    nil,
		"":                                                             nil,
	} {
		got := Template{Content: content}
		got.read()
		if diff := cmp.Diff(want, got.Fields); diff != "" {
			t.Errorf("%q (-want +got):\n%s", content, diff)
		}
		if len(got.Keys) != len(got.Fields) || got.Name("no_such") != "no_such" {
			t.Errorf("%q has the keys %v", content, got.Keys)
		}
		for _, f := range want {
			if got.Name(f.Key) != f.Name {
				t.Errorf("%q calls %s %q", content, f.Key, got.Name(f.Key))
			}
		}
	}
}
