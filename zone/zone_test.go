package zone_test

import (
	"testing"
	"time"

	"wechat-broadcast/zone"
)

func TestDaysBeginAtBeijingsMidnight(t *testing.T) {
	t.Parallel()
	before := time.Date(2026, 12, 31, 15, 59, 59, 0, time.UTC)
	if got := zone.Day(before); got != "2026-12-31" {
		t.Errorf("the day of %v is %s", before, got)
	}
	if got := zone.Midnight(before, 1); !got.Equal(before.Add(time.Second)) || zone.Day(got) != "2027-01-01" {
		t.Errorf("the next day begins at %v", got)
	}
	if got := zone.Midnight(before, 0); !got.Equal(before.Add(time.Second - 24*time.Hour)) {
		t.Errorf("the day began at %v", got)
	}
}
