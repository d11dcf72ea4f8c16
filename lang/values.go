package lang

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"wechat-broadcast/zone"
)

// write returns a value as a person writes it.
func (l *Locale) write(name string, value any) string {
	switch v := value.(type) {
	case int:
		return l.integer(name, int64(v))
	case int64:
		return l.integer(name, v)
	case time.Duration:
		return l.Span(v)
	case time.Time:
		return Minute(v)
	case []string:
		return strings.Join(v, l.Say("list_separator"))
	case Words:
		return v.In(l)
	case nil:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

// names are the Vars whose numbers name something: a broadcast, an error code, a line, a place in an array.
var names = []string{"ID", "Of", "Retry", "Code", "Line", "First", "Index"}

func (l *Locale) integer(name string, n int64) string {
	if slices.Contains(names, name) {
		return strconv.FormatInt(n, 10)
	}
	return l.Number(n)
}

// Number writes n with separators, such as 1,234.
func (l *Locale) Number(n int64) string { return humanize.Comma(n) }

// Percent writes part of whole, without a sign and with at most one decimal. Only
// nothing is 0 and only everything is 100.
func Percent(part, whole int64) string {
	switch {
	case whole <= 0 || part <= 0:
		return "0"
	case part >= whole:
		return "100"
	}
	p := math.Round(float64(part)/float64(whole)*1000) / 10
	return strconv.FormatFloat(min(max(p, 0.1), 99.9), 'f', -1, 64)
}

// Span writes a duration in words, as exactly as one would say it.
func (l *Locale) Span(d time.Duration) string {
	seconds := int64(max(d, 0).Round(time.Second) / time.Second)
	minutes := (seconds + 30) / 60
	switch {
	case seconds < 90:
		return l.Say("span.seconds", Vars{"N": seconds})
	case minutes < 90:
		return l.Say("span.minutes", Vars{"N": minutes})
	case minutes < 36*60:
		return l.Say("span.hours", Vars{"N": minutes / 60, "Minutes": minutes % 60})
	default:
		return l.Say("span.days", Vars{"N": (minutes + 12*60) / (24 * 60)})
	}
}

// Moment writes a moment in Beijing time, to the second, and – for none.
func Moment(t time.Time) string { return in(t, time.DateTime) }

// Minute writes a moment of this year in Beijing time, to the minute, and – for none.
func Minute(t time.Time) string { return in(t, "01-02 15:04") }

// Clock writes the time of day in Beijing, to the second, and – for none.
func Clock(t time.Time) string { return in(t, time.TimeOnly) }

// HourMinute writes the time of day in Beijing, to the minute, and – for none.
func HourMinute(t time.Time) string { return in(t, "15:04") }

func in(t time.Time, layout string) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(zone.Beijing).Format(layout)
}
