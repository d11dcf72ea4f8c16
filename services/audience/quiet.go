package audience

import (
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/zone"
)

// QuietUntil returns when a broadcast may be sent that must not be sent at a moment
// because of the quiet hours; zero if it may.
func QuietUntil(b *models.Broadcast, quiet zone.Hours, at time.Time) time.Time {
	if !Of(b).Guarded || b.AnyHour || !quiet.Contains(at) {
		return time.Time{}
	}
	return quiet.End(at)
}
