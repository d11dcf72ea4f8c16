package chat

import (
	"context"
	"fmt"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/wechat"
)

const (
	// maxWhy is how much is kept of why a broadcast was rejected, in runes.
	maxWhy = 200
	// namedApprovers is how many admins the reply to a request names.
	namedApprovers = 5
)

// approve lets a broadcast of another admin go.
func (c *Chat) approve(ctx context.Context, r request) (string, error) {
	done, err := c.config.Approvals.Approve(ctx, r.ID, r.from)
	if err != nil {
		return "", err
	}
	b := done.Broadcast
	v := c.startVars(b)
	v["Audience"], v["At"] = c.audience(b), c.atStart(b)
	v["Count"] = int64(max(0, b.Approvals-len(done.By)))
	title := c.say("title", vars{"ID": b.ID, "Name": b.Name, "Audience": v["Audience"]})
	if b.State == models.Pending {
		return joined([]string{title, c.say("approve.missing", v)}), nil
	}
	if b.State == models.Paused {
		return joined([]string{title, c.say("approve.restored", nil), c.reason(b), c.todo(b)}), nil
	}
	return joined([]string{title, c.say("approve.done", nil), c.starts(b)}), nil
}

// reject cancels a broadcast of another admin.
func (c *Chat) reject(ctx context.Context, r request) (string, error) {
	why := clip(strings.TrimSpace(oneLine(r.Arg)), maxWhy)
	b, err := c.config.Approvals.Reject(ctx, r.ID, r.from, why)
	if err != nil {
		return "", err
	}
	return joined([]string{
		c.say("title", vars{"ID": b.ID, "Name": b.Name, "Audience": c.audience(*b)}), c.say("reject.done", vars{"Why": why}),
	}), nil
}

// starts says when an approved broadcast starts, and how to stop it.
func (c *Composer) starts(b models.Broadcast) string {
	v := c.startVars(b)
	wait := b.StartsIn(c.now())
	switch {
	case waitsForTime(b) && wait < -models.StartsWithin:
		v["At"] = c.moment(b.PlannedStart.Time)
		return c.say("approve.missed", v)
	case waitsForTime(b) && wait > 0:
		return c.say("approve.waits", v)
	case wait > 0:
		return c.say("asked.window", v)
	default:
		return c.say("asked.now", v)
	}
}

// atStart is the planned start of a broadcast in words; empty for none.
func (c *Composer) atStart(b models.Broadcast) string {
	if b.PlannedStart.IsZero() {
		return ""
	}
	return c.moment(b.PlannedStart.Time)
}

// until is when a broadcast that waits for approvals is cancelled.
func (c *Composer) until(b models.Broadcast) string {
	return c.moment(b.PendingSince.Add(models.ApprovalWithin))
}

// nameOf is how an admin is called: by the name that they were given, or by a part of
// their OpenID.
func nameOf(names map[string]string, openID string) string {
	if name := names[openID]; name != "" {
		return name
	}
	return models.MaskOpenID(openID)
}

// NameOf is how an admin is called: by the name that they were given, or by a part of their
// OpenID, also while the names can't be read.
func (c *Chat) NameOf(ctx context.Context, openID string) string {
	names, err := c.config.Followers.Names(ctx)
	if err != nil {
		c.log.DebugContext(ctx, "read the names of people", "err", err)
	}
	return nameOf(names, openID)
}

// namesOf are those of several admins, and how many more there are.
func (c *Composer) namesOf(names map[string]string, openIDs []string) string {
	var all []string
	for _, openID := range openIDs[:min(len(openIDs), namedApprovers)] {
		all = append(all, clip(nameOf(names, openID), 24))
	}
	text := strings.Join(all, c.say("list_separator", nil))
	if more := len(openIDs) - len(all); more > 0 {
		text += c.say("approval.more", vars{"Count": int64(more)})
	}
	return text
}

// askedApproval tells who asked for a broadcast that it waits for approvals, and whose.
func (c *Composer) askedApproval(asked *broadcast.Created) string {
	b := asked.Broadcast
	v := vars{
		"Count": int64(len(asked.Approvers)), "Who": c.namesOf(asked.Names, asked.Approvers), "At": c.atStart(b), "Until": c.until(b),
		"Cancel": c.on(Cancel, b.ID), "Add": c.write(AdminsAdd, ""),
	}
	lines := []string{c.say("asked.pending", vars{"Count": int64(b.Approvals), "At": v["At"], "Until": v["Until"]})}
	switch {
	case len(asked.Approvers) < b.Approvals:
		lines = append(lines, c.say("asked.too_few", v))
	default:
		lines = append(lines, c.say("asked.told", v))
	}
	if asked.Instead != 0 {
		lines = append(lines, c.say("asked.instead_pending", vars{"ID": asked.Instead, "Rest": c.on(Rest, asked.Instead)}))
	}
	return joined(append(lines, c.say("asked.pending_cancel", v)))
}

// pendingText is where a broadcast stands that waits for approvals: who asked for what,
// how it will look, and how to say whether it goes.
func (c *Composer) pendingText(st broadcast.Status) string {
	b := st.Broadcast
	v := vars{
		"ID": b.ID, "Name": b.Name, "Audience": c.audience(b), "Count": b.Recipients, "Who": clip(nameOf(st.Names, b.AskedBy), 24),
		"At": c.atStart(b), "N": int64(b.Approvals), "Have": int64(len(st.Approved)), "By": c.namesOf(st.Names, st.Approved), "Until": c.until(b),
		"Approve": c.on(Approve, b.ID), "Reject": c.on(Reject, b.ID), "Cancel": c.on(Cancel, b.ID),
	}
	var card []string
	if st.Message.TemplateID != "" {
		card = c.card(st.Template, st.Message)
	}
	restored := ""
	if b.SurelyRestored() {
		restored = joined([]string{c.gapText("reason", b), c.gapText("pending", b)})
	}
	return c.withCard(joined([]string{c.say("notice.pending", v), restored, c.link(b.ID)}), card, c.say("pending.todo", v))
}

// approvedNotice tells who asked for a broadcast that it was approved, and when it starts.
func (c *Composer) approvedNotice(st broadcast.Status) string {
	b := st.Broadcast
	v := vars{"ID": b.ID, "Name": b.Name, "Audience": c.audience(b), "By": c.namesOf(st.Names, st.Approved)}
	return wechat.FitText(joined([]string{c.say("notice.approved", v), c.starts(b), c.link(b.ID)}))
}

// rejected says who rejected a broadcast, and why.
func (c *Composer) rejected(st broadcast.Status) string {
	who, why, _ := strings.Cut(st.Broadcast.Detail, " ")
	return c.say("reason.rejected", vars{"Detail": nameOf(st.Names, who), "Why": why})
}

// untestedText says how to test what was asked for.
func (c *Composer) untestedText(e *models.Error, asked Command) string {
	name := fmt.Sprint(e.Args["Name"])
	return c.say("error."+e.Code, vars{"Name": clip(name, maxNamed), "Test": c.test(asked, name), "Me": c.write(BroadcastMe, "")})
}
