package chat

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/canary"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/zone"
)

// scheduleTitle is how many runes of a message's name the schedule shows.
const scheduleTitle = 24

// startAt reads the time that a broadcast was asked for; zero for none. If that is no
// time, the error says as well what else is wrong with what was asked for.
func (c *Chat) startAt(ctx context.Context, r request) (time.Time, error) {
	if r.At == "" {
		return time.Time{}, nil
	}
	at, err := when(r.At, c.now())
	if err == nil {
		return at, nil
	}
	return time.Time{}, errors.Join(err, c.misasked(ctx, r))
}

// misasked says what is wrong with the message that is asked for, the changes of it, the
// groups, and the number of an earlier broadcast; nil if nothing is known to be.
func (c *Chat) misasked(ctx context.Context, r request) error {
	var all []error
	if r.Fault != FaultTrial { // which says the same of a canary
		all = append(all, canary.Check(audiences[r.Name], r.Canary))
	}
	if r.ID != 0 {
		_, err := c.config.Engine.Status(ctx, r.ID)
		all = append(all, err)
	}
	if r.Message != "" || r.Name != Rest { // the rest of a broadcast has a message
		_, err := c.config.Messages.Resolve(ctx, r.Message, changes(r.Fields))
		all = append(all, err)
	}
	if len(r.Groups)+len(r.Except) > 0 {
		_, err := c.config.Engine.Target(ctx, broadcast.Request{Groups: groups(r.Command), Except: r.Except})
		all = append(all, err)
	}
	return errors.Join(slices.DeleteFunc(all, func(err error) bool {
		kind := models.KindOf(err)
		return kind != models.Invalid && kind != models.NotFound
	})...)
}

// moment writes a moment to come or past with its date and weekday, in Beijing time.
func (c *Composer) moment(at time.Time) string {
	at = at.In(zone.Beijing)
	layout := "moment.other_year"
	if at.Year() == c.now().In(zone.Beijing).Year() {
		layout = "moment.this_year"
	}
	return c.say("moment.text", vars{
		"Date": at.Format(c.say(layout, nil)), "Clock": at.Format("15:04"),
		"Weekday": c.say("weekday."+strings.ToLower(at.Weekday().String()), nil),
	})
}

// waitsForTime tells whether a broadcast has a planned start and has not begun.
func waitsForTime(b models.Broadcast) bool {
	return !b.PlannedStart.IsZero() && b.StartedAt.IsZero() && !b.State.Final()
}

// startVars are what sentences say of the start of a broadcast that waits for it.
func (c *Composer) startVars(b models.Broadcast) vars {
	return vars{
		"ID": b.ID, "Name": b.Name, "State": c.state(b), "In": b.StartsIn(c.now()), "At": c.moment(b.NotBefore.Time),
		"Cancel": c.on(Cancel, b.ID), "Resume": c.on(Resume, b.ID), "Pause": c.on(Pause, b.ID), "Reschedule": c.on(Reschedule, b.ID),
	}
}

// resumedText says that a broadcast goes on, and when if it has not begun.
func (c *Composer) resumedText(b models.Broadcast) string {
	v := c.startVars(b)
	switch text := c.resumedCanary(b); {
	case b.WaitsForQuietEnd() && b.NotBefore.After(c.now()):
		return c.quietText("resume.quiet", b)
	case text != "":
		return text
	case !waitsForTime(b):
		return c.say("resumed", v)
	case b.NotBefore.After(c.now()):
		return c.say("resume.waits", v)
	}
	v["At"] = c.moment(b.PlannedStart.Time)
	return c.say("resume.passed", v)
}

// reschedule plans the start of a broadcast for another time.
func (c *Chat) reschedule(ctx context.Context, r request) (string, error) {
	at, err := when(r.At, c.now())
	if err != nil {
		return "", err
	}
	b, err := c.config.Engine.Reschedule(ctx, r.ID, at, r.from)
	if err != nil {
		return "", err
	}
	switch b.State {
	case models.Paused:
		return c.say("rescheduled.paused", c.startVars(*b)), nil
	case models.Pending:
		v := c.startVars(*b)
		v["Count"] = int64(b.Approvals)
		return c.say("rescheduled.pending", v), nil
	default:
	}
	if b.WaitsForQuietEnd() {
		return c.quietText("rescheduled.quiet", *b), nil
	}
	return c.say("rescheduled.waits", c.startVars(*b)), nil
}

// schedule lists what waits for its time.
func (c *Chat) schedule(ctx context.Context, _ request) (string, error) {
	waiting, err := c.config.Engine.Waiting(ctx)
	if err != nil {
		return "", err
	}
	if len(waiting) == 0 {
		return c.say("schedule.empty", vars{"Command": c.write(BroadcastAll, "")}), nil
	}
	items := make([]string, len(waiting))
	for i, b := range waiting {
		v := c.startVars(b)
		v["Name"], v["Paused"] = clip(b.Name, scheduleTitle), ""
		if b.State == models.Paused {
			v["Paused"] = "paused"
		}
		v["To"] = c.audience(b)
		if b.Recipients > 0 && b.Audience != models.AudienceMe {
			v["To"] = c.say("schedule.to", vars{"Audience": c.audience(b), "Count": b.Recipients})
		}
		id := "schedule.item"
		if b.State == models.Pending {
			id = "schedule.pending"
			v["At"] = c.atStart(b)
		}
		items[i] = "\n" + c.say(id, v) + c.canaryMark(b)
		if b.WaitsForQuietEnd() {
			items[i] += "\n" + c.say("schedule.quiet", v)
		}
	}
	head := c.say("schedule.head", vars{"Reschedule": c.write(Reschedule, ""), "Cancel": c.write(Cancel, "")})
	return fitList(head, items, c.more), nil
}

// startedNotice tells the admin that a planned broadcast has started, and how to stop it.
func (c *Composer) startedNotice(st broadcast.Status) string {
	b := st.Broadcast
	v := c.startVars(b)
	v["Audience"], v["Count"] = c.audience(b), b.Recipients
	text := joined([]string{c.say("notice.started", v), c.canaryAhead(b)})
	return wechat.FitText(fitList(text, c.warnings(b.ID, st.Warnings), c.more))
}
