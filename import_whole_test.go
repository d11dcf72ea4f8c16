package main

import (
	"strings"
	"testing"

	"wechat-broadcast/lang"
	"wechat-broadcast/models/modelstest"
)

// A person whom an open quotation mark would take away is named with the line, in each way to
// import, and leaving out bad lines does not help.
func TestImportNamesWhomAQuoteWouldLose(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		d := newImportDesk(t, "sqlite", language)
		text := "openid,name\n" + modelstest.OpenID(0) + ",\"甲\n" + modelstest.OpenID(1) + ",乙\"\n"
		want := "line 2: "
		if language == lang.Languages[0] {
			want = "第 2 行："
		}
		for _, args := range [][]string{nil, {"--list", "a"}, {"--testers"}, {"--skip-bad"}, {"--dry-run"}} {
			all(t, d.refused(text, append([]string{"import", "-"}, args...)...), want, modelstest.OpenID(1))
		}
		if got := d.fields(); len(got) > 0 {
			t.Errorf("followers: %v", got)
		}
		all(t, d.done(strings.NewReplacer("甲", "甲\"", "乙\"", "\"乙\"").Replace(text), "import", "-"), "2")
	}
}
