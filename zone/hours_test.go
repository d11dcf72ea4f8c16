package zone_test

import (
	"errors"
	"testing"
	"time"

	"wechat-broadcast/zone"
)

func TestHoursContainTheirBeginningAndNotTheirEnd(t *testing.T) {
	t.Parallel()
	const day, next = "2026-11-26 ", "2026-11-27 "
	tests := []struct {
		hours, at string
		end       string // empty if the moment is outside
	}{
		{"22:00-08:00", day + "21:59:59.999", ""},
		{"22:00-08:00", day + "22:00:00", next + "08:00:00"},
		{"22:00-08:00", day + "23:59:59", next + "08:00:00"},
		{"22:00-08:00", next + "00:00:00", next + "08:00:00"},
		{"22:00-08:00", next + "07:59:59.999", next + "08:00:00"},
		{"22:00-08:00", next + "08:00:00", ""},
		{"12:30-14:00", day + "12:29:59", ""},
		{"12:30-14:00", day + "12:30:00", day + "14:00:00"},
		{"12:30-14:00", day + "14:00:00", ""},
		{"00:00-08:00", day + "00:00:00", day + "08:00:00"},
		{"00:00-08:00", day + "23:59:59", ""},
		{"22:00-00:00", day + "23:59:59", next + "00:00:00"},
		{"22:00-00:00", next + "00:00:00", ""},
		{"08:01-08:00", next + "08:00:30", ""},
		{"", day + "00:00:00", ""},
	}
	for _, test := range tests {
		var h zone.Hours
		if test.hours != "" {
			var err error
			if h, err = zone.ParseHours(test.hours); err != nil {
				t.Fatal(err)
			}
		}
		at, err := time.ParseInLocation("2006-01-02 15:04:05", test.at, zone.Beijing)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []time.Time{at, at.UTC()} { // whatever zone it is told in
			if got := h.Contains(at); got != (test.end != "") {
				t.Errorf("%s contain %s: %t", test.hours, at, got)
			}
			if test.end == "" {
				continue
			}
			if got := h.End(at).Format("2006-01-02 15:04:05"); got != test.end {
				t.Errorf("%s at %s end at %s, want %s", test.hours, at, got, test.end)
			}
		}
		if h.String() != test.hours {
			t.Errorf("%s is written %s", test.hours, h)
		}
	}
}

func TestWhatIsNoHours(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"": zone.ErrNoHours, "22:00": zone.ErrNoHours, "22-08": zone.ErrNoHours, "22:00-24:00": zone.ErrNoHours,
		"22:00-08:00-09:00": zone.ErrNoHours, "night": zone.ErrNoHours, "22:00 08:00": zone.ErrNoHours,
		"00:00-00:00": zone.ErrEqualHours, "8:00-08:00": zone.ErrEqualHours,
	} {
		if got, err := zone.ParseHours(text); !errors.Is(err, want) || !got.None() {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
