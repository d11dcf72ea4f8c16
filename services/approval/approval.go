// Package approval takes the words of admins on the broadcasts of others that wait for
// them: may they go, or not.
package approval

import (
	"context"
	"log/slog"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/admins"
)

// Desk takes approvals. All fields are required.
type Desk struct {
	Store  *models.Store
	Admins *admins.Service
	// Start says from when a broadcast may be sent that is approved now, and for which
	// reason it waits until then, empty for none.
	Start func(b *models.Broadcast) (at time.Time, why string)
	// Wake has the scheduler look at the broadcasts at once.
	Wake func()
	Now  func() time.Time
	Log  *slog.Logger
}

// Approve takes an admin's approval of a broadcast, which starts it if no other is
// missing. Its Errors are those of models.Store.Approve.
func (d *Desk) Approve(ctx context.Context, id int64, by string) (*models.Approved, error) {
	a := models.Approval{BroadcastID: id, OpenID: by, At: models.At(d.Now())}
	done, err := d.Store.Approve(ctx, a, d.Admins.Owners(), d.Start)
	if err != nil {
		return nil, err
	}
	d.Log.InfoContext(ctx, "broadcast approved by an admin", "broadcast", id, "admin", models.MaskOpenID(by),
		"approvals", len(done.By), "of", done.Broadcast.Approvals)
	d.Wake()
	return done, nil
}

// Reject cancels a broadcast for a reason that an admin gives; empty for none. Its Errors
// are those of models.Store.Reject.
func (d *Desk) Reject(ctx context.Context, id int64, by, why string) (*models.Broadcast, error) {
	b, err := d.Store.Reject(ctx, id, by, why, d.Now())
	if err != nil {
		return nil, err
	}
	d.Log.InfoContext(ctx, "broadcast rejected by an admin", "broadcast", id, "admin", models.MaskOpenID(by))
	return b, nil
}
