package config

import (
	"testing"
	"time"
)

func TestHowTheCapIsShown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"3/24h": "3/24h", " 5 / 7d ": "5/7d", "1/1d": "1/24h", "2/90m": "2/1h30m", "1000/365d": "1000/365d", "1/1m": "1/1m", "1/90s": "1/1m30s",
	} {
		var p PerTime
		if err := perTime(&p, text); err != nil || p.String() != want {
			t.Errorf("%q: %s, %v", text, p, err)
		}
		var again PerTime
		if err := perTime(&again, p.String()); err != nil || again != p {
			t.Errorf("%q is shown as %q, which is read as %v, %v", text, p, again, err)
		}
	}
	if (PerTime{Within: time.Hour}).String() != "" {
		t.Error("no limit is shown")
	}
}
