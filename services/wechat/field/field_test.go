package field

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长", 21)
	tests := []struct {
		key, value string
		fixed      string // value if empty
		rule       Rule
	}{
		{key: "thing1", value: "图书馆周三闭馆"},
		{key: "thing1", value: strings.Repeat("长", 20)},
		{key: "thing12", value: long, fixed: strings.Repeat("长", 19) + "…"},
		{key: "thing1", value: "  ", rule: Empty},
		{key: "character_string2", value: "NO.2026-11/24_#1"},
		{key: "character_string2", value: strings.Repeat("9", 32)},
		{key: "character_string2", value: strings.Repeat("9", 33), rule: Length},
		{key: "character_string2", value: "订单1", rule: Form},
		{key: "number1", value: "12.50"},
		{key: "number1", value: "12个", rule: Form},
		{key: "number1", value: strings.Repeat("1", 33), rule: Length},
		{key: "letter1", value: "abcXYZ"},
		{key: "letter1", value: "abc1", rule: Form},
		{key: "symbol1", value: "+-*/%"},
		{key: "symbol1", value: "+-*/%!", rule: Length},
		{key: "symbol1", value: "a", rule: Form},
		{key: "time4", value: "15:01"},
		{key: "time4", value: "2019年10月1日 15:01"},
		{key: "time4", value: "2026-11-24 09:00:00"},
		{key: "time4", value: "2026年11月24日 09:00~2026年11月24日 11:00"},
		{key: "time4", value: "9:00~11:30"},
		{key: "time4", value: "明天下午", rule: Form},
		{key: "time4", value: "25:01", rule: Form},
		{key: "date3", value: "2026年11月24日"},
		{key: "date3", value: "soon", rule: Form},
		{key: "amount5", value: "¥100.50"},
		{key: "amount5", value: "100元"},
		{key: "amount5", value: "一百元", rule: Form},
		{key: "phone_number1", value: "+86-0766-66888866"},
		{key: "phone_number1", value: "+86-0766-668888660", rule: Length},
		{key: "phone_number1", value: "call me", rule: Form},
		{key: "car_number1", value: "粤A8Z888挂"},
		{key: "car_number1", value: "粤A8Z8889挂x", rule: Length},
		{key: "name1", value: "张三"},
		{key: "name1", value: strings.Repeat("张", 11), rule: Form},
		{key: "name1", value: strings.Repeat("a", 21), rule: Length},
		{key: "phrase1", value: "已完成"},
		{key: "phrase1", value: "已经全部完成", rule: Length},
		{key: "phrase1", value: "done", rule: Form},
		// Types with unknown limits and the older templates' keys pass.
		{key: "const1", value: long},
		{key: "short_thing3", value: long},
		{key: "first", value: long},
		{key: "keyword1", value: ""},
		{key: "remark", value: long},
	}
	for _, tt := range tests {
		fixed, cut, err := Check(tt.key, tt.value)
		if tt.rule != "" {
			var fe *Error
			if !errors.As(err, &fe) || fe.Rule != tt.rule || fe.Key != tt.key {
				t.Errorf("%s=%q: got error %v, want rule %s", tt.key, tt.value, err, tt.rule)
			}
			continue
		}
		want := tt.fixed
		if want == "" {
			want = tt.value
		}
		if err != nil || fixed != want || cut != (want != tt.value) {
			t.Errorf("%s=%q: got %q, %v, %v; want %q", tt.key, tt.value, fixed, cut, err, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("thing1", strings.Repeat("长", 30))
	f.Add("time2", "2026年11月24日 09:00")
	f.Add("amount3", "¥1")
	f.Add("name1", "\xff\xfe")
	f.Fuzz(func(t *testing.T, key, value string) {
		fixed, cut, err := Check(key, value)
		if err != nil {
			return
		}
		if !cut && fixed != value {
			t.Errorf("%q became %q and was not called cut", value, fixed)
		}
		if again, cut, err := Check(key, fixed); err != nil || cut || again != fixed {
			t.Errorf("%s=%q passed once and then gave %q, %v, %v", key, fixed, again, cut, err)
		}
		if strings.TrimRight(key, "0123456789") == "thing" && utf8.RuneCountInString(fixed) > 20 {
			t.Errorf("thing of %d characters", utf8.RuneCountInString(fixed))
		}
	})
}

// A value of the limit passes whole, and one more is cut or refused.
func TestLimitsAreThoseOfCheck(t *testing.T) {
	t.Parallel()
	for key, char := range map[string]string{"thing1": "长", "character_string1": "a", "number2": "1", "letter1": "a", "symbol1": "*", "phone_number3": "1", "car_number1": "1", "name1": "a", "name2": "长", "phrase1": "长"} {
		limit, cut := Limit(key, char)
		_, wasCut, err := Check(key, strings.Repeat(char, limit))
		_, longCut, longErr := Check(key, strings.Repeat(char, limit+1))
		if limit == 0 || err != nil || wasCut || longCut != cut || (longErr == nil) != cut {
			t.Errorf("%s of %q: %d, %t; at it %v, %t, above it %v, %t", key, char, limit, cut, err, wasCut, longErr, longCut)
		}
	}
	if limit, _ := Limit("time2", "x"); limit != 0 {
		t.Errorf("a time has a limit of %d", limit)
	}
}
