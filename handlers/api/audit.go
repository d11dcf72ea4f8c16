package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/models"
)

// auditWithin is how long an answer waits until it is kept what the token did.
const auditWithin = time.Second

// keep keeps what a token did, and what it came to. What the database does not take is in the
// log.
func (a *API) keep(c *call, row models.Audit, came error) {
	row.At, row.Admin, row.MessageKey = models.At(a.Now()), c.token.Asker(), "api:"+uuid.NewString()
	switch code := chat.ErrorCode(came); {
	case came == nil:
	case code == "", code == models.ErrNotKnownYet:
		row.Detail = models.AuditUnknown + " · " + row.Detail
	default:
		row.Detail = "refused: " + code + " · " + row.Detail
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), auditWithin)
	defer cancel()
	if err := a.Store.AddAudit(ctx, row); err != nil {
		a.Log.WarnContext(ctx, "what a token did is in no database", "at", row.At.Time, "token", c.token.Name,
			"action", row.Action, "target", row.Target, "err", err)
	}
	a.Log.InfoContext(ctx, "API request", "token", c.token.Name, "action", row.Action, "target", row.Target, "refused", chat.ErrorCode(came))
}
