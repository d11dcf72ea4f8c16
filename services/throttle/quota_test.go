package throttle

import (
	"testing"
	"time"

	"wechat-broadcast/zone"
)

func TestQuotaReset(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		b, err := time.ParseInLocation("2006-01-02 15:04:05", text, zone.Beijing)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tests := []struct {
		name  string
		now   time.Time
		reset time.Duration
		want  time.Time
	}{
		{"before midnight", at("2026-11-24 23:59:59"), 0, at("2026-11-25 00:00:00")},
		{"at noon", at("2026-11-24 12:00:00"), 0, at("2026-11-25 00:00:00")},
		{"the day is Beijing's", time.Date(2026, 11, 24, 15, 30, 0, 0, time.UTC), 0, at("2026-11-25 00:00:00")},
		{"in the evening in London it is tomorrow", time.Date(2026, 11, 24, 20, 30, 0, 0, time.UTC), 0, at("2026-11-26 00:00:00")},
		{"at the end of a month", at("2026-11-30 20:00:00"), 0, at("2026-12-01 00:00:00")},
		{"a reset in the night", at("2026-11-24 23:00:00"), 90 * time.Minute, at("2026-11-25 01:30:00")},
		{"before a reset in the night", at("2026-11-25 01:00:00"), 90 * time.Minute, at("2026-11-25 01:30:00")},
		{"just after the reset it may be late", at("2026-11-25 00:00:00"), 0, at("2026-11-25 00:10:00")},
		{"an hour after the reset it may be late", at("2026-11-25 01:00:00"), 0, at("2026-11-25 01:10:00")},
		{"two hours after the reset it was used up anew", at("2026-11-25 02:00:00"), 0, at("2026-11-26 00:00:00")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := QuotaReset(test.now, test.reset); !got.Equal(test.want) {
				t.Errorf("%s, want %s", got.In(zone.Beijing), test.want)
			}
		})
	}
}
