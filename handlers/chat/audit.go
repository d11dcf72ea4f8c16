package chat

import (
	"context"
	"fmt"
	"strings"
	"time"

	"wechat-broadcast/models"
)

// auditWithin is how long keeping an admin's action may take. A command that was carried
// out is answered without it, too.
const auditWithin = time.Second

// about notes which broadcast a command is carried out on.
func (r request) about(id int64) { *r.target = fmt.Sprintf("#%d", id) }

// concerns notes which person a command is carried out on.
func (r request) concerns(openID string) { *r.target = openID }

// object is what a command is carried out on: as its handler noted, or as it was written.
func (r request) object() string {
	switch {
	case *r.target != "":
		return *r.target
	case r.ID != 0:
		return fmt.Sprintf("#%d", r.ID)
	case r.OpenID != "":
		return r.OpenID
	case r.Message != "":
		return r.Message
	default:
		return r.Arg
	}
}

// refusedFor is what a command came to that was refused.
func refusedFor(code string) string { return "refused: " + code }

// came is what a command came to, for the audit; empty if it was carried out.
func (c *Chat) came(err error, asked Command) string {
	switch _, known := c.errorText(err, asked); {
	case err == nil:
		return ""
	case !known, code(err) == models.ErrNotKnownYet:
		return models.AuditUnknown
	default:
		return refusedFor(code(err))
	}
}

// keep keeps what an admin did. What the database does not take is in the log.
func (c *Chat) keep(ctx context.Context, r request, cmd *command, came string) {
	line := strings.TrimSpace(r.text)
	if came != "" {
		line = came + " · " + line
	}
	a := models.Audit{
		At: models.At(c.now()), Admin: r.from, Action: string(cmd.name), Target: r.object(), Detail: line, MessageKey: r.key,
	}
	ctx, cancel := context.WithTimeout(ctx, auditWithin)
	defer cancel()
	if err := c.config.Audit.AddAudit(ctx, a); err != nil {
		c.log.WarnContext(ctx, "an admin's action is in no database", "at", a.At.Time, "admin", models.MaskOpenID(a.Admin),
			"action", a.Action, "target", quotable(a.Target), "detail", quotable(a.Detail), "message", quotable(a.MessageKey), "err", err)
	}
}
