package broadcast

import (
	"context"
	"slices"
	"time"

	"wechat-broadcast/models"
)

// approvers returns the OpenIDs of those who could approve a broadcast.
func (e *Engine) approvers(ctx context.Context, b *models.Broadcast) []string {
	if e.senders == nil {
		return nil
	}
	return slices.DeleteFunc(e.senders(ctx), func(openID string) bool { return openID == b.AskedBy })
}

// names returns the names that admins gave to people, by OpenID; none if the database does
// not tell.
func (e *Engine) names(ctx context.Context) map[string]string {
	people, err := e.store.Named(ctx)
	if err != nil {
		e.log.DebugContext(ctx, "read the names of people", "err", err)
	}
	names := map[string]string{}
	for _, r := range people {
		names[r.OpenID] = r.Name
	}
	return names
}

// addApproval adds to a Status what those need to know who may approve the broadcast.
func (e *Engine) addApproval(ctx context.Context, st *Status) error {
	b := st.Broadcast
	said, err := e.store.Approvals(ctx, b.ID)
	if err != nil {
		return err
	}
	st.Approvers, st.Names = e.approvers(ctx, &b), e.names(ctx)
	st.Approved = slices.DeleteFunc(said, func(openID string) bool { return !slices.Contains(st.Approvers, openID) })
	if b.State != models.Pending {
		return nil
	}
	if m, err := e.Preview(ctx, b); err == nil {
		st.Message = m
		st.Template, _ = e.messages.Template(ctx, m.TemplateID)
	}
	return nil
}

// StartOf returns from when a broadcast may be sent that is approved now: the end of the
// undo window, its planned start, or the end of the quiet hours, for which why says so. If
// the planned start passed too long ago it is that all the same, so that the broadcast
// counts as missed.
func (e *Engine) StartOf(b *models.Broadcast) (at time.Time, why string) {
	if !b.PlannedStart.IsZero() && e.now().Sub(b.PlannedStart.Time) > models.StartsWithin {
		return b.PlannedStart.Time, ""
	}
	return e.notBefore(b)
}

// Wake has the scheduler look at the broadcasts at once.
func (e *Engine) Wake() { e.wake() }
