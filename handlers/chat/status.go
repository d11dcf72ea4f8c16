package chat

import (
	"fmt"
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/notify"
	"wechat-broadcast/services/wechat"
)

// statusText says where a broadcast stands.
func (c *Composer) statusText(st broadcast.Status) string {
	b := st.Broadcast
	if b.State == models.Pending {
		return c.pendingText(st)
	}
	return joined([]string{
		c.say("title", vars{"ID": b.ID, "Name": b.Name, "Audience": c.audience(b)}),
		c.progress(st),
		c.counts(st),
		c.price(st),
		c.canary(st),
		c.intercepted("status", b),
		c.pace(st),
		c.withdrawn(b),
		c.waits(st),
		c.why(st),
		c.todo(b),
		c.mend(st),
		c.deleted(b),
		c.link(b.ID),
	})
}

// deleted says that the outcomes of the single recipients are deleted.
func (c *Composer) deleted(b models.Broadcast) string {
	if b.TalliedAt.IsZero() {
		return ""
	}
	return c.say("status.deleted", vars{"At": c.moment(b.TalliedAt.Time)})
}

// mend says what can be done after a broadcast that ended early.
func (c *Composer) mend(st broadcast.Status) string {
	b := st.Broadcast
	if b.State != models.Cancelled && b.State != models.Failed || !b.TalliedAt.IsZero() {
		return ""
	}
	return c.goOn(b, b.Recipients-st.Counts.Known()-st.TakenOver, st.Counts.Taken())
}

// progress is the line with the state and how far it has got.
func (c *Composer) progress(st broadcast.Status) string {
	b := st.Broadcast
	v := vars{"State": c.state(b), "Cancel": c.on(Cancel, b.ID)}
	wait := b.StartsIn(c.now())
	switch {
	case b.WaitsForQuietEnd() && wait > 0:
		return c.quietText("status.quiet", b)
	case waitsForTime(b) && b.State == models.Scheduled && wait > 0:
		return c.say("status.planned", c.startVars(b))
	case waitsForTime(b) && b.State == models.Paused:
		return c.say("status.paused_start", c.startVars(b))
	case b.State == models.Scheduled && wait > 0:
		v["In"] = wait
		return c.say("status.starts", v)
	case b.State == models.Scheduled:
		return c.say("status.due", v)
	case b.State == models.Running && b.Recipients == 0:
		return c.say("status.planning", v)
	}
	done := st.Counts.Known() - st.Counts.Sending
	v["Done"], v["Total"], v["Percent"] = done, b.Recipients, lang.Percent(done, b.Recipients)+"%"
	return c.say("status.progress", v)
}

// counts is the line with what became of those that were tried.
func (c *Composer) counts(st broadcast.Status) string {
	var parts []string
	for _, n := range outcomes(st) {
		if n.count > 0 {
			parts = append(parts, c.say("count."+n.id, vars{"N": n.count}))
		}
	}
	if len(parts) == 0 && st.Broadcast.State.Final() {
		return c.say("status.none", nil)
	}
	return strings.Join(parts, " · ")
}

// price says how many left because of the broadcast, once somebody may have got it.
func (c *Composer) price(st broadcast.Status) string {
	if st.Counts.Accepted+st.Counts.Delivered+st.Counts.Uncertain == 0 {
		return ""
	}
	return c.say("status.price", vars{"Left": st.Price.Left, "OptedOut": st.Price.OptedOut})
}

type outcome struct {
	id    string
	count int64
}

func outcomes(st broadcast.Status) []outcome {
	n, begun := st.Counts, "sending"
	if st.Broadcast.State != models.Running {
		begun = "unsettled" // nothing is sent any more, and what came of the last calls is not known yet
	}
	return []outcome{
		{"delivered", n.Delivered},
		{"accepted", n.Accepted},
		{"blocked", n.Blocked},
		{"failed", n.Failed},
		{"uncertain", n.Uncertain},
		{"skipped", n.Skipped},
		{"put_off", n.Deferred},
		{begun, n.Sending - n.Deferred},
	}
}

// pace is the line with the speed and the time left, or the time it took.
func (c *Composer) pace(st broadcast.Status) string {
	b := st.Broadcast
	if took := b.Took(c.now()); b.State == models.Finished && took > 0 {
		return c.say("status.took", vars{"Took": took})
	}
	var parts []string
	if b.State == models.Running && st.Rate > 0 {
		parts = append(parts, c.say("status.rate", vars{"Rate": max(1, int64(st.Rate+0.5))}))
	}
	if b.State == models.Running && st.Left > 0 {
		parts = append(parts, c.say("status.left", vars{"Left": st.Left}))
	}
	return strings.Join(parts, " · ")
}

