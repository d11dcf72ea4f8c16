package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/zone"
)

// Start asks the platform again before a planned start what it was asked when the
// broadcast was asked for, since days may have passed: whether the template still fits,
// and whether anything is left of the day's quota, which it returns if that is known. It
// returns how the broadcast stops if it must.
func (c *Checker) Start(ctx context.Context, b *models.Broadcast) (*wechat.Quota, *models.Move) {
	var def message.Definition
	if err := json.Unmarshal([]byte(b.Message), &def); err != nil {
		return nil, nil //nolint:nilerr // whoever fills it in says so
	}
	quota, err := c.Platform(ctx, &def, 0)
	var refused *models.Error
	switch {
	case errors.As(err, &refused):
		c.Log.WarnContext(ctx, "the template of a planned broadcast does not fit any more", "broadcast", b.ID, "err", err)
		return quota, &models.Move{Event: models.EventFail, Reason: models.ReasonTemplate, Detail: misfits(refused)}
	case quota != nil && quota.Remain <= 0 && (b.StartedAt.IsZero() || c.todays(b.StartedAt.Time)): // or it waited for a reset already
		return quota, &models.Move{Event: models.EventStop, Reason: models.ReasonQuota}
	}
	return quota, nil
}

// misfits names the fields in which a message and its template do not fit.
func misfits(refused *models.Error) string {
	var fields []string
	for _, name := range []string{"Missing", "Unknown"} {
		if list := fmt.Sprint(refused.Args[name]); refused.Args[name] != nil && list != "" {
			fields = append(fields, list)
		}
	}
	return strings.Join(fields, ", ")
}

// Quota warns of a quota that is too small for a broadcast. It warns of none that is not
// known, nil, and of none for a broadcast that starts when there is another one.
func (c *Checker) Quota(b *models.Broadcast, quota *wechat.Quota) []Warning {
	if quota == nil || b.Recipients <= quota.Remain || b.StartedAt.IsZero() && !c.todays(b.NotBefore.Time) {
		return nil
	}
	return []Warning{{WarnQuota, map[string]any{
		"Remain": quota.Remain, "Recipients": b.Recipients, "ResumeAt": throttle.QuotaReset(c.Now(), c.ResetAt),
	}}}
}

// todays tells whether a moment has the same daily quota as this one.
func (c *Checker) todays(at time.Time) bool {
	return zone.Day(at.Add(-c.ResetAt)) == zone.Day(c.Now().Add(-c.ResetAt))
}
