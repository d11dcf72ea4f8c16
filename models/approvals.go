package models

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ApprovalWithin is how long a broadcast waits for its approvals before it is cancelled.
const ApprovalWithin = 24 * time.Hour

// untoldApproval is the NotifiedState of a broadcast whose asker does not know yet that it
// was approved.
const untoldApproval = "approved"

// Approval is an admin's word that a broadcast may go as it stands.
type Approval struct {
	BroadcastID int64  `gorm:"primaryKey;autoIncrement:false"`
	OpenID      string `gorm:"column:openid;primaryKey"`
	At          Time
}

// Approved is what came of an approval.
type Approved struct {
	// Broadcast is as it stands now: scheduled, or paused with ReasonRestored, if no approval
	// is missing any more.
	Broadcast Broadcast
	// By are the OpenIDs of those whose approvals count, in their order.
	By []string
}

// Approve stores an admin's approval of a broadcast, and schedules it if enough others
// than its asker approved it who may send now: an owner, or a sender by the database.
// start says from when it may then be sent. If the database was put back to an older state
// meanwhile, it is paused with ReasonRestored instead: it may have been sent already. Who approves twice counts once. What is not
// pending any more is an Error ErrNotPending, the asker's own word ErrOwnApproval, and
// while the account is at stake there is ErrHalted.
func (s *Store) Approve(ctx context.Context, a Approval, owners []string, start func(*Broadcast) (time.Time, string)) (*Approved, error) {
	var done *Approved
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if err := lockRequests(tx); err != nil { // one after the other, and none while a request is stored
			return err
		}
		b, err := pending(tx, a.BroadcastID, a.OpenID, EventApprove, a.At.Time)
		if err != nil {
			return err
		}
		if err := refuseHalted(tx); err != nil {
			return err
		}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&a).Error; err != nil {
			return err
		}
		done = &Approved{}
		if done.By, err = approvers(tx, b.ID, owners); err != nil {
			return err
		}
		if len(done.By) >= b.Approvals {
			notBefore, why := start(b)
			if _, err := s.move(tx, Move{Event: EventApprove, Reason: why, NotBefore: notBefore}, a.At.Time, "id = ?", b.ID); err != nil {
				return err
			}
			if b.SurelyRestored() { // some approved it before
				m := Move{Event: EventRestore, Reason: ReasonRestored, Detail: b.Detail}
				if _, err := s.move(tx, m, a.At.Time, "id = ?", b.ID); err != nil {
					return err
				}
			}
		}
		return tx.Take(&done.Broadcast, b.ID).Error
	})
	if err != nil {
		return nil, wrap(err, "approve broadcast")
	}
	return done, nil
}

// Reject cancels a broadcast that waits for approvals, for a reason that an admin gives;
// empty for none. Its Errors are those of Approve.
func (s *Store) Reject(ctx context.Context, id int64, by, why string, now time.Time) (b *Broadcast, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		if b, err = pending(tx, id, by, EventReject, now); err != nil {
			return err
		}
		detail := by
		if why != "" {
			detail += " " + why
		}
		if _, err := s.move(tx, Move{Event: EventReject, Reason: ReasonRejected, Detail: detail}, now, "id = ?", id); err != nil {
			return err
		}
		return tx.Take(b, id).Error
	})
	return b, wrap(err, "reject broadcast")
}

// pending returns a broadcast, whose row it locks, if an admin may say whether it goes.
func pending(tx *gorm.DB, id int64, by string, on Event, now time.Time) (*Broadcast, error) {
	b, err := first[Broadcast](forUpdate(tx).Where("id = ?", id))
	switch {
	case err != nil:
		return nil, err
	case b == nil:
		return nil, NewError(NotFound, ErrBroadcastUnknown, "ID", id)
	case b.State != Pending:
		return nil, NewError(Conflict, ErrNotPending, "ID", id, "State", string(b.State), "Action", string(on))
	case b.Expired(now): // as the scheduler will say
		return nil, NewError(Conflict, ErrNotPending, "ID", id, "State", string(Cancelled), "Action", string(on))
	case b.AskedBy == by:
		return nil, NewError(Conflict, ErrOwnApproval, "ID", id, "Action", string(on))
	}
	return b, nil
}

// Expired tells whether a broadcast waits for its approvals for too long.
func (b *Broadcast) Expired(now time.Time) bool {
	return b.State == Pending && !now.Before(b.PendingSince.Add(ApprovalWithin))
}

// ApprovalLate tells whether a broadcast that was approved is paused and did not begin within
// StartsWithin of the time for which it was: it takes another time, and approvals for that.
// One that was halted is left to an admin's word, as it can't be rescheduled.
func (b *Broadcast) ApprovalLate(now time.Time) bool {
	_, halted := b.Halted()
	return b.State == Paused && b.Approvals > 0 && b.StartedAt.IsZero() && now.Sub(b.NotBefore.Time) > StartsWithin &&
		(b.Reason == ReasonAdmin || b.Reason == ReasonMissed || b.Reason == ReasonRestored) && !halted
}

// Approvals returns the OpenIDs of those who approved a broadcast, in their order, whether
// or not they may still send.
func (s *Store) Approvals(ctx context.Context, id int64) ([]string, error) {
	said, err := approvals(s.r.WithContext(ctx), id)
	return said, wrap(err, "list approvals")
}

func approvals(tx *gorm.DB, id int64) (said []string, err error) {
	err = tx.Model(&Approval{}).Where("broadcast_id = ?", id).Order("at, openid").Pluck("openid", &said).Error
	return said, err
}

// approvers returns who approved a broadcast and may send now, in their order. Their
// roles stay as they are until the transaction ends.
func approvers(tx *gorm.DB, id int64, owners []string) ([]string, error) {
	said, err := approvals(tx, id)
	if err != nil {
		return nil, err
	}
	var count []string
	for _, openID := range said {
		if !slices.Contains(owners, openID) {
			role, err := roleOf(tx, openID)
			if err != nil {
				return nil, err
			}
			if !role.May(Sender) {
				continue
			}
		}
		count = append(count, openID)
	}
	return count, nil
}