// withdrawn says how many recipients were left out because they opted out or left
// after the request.
func (c *Composer) withdrawn(b models.Broadcast) string {
	n := b.Withdrawn()
	if n == 0 {
		return ""
	}
	return c.say("withdrawn", vars{"N": n, "AskedFor": b.AskedFor})
}

// waits says why a running broadcast does not send to some recipients, or to all.
func (c *Composer) waits(st broadcast.Status) string {
	b := st.Broadcast
	if b.State.Final() {
		return ""
	}
	var parts []string
	if b.State == models.Running && st.Stall != nil {
		parts = append(parts, c.say("status.stalled", vars{
			"For": c.now().Sub(st.Stall.Since), "Why": c.stallReason(st.Stall),
		}))
	}
	if b.State == models.Running && st.Slowed {
		parts = append(parts, c.say("status.slowed", nil))
	}
	if st.Counts.Deferred > 0 {
		v := vars{"At": "", "N": st.Counts.Deferred}
		if st.Again.After(c.now()) {
			v["At"] = st.Again
		}
		parts = append(parts, c.say("status.put_off", v))
	}
	return joined(parts)
}

func (c *Composer) stallReason(stall *broadcast.Stall) string {
	id := "stall." + stall.Reason
	if !c.locale.Has(id) {
		id = "stall.unknown"
	}
	return c.say(id, vars{"Detail": c.locale.Answer(stall.Detail)})
}

// stallNotice tells that a broadcast stands still, or that it goes on.
func (c *Composer) stallNotice(kind string, st broadcast.Status) string {
	b := st.Broadcast
	v := vars{"ID": b.ID, "Name": b.Name, "For": c.now().Sub(st.Stall.Since), "Why": c.stallReason(st.Stall)}
	lines := []string{c.say("notice."+kind, v)}
	if kind == notify.Stalled {
		lines = append(lines, c.say("notice.stalled_todo", vars{
			"Status": c.on(Status, b.ID), "Pause": c.on(Pause, b.ID), "Cancel": c.on(Cancel, b.ID),
		}))
	}
	return wechat.FitText(joined(lines))
}

// why says why a broadcast is paused, cancelled or failed.
func (c *Composer) why(st broadcast.Status) string {
	if st.Broadcast.Reason == models.ReasonRejected {
		return c.rejected(st)
	}
	return c.reason(st.Broadcast)
}

// reason says why it is paused, cancelled or failed, but for a word of another admin.
func (c *Composer) reason(b models.Broadcast) string {
	if b.Reason == "" {
		return ""
	}
	id := "reason." + b.Reason
	if b.Reason == models.ReasonMissed && b.Approvals > 0 {
		id += "_approval"
	}
	if b.Reason == models.ReasonAdmin && c.locale.Has(id+"_"+string(b.State)) {
		id += "_" + string(b.State)
	}
	if refusal, _ := lang.ParseRefusal(b.Detail); b.Reason == models.ReasonCredentials && refusal.Code == codeNoPermission {
		id = "reason.permission"
	}
	if tagGone(b) {
		return c.say("reason.tag_gone", vars{"Name": b.Detail})
	}
	if b.Reason == models.ReasonRestored {
		return c.gapReason(b)
	}
	if !c.locale.Has(id) {
		id = "reason.unlisted"
	}
	return c.say(id, vars{
		"Reason": b.Reason, "At": atOrNone(b.FinishedAt), "Detail": c.reasonDetail(b), "Sync": c.write(Sync, ""), "Retry": c.on(Retry, b.ID),
		"Planned": c.moment(b.PlannedStart.Time),
	})
}

// atOrNone is the time of day of a moment, "" for none.
func atOrNone(at models.Time) string {
	if at.IsZero() {
		return ""
	}
	return lang.HourMinute(at.Time)
}

// reasonDetail says what a reason adds: the fields that do not fit, or what
// the platform's code means.
func (c *Composer) reasonDetail(b models.Broadcast) string {
	if b.Reason == models.ReasonMessage || b.Reason == models.ReasonTemplate {
		return b.Detail
	}
	refusal, ok := lang.ParseRefusal(b.Detail)
	if !ok {
		return c.locale.Answer(b.Detail)
	}
	// Of the codes that stop a broadcast for its credentials, these are a token's.
	refusal.Token = b.Reason == models.ReasonCredentials
	return c.locale.Refusal(refusal)
}

// codeNoPermission says that the credentials are right, and the account may not.
const codeNoPermission = 48001

