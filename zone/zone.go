// Package zone has the time zone of the platform and of its followers.
package zone

import "time"

// Beijing is the zone in which people read times and in which the platform's days
// begin. China has had no daylight saving time since 1991, so a fixed offset
// needs no time zone database.
var Beijing = time.FixedZone("CST", 8*60*60)

// Day returns the date of a moment, such as 2026-11-24.
func Day(t time.Time) string { return t.In(Beijing).Format(time.DateOnly) }

// Midnight returns when the day of a moment began; days more than 0 is for a later
// day.
func Midnight(t time.Time, days int) time.Time {
	y, m, d := t.In(Beijing).Date()
	return time.Date(y, m, d+days, 0, 0, 0, 0, Beijing)
}
