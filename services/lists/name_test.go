package lists_test

import (
	"strings"
	"testing"

	"wechat-broadcast/services/lists"
)

func TestName(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"老读者": "老读者", "  old   readers ": "old readers", strings.Repeat("读", 64): strings.Repeat("读", 64),
		"": "", "a,b": "", "a，b": "", "甲、乙": "", `"a"`: "", "“a”": "", "「a」": "", "a\x00b": "", strings.Repeat("读", 65): "",
	} {
		if got, err := lists.Name(written); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", written, got, err, want)
		}
	}
}
