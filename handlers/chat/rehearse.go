package chat

import (
	"context"
	"errors"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/wechat"
)

// Rehearsed is what would come of a command that asks for a broadcast, in words.
type Rehearsed struct {
	// Refused is what the reply would say instead of beginning it; empty if it would begin.
	Refused string
	// Says are sentences: to whom and to how many it would go, when it would start, and who
	// would have to approve it.
	Says []string
	// Parts are the groups of its audience in numbers, and Warnings what there is to mind.
	Parts, Warnings []string
	// Recipients is how many it would go to; Counted is false if that is not known yet.
	Recipients int64
	Counted    bool
	// Message is how it would look, with its template.
	Message  wechat.Message
	Template wechat.Template
}

// Rehearse says what would come of a command that asks for a broadcast if openID sent it
// now. Nothing is stored and nobody is written to. An error is one of the database.
func (c *Chat) Rehearse(ctx context.Context, openID string, asked Command) (Rehearsed, error) {
	asked.complete(c.find(asked.Name))
	r := request{Command: asked, from: openID, role: c.config.Roles.RoleOf(ctx, openID), target: new(string)}
	cmd := c.find(asked.Name)
	switch {
	case !r.role.May(cmd.role):
		return Rehearsed{Refused: c.tooLow(cmd, r.role)}, nil
	case r.Fault != "":
		return Rehearsed{Refused: c.withOtherFaults(ctx, cmd, r)}, nil
	}
	q, err := c.asks(ctx, r)
	if err == nil {
		var would *broadcast.Created
		if would, err = c.config.Engine.Rehearse(ctx, q); err == nil {
			return c.rehearsed(would), nil
		}
	}
	refused, err := c.Refusal(err, asked)
	return Rehearsed{Refused: refused}, err
}

// Refusal says what an error of a service means for a command that was sent, as the reply
// to it would. An error that has no words for an admin is returned.
func (c *Composer) Refusal(err error, asked Command) (string, error) {
	if text, known := c.errorText(err, asked); known {
		return text, nil
	}
	return "", err
}

// Faults is Refusal, with each thing that is wrong with a message by itself, and nothing
// before them.
func (c *Composer) Faults(err error, asked Command) ([]string, error) {
	var e *models.Error
	if errors.As(err, &e) && (e.Code == models.ErrMessageNotSaved || e.Code == models.ErrContent) {
		if reason, ok := e.Args["Reason"].(error); ok {
			return c.locale.faults(reason), nil
		}
	}
	text, err := c.Refusal(err, asked)
	if text == "" {
		return nil, err
	}
	return []string{text}, nil
}

// Takes says what the platform takes in a field of that key; empty if it takes any text.
func (c *Composer) Takes(key string) string {
	return c.locale.SayIf("field.like." + strings.TrimRight(key, "0123456789"))
}

// Cut says that the platform shows a field shortened.
func (c *Composer) Cut(f wechat.Field) string {
	return c.say("warning.cut", vars{"Field": f.Key, "Value": f.Value})
}

// rehearsed says what would be begun.
func (c *Composer) rehearsed(would *broadcast.Created) Rehearsed {
	b := would.Broadcast
	v := c.startVars(b)
	v["Audience"], v["Count"] = c.audience(b), would.Recipients
	to := "rehearsed.to"
	if would.SyncFirst {
		to = "rehearsed.sync_first"
	}
	says := []string{c.say(to, v), c.whoseCount(would)}
	says = append(says, c.rehearsedCanary(b, !would.SyncFirst), c.rehearsedStart(would))
	if b.AnyHour && !would.Quiet.None() {
		says = append(says, c.say("asked.any_hour", vars{"Hours": would.Quiet.String()}))
	}
	if b.State == models.Pending {
		says = append(says, c.rehearsedApproval(would))
	}
	if would.Instead != 0 {
		says = append(says, c.say("rehearsed.instead", vars{"ID": would.Instead}))
	}
	return Rehearsed{
		Says: nonEmpty(says), Parts: c.parts(would.Parts), Warnings: c.warnings(0, would.Warnings),
		Recipients: would.Recipients, Counted: !would.SyncFirst && !would.Announced && !would.Listed, Message: would.Message, Template: would.Template,
	}
}

func nonEmpty(lines []string) (kept []string) {
	for _, line := range lines {
		if line != "" {
			kept = append(kept, line)
		}
	}
	return kept
}

// rehearsedCanary says how many would be tried first.
func (c *Composer) rehearsedCanary(b models.Broadcast, counted bool) string {
	switch {
	case b.Canary == 0:
		return ""
	case b.Canary == models.CanaryAsSet && counted:
		return c.askedCanary(b, counted)
	case b.Canary == models.CanaryAsSet:
		return c.say("rehearsed.canary", vars{"Count": int64(0), "N": ""})
	}
	return c.say("rehearsed.canary", vars{"Count": b.Canary, "N": b.Canary})
}

// rehearsedStart says when it would start.
func (c *Composer) rehearsedStart(would *broadcast.Created) string {
	b := would.Broadcast
	v := c.startVars(b)
	v["Planned"] = c.atStart(b)
	wait := b.StartsIn(c.now())
	switch {
	case b.Audience.Trial():
		return c.say("rehearsed.now", nil)
	case b.WaitsForQuietEnd() && wait > 0:
		return c.say("rehearsed.quiet", v)
	case !b.PlannedStart.IsZero():
		return c.say("rehearsed.planned", v)
	case b.State == models.Pending: // it starts when it is approved
		return ""
	case wait > 0:
		return c.say("rehearsed.window", v)
	default:
		return c.say("rehearsed.now", nil)
	}
}

// rehearsedApproval says whose approval it would take.
func (c *Composer) rehearsedApproval(would *broadcast.Created) string {
	v := vars{"Count": int64(would.Broadcast.Approvals), "Who": c.namesOf(would.Names, would.Approvers), "Add": c.write(AdminsAdd, "")}
	if len(would.Approvers) < would.Broadcast.Approvals {
		return c.say("rehearsed.too_few", v)
	}
	return c.say("rehearsed.approval", v)
}
