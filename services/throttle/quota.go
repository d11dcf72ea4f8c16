package throttle

import (
	"time"

	"wechat-broadcast/zone"
)

const (
	resetWithin = 2 * time.Hour    // how late the platform may reset a quota …
	resetRetry  = 10 * time.Minute // … and how often it is tried meanwhile
)

// QuotaReset returns when the platform's daily quota should be there again, seen from
// now: at the next reset, which is a span after midnight in Beijing. Shortly after one,
// when the quota is still gone, it is asked for again soon, since the platform's hour is
// known from the field only.
func QuotaReset(now time.Time, afterMidnight time.Duration) time.Time {
	at := zone.Midnight(now, 0).Add(afterMidnight)
	switch {
	case at.After(now):
		return at
	case now.Sub(at) < resetWithin:
		return now.Add(resetRetry)
	}
	return at.AddDate(0, 0, 1)
}
