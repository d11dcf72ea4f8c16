package message

import (
	"fmt"
	"strings"
	"testing"
)

// What a format prints is what Go's fmt prints, wherever that has no complaint.
func TestPrintfIsThatOfGo(t *testing.T) {
	t.Parallel()
	args := []any{7, "图书馆", 2.5, -3, true, sample(t).Now, []string{"a"}}
	for _, format := range []string{
		"%d", "%[1]d", "%5d|%-5d|%05[1]d", "%[2]s", "%[2]q", "%x", "%[2]x", "% x", "%+d", "%[3]f", "%[3].2f", "%[3]8.3f", "%[3]e", "%[3]g",
		"%[1]*[4]d", "%[4]*[1]d", "%[4]*[2]s", "%.[1]*[3]f", "%[1]*.[1]*[3]f", "%[5]t", "%[5]v", "%v %v %v %v %v %v %v", "%[6]v", "%[7]v", "%[7]q",
		"%%", "%5%", "100%% %[1]d", "%[1]d%[2]s%d", "%[1]c", "%[1]b", "%[1]o", "%#[1]x", "%U", "%[2]T", "%[3].f", "%[2].2s", "%[2]5.1s", "%-[4]*[1]d",
		"", "no directive", "%[1]v", "%[6]s", "%d %s %g %d %t %s %s",
		"%z", "%", "%[", "%[0]d", "%[9]d", "%[x]d", "%[2]d", "%s", "%[1]5d", "%[1].2f", "%[2]*d", "%d", "%!", "%.", "%.*", "%100", "%-", "%[1]",
	} {
		want := fmt.Sprintf(format, args...)
		got, err := printf(format, args...)
		if wrong := strings.Contains(want, "%!"); wrong != (err != nil) || !wrong && got != want {
			t.Errorf("%q prints %q, %v; Go prints %q", format, got, err, want)
		}
	}
	for _, args := range [][]any{{}, {"a"}, {"a", "b"}, {1, 2}, {1, "a", 2, 3}, {nil, 1}, {"", 1, ""}} {
		if got, err := printAll(false, args); err != nil || got != fmt.Sprint(args...) {
			t.Errorf("%v prints %q, %v", args, got, err)
		}
		if got, err := printAll(true, args); err != nil || got+"\n" != fmt.Sprintln(args...) {
			t.Errorf("%v prints %q, %v", args, got, err)
		}
	}
}
