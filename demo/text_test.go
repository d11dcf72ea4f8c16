package demo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text  string
		width int
		want  []string
	}{
		{"short", 10, []string{"short"}},
		{"", 10, []string{""}},
		{"two words", 8, []string{"two", "words"}},
		{"exactly10!", 10, []string{"exactly10!"}},
		{"a\n\nb", 10, []string{"a", "", "b"}},
		{"unbreakable", 4, []string{"unbr", "eaka", "ble"}},
		{"图书馆周三闭馆", 8, []string{"图书馆周", "三闭馆"}},
		{"图书馆周三闭馆", 7, []string{"图书馆", "周三闭馆"[:len("周三闭")], "馆"}},
		{"图书馆周，三", 8, []string{"图书馆", "周，三"}},
		{"发送 openid 试试", 9, []string{"发送", "openid 试", "试"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, wrap(tt.text, tt.width)); diff != "" {
			t.Errorf("wrap(%q, %d) (-want +got):\n%s", tt.text, tt.width, diff)
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("发送 openid 试试，谢谢", 9)
	f.Add("a  b", 1)
	f.Fuzz(func(t *testing.T, text string, width int) {
		text = clean(strings.ToValidUTF8(text, "?"))
		width = 2 + max(0, width)%100
		squeeze := func(s string) string { return strings.NewReplacer(" ", "", "\n", "").Replace(s) }
		lines := wrap(text, width)
		for _, line := range lines {
			if cells(line) > width && len([]rune(line)) > 1 && cells(string([]rune(line)[:1])) <= width {
				t.Errorf("%q has %d columns, more than %d", line, cells(line), width)
			}
		}
		if squeeze(strings.Join(lines, "")) != squeeze(text) {
			t.Errorf("%q became %q", text, lines)
		}
	})
}

func TestHang(t *testing.T) {
	t.Parallel()
	want := []string{"  ← one two", "    three", "", "    four"}
	if diff := cmp.Diff(want, hang("  ← ", "one two three\n\nfour", 12)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	if got := clean("a\x1b[2Jb\r\nc\td\u009b"); got != "a[2Jb\nc d" {
		t.Errorf("got %q", got)
	}
}

func TestMasked(t *testing.T) {
	t.Parallel()
	if got := masked(adminOpenID); got != "oDemo-…4HsZ" {
		t.Errorf("got %q", got)
	}
}
