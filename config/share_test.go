package config

import "testing"

func TestACanaryIsAPercentageOrANumber(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]struct {
		share Share
		shown string
	}{
		"":       {Share{Percent: 1}, "1%"},
		"2.5%":   {Share{Percent: 2.5}, "2.5%"},
		"5 %":    {Share{Percent: 5}, "5%"},
		"0.01％":  {Share{Percent: 0.01}, "0.01%"},
		"1":      {Share{Number: 1}, "1"},
		"100000": {Share{Number: 100_000}, "100000"},
	} {
		got := mustLoad(t, "", with(map[string]string{"CANARY": value}))
		if got.Canary != want.share || got.Canary.String() != want.shown {
			t.Errorf("%q: %+v, shown as %s", value, got.Canary, got.Canary)
		}
	}
}
