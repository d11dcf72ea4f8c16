package chat

import (
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/wechat"
)

// causesNamed is how many causes of failures the report on a canary names.
const causesNamed = 3

// askedCanary says of a broadcast that was asked for how many are tried first; known says
// that its recipients are counted.
func (c *Composer) askedCanary(b models.Broadcast, known bool) string {
	switch {
	case b.Canary == models.CanaryAsSet && known && waitsForTime(b):
		return c.say("canary.too_few_yet", nil)
	case b.Canary == models.CanaryAsSet && known:
		return c.say("canary.too_few", nil)
	}
	return c.canaryAhead(b)
}

// canaryAhead says how many are tried first, and what it takes to go on; "" if nobody is.
func (c *Composer) canaryAhead(b models.Broadcast) string {
	resume := c.on(Resume, b.ID)
	switch {
	case !b.TriesFirst():
		return ""
	case b.Canary == models.CanaryAsSet:
		return c.say("canary.some", vars{"Resume": resume})
	}
	return c.say("canary.first", vars{"Count": b.Canary, "Resume": resume})
}

// canary says in a status how far the canary is, or what became of it.
func (c *Composer) canary(st broadcast.Status) string {
	b := st.Broadcast
	switch {
	case b.AwaitsWord():
		return joined([]string{
			c.say("canary.tried", vars{"N": b.Canary, "Total": b.Recipients}), c.canaryCauses(st), c.canaryFindings(st),
		})
	case b.State.Final() || !b.TriesFirst():
		return ""
	case b.CanarySegment == 0:
		return c.canaryAhead(b)
	}
	return c.say("canary.goes", vars{"Done": st.Counts.Known() - st.Counts.Sending, "N": b.Canary, "Resume": c.on(Resume, b.ID)})
}

// canaryCauses says why some of a canary's recipients failed.
func (c *Composer) canaryCauses(st broadcast.Status) string {
	var lines []string
	for _, f := range st.Failures {
		switch {
		case f.State != models.FailedFor:
			continue
		case len(lines) == causesNamed:
			return joined(append(lines, c.say("canary.more_causes", vars{"Status": c.on(Status, st.Broadcast.ID)})))
		}
		lines = append(lines, c.say("canary.cause", vars{"N": f.N, "Why": c.failure(f)}))
	}
	return joined(lines)
}

// canaryFindings says what the counts of the outcomes do not: who was not tried, and what
// the platform intercepted.
func (c *Composer) canaryFindings(st broadcast.Status) string {
	b, n := st.Broadcast, st.Counts
	var lines []string
	if n.Skipped > 0 {
		lines = append(lines, c.say("canary.skipped", vars{"N": n.Skipped}))
	}
	if untried := b.Canary - n.Known(); untried > 0 {
		lines = append(lines, c.say("canary.withdrawn", vars{"N": untried}))
	}
	if b.Intercepted >= 0 {
		lines = append(lines, c.say("canary.intercepted", vars{"N": b.Intercepted}))
	}
	return joined(lines)
}

// failure says why deliveries failed.
func (c *Composer) failure(f models.Failures) string {
	switch {
	case f.ErrCode != 0:
		return c.locale.Refusal(lang.Refusal{Code: f.ErrCode})
	case strings.HasPrefix(f.Detail, "failed"): // by a receipt
		return c.say("canary.unreached", nil)
	}
	return c.say("canary.unfilled", nil)
}

// canaryNotice tells the admin who asked what became of the canary, and how to go on.
func (c *Composer) canaryNotice(st broadcast.Status) string {
	b, n := st.Broadcast, st.Counts
	lines := []string{c.say("canary.notice", vars{"ID": b.ID, "Name": b.Name, "Count": b.Canary, "Total": b.Recipients})}
	for _, o := range outcomes(st) {
		id := "notice." + o.id
		switch o.id {
		case "failed":
			id = "notice.failed_for" // notice.failed is that of the broadcast
		case "accepted":
			id = "canary.outstanding"
		}
		if o.count > 0 {
			lines = append(lines, c.say(id, vars{"N": o.count}))
		}
		if o.id == "failed" {
			lines = append(lines, c.canaryCauses(st))
		}
	}
	lines = append(lines, c.canaryFindings(st))
	if n.Taken()+n.Uncertain > 0 {
		lines = append(lines, c.say("notice.price", vars{"Left": st.Price.Left, "OptedOut": st.Price.OptedOut}))
	}
	v := vars{"Count": max(0, b.Recipients-b.Canary), "Resume": c.on(Resume, b.ID), "Cancel": c.on(Cancel, b.ID)}
	return wechat.FitText(joined(append(lines, c.say("canary.todo", v))))
}

// canaryMark marks a broadcast in a list that tries some first, or waits after that.
func (c *Composer) canaryMark(b models.Broadcast) string {
	switch {
	case b.AwaitsWord():
		return " · " + c.say("canary.listed_waits", vars{"Resume": c.on(Resume, b.ID)})
	case b.State.Final() || !b.TriesFirst():
		return ""
	case b.Canary == models.CanaryAsSet:
		return " · " + c.say("canary.listed", nil)
	}
	return " · " + c.say("canary.listed_first", vars{"N": b.Canary})
}

// resumedCanary says where a resumed broadcast goes on that has a canary; "" if it has none
// or all of it is planned.
func (c *Composer) resumedCanary(b models.Broadcast) string {
	v := vars{"ID": b.ID, "Count": max(0, b.Recipients-b.Canary), "Resume": c.on(Resume, b.ID), "Cancel": c.on(Cancel, b.ID)}
	switch {
	case b.Canary <= 0 || b.StartedAt.IsZero() || !b.PlannedAt.IsZero():
		return ""
	case b.TriesFirst():
		return c.say("canary.resumed_first", v)
	}
	return c.say("canary.resumed", v)
}
