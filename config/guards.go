package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"wechat-broadcast/zone"
)

// hours takes hours of the day such as 22:00-08:00.
func hours(dst *zone.Hours, v string) error {
	h, err := zone.ParseHours(v)
	switch {
	case errors.Is(err, zone.ErrEqualHours):
		return wrong("equal_hours", "Value", v)
	case err != nil:
		return wrong("no_hours", "Value", v)
	}
	*dst = h
	return nil
}

// PerTime is a number of things within a length of time. The zero PerTime is no limit.
type PerTime struct {
	Count  int
	Within time.Duration
}

// String returns it as the setting has it, such as 3/24h0m0s; empty for no limit.
func (p PerTime) String() string {
	if p.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%s", p.Count, daysText(p.Within))
}

// daysText returns a length of time as days reads it; empty for none.
func daysText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	if d%day == 0 && d > day {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = strings.TrimSuffix(text, zero[1:])
		}
	}
	return text
}

// Deliveries must stay for as long as anything asks for them: 24 hours after its end a
// broadcast stands in the way of the same one, and what people left because of it is
// counted; within a day before a broadcast its test counts.
const leastKept, mostKept = 2 * day, 3650 * day

// retention takes a length of time such as 90d.
func retention(dst *time.Duration, v string) error {
	d, err := days(v)
	switch {
	case err != nil:
		return wrong("no_days", "Value", v)
	case d < leastKept || d > mostKept:
		return wrong("between", "Value", v, "Low", daysText(leastKept), "High", daysText(mostKept))
	}
	*dst = d
	return nil
}

// checkRetention refuses to delete deliveries that the cap per person still counts.
func (l *loader) checkRetention() {
	keep, limit := l.values.Retention, l.values.MaxPerFollower
	if keep > 0 && limit.Count > 0 && keep < limit.Within {
		l.fault("RETENTION", l.under(), wrong("short_retention", "Value", daysText(keep), "Cap", limit.String()),
			hint("long_retention", "Least", daysText(max(limit.Within, leastKept))))
	}
}

const (
	mostPerTime           = 1000
	day                   = 24 * time.Hour
	leastWithin, mostDays = time.Minute, 365
)

// perTime takes a number within a time, such as 3/24h or 5/7d.
func perTime(dst *PerTime, v string) error {
	number, within, found := strings.Cut(v, "/")
	count, err := strconv.Atoi(strings.TrimSpace(number))
	if !found || err != nil {
		return wrong("no_per_time", "Value", v)
	}
	lasts, err := days(strings.TrimSpace(within))
	switch {
	case err != nil:
		return wrong("no_per_time", "Value", v)
	case count < 1 || count > mostPerTime:
		return wrong("between", "Value", number, "Low", 1, "High", mostPerTime)
	case lasts < leastWithin || lasts > mostDays*day:
		return wrong("between", "Value", within, "Low", "1m", "High", strconv.Itoa(mostDays)+"d")
	}
	*dst = PerTime{Count: count, Within: lasts}
	return nil
}

// days reads a length of time, which may be a whole number of days: 7d.
func days(v string) (time.Duration, error) {
	number, isDays := strings.CutSuffix(v, "d")
	if !isDays {
		return time.ParseDuration(v)
	}
	n, err := strconv.ParseUint(number, 10, 16)
	return time.Duration(n) * day, err
}
