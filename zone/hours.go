package zone

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Hours are the same hours of every day in Beijing. They may span midnight. The zero
// Hours are none.
type Hours struct {
	// From is when they begin and To when they end, both after midnight.
	From, To time.Duration
}

// The errors of ParseHours.
var (
	ErrNoHours    = errors.New("no hours such as 22:00-08:00")
	ErrEqualHours = errors.New("the hours end when they begin")
)

const clock = "15:04"

// ParseHours reads hours such as 22:00-08:00. The error is ErrNoHours or ErrEqualHours.
func ParseHours(text string) (Hours, error) {
	from, to, found := strings.Cut(text, "-")
	if !found {
		return Hours{}, ErrNoHours
	}
	var h Hours
	for _, end := range []struct {
		text string
		at   *time.Duration
	}{{from, &h.From}, {to, &h.To}} {
		t, err := time.Parse(clock, strings.TrimSpace(end.text))
		if err != nil {
			return Hours{}, ErrNoHours
		}
		*end.at = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	if h.None() {
		return Hours{}, ErrEqualHours
	}
	return h, nil
}

// None tells whether there are no such hours.
func (h Hours) None() bool { return h.From == h.To }

// String returns the hours as ParseHours reads them; empty for none.
func (h Hours) String() string {
	if h.None() {
		return ""
	}
	at := func(d time.Duration) string { return time.Time{}.Add(d).Format(clock) }
	return fmt.Sprintf("%s-%s", at(h.From), at(h.To))
}

// Contains tells whether a moment is in the hours. The moment when they begin is, that
// when they end is not.
func (h Hours) Contains(t time.Time) bool {
	of := t.Sub(Midnight(t, 0))
	if h.From <= h.To {
		return h.From <= of && of < h.To
	}
	return of >= h.From || of < h.To
}

// End returns when the hours that contain a moment end.
func (h Hours) End(t time.Time) time.Time {
	end := Midnight(t, 0).Add(h.To)
	if !end.After(t) {
		end = Midnight(t, 1).Add(h.To)
	}
	return end
}