// todo says how a paused broadcast goes on.
func (c *Composer) todo(b models.Broadcast) string {
	switch {
	case b.WaitsForQuietEnd() && b.NotBefore.After(c.now()): // its time is said above
		return c.quietText("todo.quiet_waits", b)
	case b.WaitsForQuietEnd() || b.State == models.Paused && b.Reason == models.ReasonQuiet:
		return c.quietText("todo.quiet", b)
	}
	if b.State != models.Paused {
		return ""
	}
	v := vars{"Resume": c.on(Resume, b.ID), "Cancel": c.on(Cancel, b.ID), "Reschedule": c.on(Reschedule, b.ID), "At": b.ResumeAt}
	if b.ApprovalLate(c.now()) {
		return c.say("todo.approval_late", v)
	}
	if b.Reason == models.ReasonMissed {
		return c.say("todo.missed", v)
	}
	if b.Reason == models.ReasonRestored {
		return c.gapText("todo", b)
	}
	if b.ResumeAt.IsZero() {
		return c.say("todo.resume", v)
	}
	return c.say("todo.resumes", v)
}

// Notice returns what the admin who asked is told when a broadcast ends or
// pauses. kind is one of the engine's Notice… kinds, or
// "cancelled"; an unknown one gets the status.
func (c *Composer) Notice(kind string, st broadcast.Status) string {
	ofStall := kind == notify.Stalled || kind == notify.GoesOn
	if ofStall && st.Stall != nil {
		return c.stallNotice(kind, st)
	}
	if kind == notify.Started {
		return c.startedNotice(st)
	}
	b := st.Broadcast
	switch {
	case b.State == models.Pending: // whatever was to be told, this is to be decided
		return wechat.FitText(c.pendingText(st))
	case kind == notify.Pending: // it was decided meanwhile
		return wechat.FitText(c.statusText(st))
	case kind == notify.Approved, kind == string(models.Scheduled) && b.Approvals > 0:
		return c.approvedNotice(st)
	case kind == notify.Paused && b.AwaitsWord():
		return c.canaryNotice(st)
	}
	id := "notice." + kind
	if ofStall || !noticeKinds[kind] {
		return wechat.FitText(c.statusText(st))
	}
	v := vars{"ID": b.ID, "Name": b.Name, "Took": ""}
	if took := b.Took(c.now()); took > 0 {
		v["Took"] = took
	}
	return wechat.FitText(joined([]string{c.say(id, v), c.why(st), c.noticeCounts(st), c.todo(b), c.mend(st)}))
}

// Halts returns what admins are told of broadcasts that were paused at once: where the
// first one stands, and the numbers of the others.
func (c *Composer) Halts(first broadcast.Status, others []int64) string {
	text := c.Notice(notify.Paused, first)
	if len(others) == 0 {
		return text
	}
	numbers := make([]string, len(others))
	for i, id := range others {
		numbers[i] = fmt.Sprintf("#%d", id)
	}
	head, rest, _ := strings.Cut(text, "\n")
	return wechat.FitText(joined([]string{head, c.say("notice.also", vars{"Numbers": numbers}), rest}))
}

var noticeKinds = map[string]bool{
	notify.Started:  true,
	notify.Finished: true,
	notify.Paused:   true,
	notify.Failed:   true,
	notify.Stalled:  true,
	notify.GoesOn:   true,

	notify.Pending:   true,
	notify.Approved:  true,
	notify.Cancelled: true,
}

// noticeCounts tells the counts: one line for each outcome that occurred.
func (c *Composer) noticeCounts(st broadcast.Status) string {
	n, total := st.Counts, st.Broadcast.Recipients
	if n.Known() == 0 {
		return joined([]string{c.say("status.none", nil), c.withdrawn(st.Broadcast)})
	}
	lines := []string{c.say("notice.taken", vars{
		"Taken": n.Taken(), "Count": total, "Percent": lang.Percent(n.Taken(), total) + "%",
	})}
	for _, o := range outcomes(st) {
		id := "notice." + o.id
		if o.id == "failed" {
			id = "notice.failed_for" // notice.failed is that of the broadcast
		}
		if o.id == "accepted" && st.Broadcast.State == models.Finished {
			id = "notice.outstanding"
		}
		if o.count > 0 {
			lines = append(lines, c.say(id, vars{"N": o.count, "Status": c.on(Status, st.Broadcast.ID)}))
		}
	}
	if left := st.Remaining() - n.Sending; left > 0 {
		lines = append(lines, c.say("notice.left", vars{"N": left}))
	}
	if p := st.Price; p.Left+p.OptedOut > 0 {
		lines = append(lines, c.say("notice.price", vars{"Left": p.Left, "OptedOut": p.OptedOut}))
	}
	return joined(append(lines, c.intercepted("notice", st.Broadcast), c.withdrawn(st.Broadcast)))
}
