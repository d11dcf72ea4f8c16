package throttle

import (
	"testing"
	"time"
)

func TestMeter(t *testing.T) {
	t.Parallel()
	var m Meter
	now := time.Unix(1_700_000_000, 0)
	if m.Rate(now) != 0 {
		t.Error("nothing was counted")
	}
	for s := range 30 { // 5 a second, then 20
		for range map[bool]int{true: 5, false: 20}[s < 15] {
			m.Add(now.Add(time.Duration(s) * time.Second))
		}
	}
	if got := m.Rate(now.Add(30 * time.Second)); got != 20 {
		t.Errorf("%.1f, want 20", got)
	}
	if got := m.Rate(now.Add(time.Minute)); got != 0 {
		t.Errorf("long after the last: %.1f", got)
	}
}
