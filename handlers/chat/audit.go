package chat

import (
	"context"
	"fmt"
	"strings"
	"time"

	"wechat-broadcast/models"
)

const (
	// auditWithin is how long a reply waits until an admin's action is kept. A command that
	// was carried out is answered without that, too.
	auditWithin = time.Second
	// auditFor is how long a database that does not answer is waited for.
	auditFor = time.Minute
)

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

// Looked keeps for the audit that an admin looked at people in the console: by the command
// that shows them in the chat, or the nearest one, of what, and how. key names the look.
func (c *Chat) Looked(ctx context.Context, openID string, name Name, target, how, key string) {
	target = strings.TrimSpace(target)
	c.keep(ctx, request{from: openID, key: key, text: models.ViaConsole + ": " + how, target: &target}, c.find(name), "")
}

// keep keeps what an admin did. It goes on beside the reply while the database is slow.
// What the database does not take is in the log.
func (c *Chat) keep(ctx context.Context, r request, cmd *command, came string) {
	line := strings.TrimSpace(r.text)
	if came != "" {
		line = came + " · " + line
	}
	a := models.Audit{
		At: models.At(c.now()), Admin: r.from, Action: string(cmd.name), Target: r.object(), Detail: line, MessageKey: r.key,
	}
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		c.addAudit(context.WithoutCancel(ctx), a)
	}()
	waits, cancel := context.WithTimeout(ctx, auditWithin)
	defer cancel()
	select {
	case <-kept:
	case <-waits.Done():
	}
}

func (c *Chat) addAudit(ctx context.Context, a models.Audit) {
	ctx, cancel := context.WithTimeout(ctx, auditFor)
	defer cancel()
	if err := c.config.Audit.AddAudit(ctx, a); err != nil {
		c.log.WarnContext(ctx, "an admin's action is in no database", "at", a.At.Time, "admin", models.MaskOpenID(a.Admin),
			"action", a.Action, "target", quotable(a.Target), "detail", quotable(a.Detail), "message", quotable(a.MessageKey), "err", err)
	}
}
