package main

import (
	"fmt"
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

// The summary names the tables of a dump that were not read, however many they are.
func TestImportNamesTheTablesThatWereNotRead(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		d := newImportDesk(t, "sqlite", language)
		text := "INSERT INTO p VALUES ('" + modelstest.OpenID(0) + "');\nINSERT INTO posts (id) VALUES (1),(2);\nINSERT INTO log (id) VALUES (UUID());\n"
		want := []string{"2 tables were not read", "posts (2 rows), log (the statement at line 3 is not understood)."}
		if language == lang.Languages[0] {
			want = []string{"有 2 张表没有读取", "posts（2 条）、log（第 3 行的语句看不懂）。"}
		}
		for _, args := range [][]string{{"--dry-run"}, nil, {"--list", "a"}, {"--testers"}} {
			all(t, d.done(text, append([]string{"import", "-"}, args...)...), want...)
		}
		for i := range 20 {
			text += fmt.Sprintf("INSERT INTO t%d VALUES (1);\n", i)
		}
		if out := d.done(text, "import", "-"); !strings.Contains(out, "22") || !strings.Contains(out, "t7") || strings.Contains(out, "t8") {
			t.Error(out)
		}
		if out := d.done(text, "import", "-", "--table", "p"); strings.Contains(out, "posts") {
			t.Errorf("asked for one table: %s", out)
		}
	}
}
