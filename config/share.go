package config

import (
	"math"
	"strconv"
	"strings"
)

// Share is a part of an audience: a percentage, or a number of people.
type Share struct {
	// Percent is 0 if Number counts.
	Percent float64
	Number  int64
}

// String returns it as it is written in the settings.
func (s Share) String() string {
	if s.Percent == 0 {
		return strconv.FormatInt(s.Number, 10)
	}
	return strconv.FormatFloat(s.Percent, 'f', -1, 64) + "%"
}

// maxShare is the highest number of people: a share is to be a small part.
const maxShare = 100_000

// share takes a percentage from 0.01 to 50, or a number of people from 1 to maxShare.
func share(dst *Share, v string) error {
	if number, isPercent := cutPercent(v); isPercent {
		p, err := strconv.ParseFloat(number, 64)
		if err != nil || math.IsNaN(p) || math.IsInf(p, 0) {
			return wrong("no_share", "Value", v)
		}
		if p < 0.01 || p > 50 {
			return wrong("between", "Value", v, "Low", "0.01%", "High", "50%")
		}
		*dst = Share{Percent: p}
		return nil
	}
	var n int
	if _, err := strconv.Atoi(v); err != nil {
		return wrong("no_share", "Value", v)
	}
	if err := wholeNumber(&n, v, 1, maxShare); err != nil {
		return err
	}
	*dst = Share{Number: int64(n)}
	return nil
}

// cutPercent cuts the sign off a percentage.
func cutPercent(v string) (number string, ok bool) {
	for _, sign := range []string{"%", "％"} {
		if number, ok = strings.CutSuffix(v, sign); ok {
			return strings.TrimSpace(number), true
		}
	}
	return v, false
}
