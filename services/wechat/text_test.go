package wechat

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFitText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"short", "群发 #7 · notice\n\t🎉 <b>&]]>", "群发 #7 · notice\n\t🎉 <b>&]]>"},
		{"what XML cannot hold", "a\x00b\x1bc\r\nd\xffe\ufffef", "abc\ndef"},
		{"just fits", strings.Repeat("a", 2047), strings.Repeat("a", 2047)},
		{"one too many", strings.Repeat("a", 2048), strings.Repeat("a", 2044) + "…"},
		{"between two characters", strings.Repeat("群", 683), strings.Repeat("群", 681) + "…"},
	} {
		if got := FitText(tt.text); got != tt.want {
			t.Errorf("%s: got %q (%d bytes)", tt.name, got, len(got))
		}
	}
}

func FuzzFitText(f *testing.F) {
	f.Add(strings.Repeat("长", 700))
	f.Add("\x00\xff\uFFFE ")
	f.Fuzz(func(t *testing.T, text string) {
		got := FitText(text)
		if len(got) > MaxText || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\x08\x1b\uFFFE\uFFFF") {
			t.Errorf("FitText(%q) = %q", text, got)
		}
	})
}
