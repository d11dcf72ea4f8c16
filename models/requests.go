package models

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// sameWithin is how long the same message to everyone is refused.
const sameWithin = 24 * time.Hour

// ErrMaybeStored says of a request that the database may have stored it: its
// answer to the COMMIT is missing. ConfirmRequest tells.
var ErrMaybeStored = errors.New("the database may have stored it")

// Asked is what a request says beside the broadcast.
type Asked struct {
	// Again allows content that is on its way, or was sent within 24 hours.
	Again bool
	// Instead is a paused broadcast that is cancelled when b is stored, since b is for
	// the rest of it; 0 for none.
	Instead int64
	// Approvals is how many other admins must approve b.
	Approvals int
	// Fills are the names of the fields that the message of b can't be filled without.
	Fills []string
	// RequireTest refuses b unless its content was tested, if it goes to more than the test
	// list.
	RequireTest bool
}

// CreateBroadcast stores b, whose number it sets, unless a broadcast with its
// request key is there already: then it returns that one and false. Content that
// is on its way to some of the same people, or was sent to them within 24 hours, is an
// Error ErrSameMessage unless again (see refuseSame). Two that ask at the same moment come one after the
// other, in this process or in others. The error wraps ErrMaybeStored if it is not
// known whether b was stored.
func (s *Store) CreateBroadcast(ctx context.Context, b *Broadcast, q Asked) (created bool, err error) {
	b.RequestKey = fitKey(b.RequestKey)
	complete := false
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		complete, created = false, false
		if err := lockRequests(tx); err != nil {
			return err
		}
		old, err := request(tx, b.RequestKey)
		if err != nil {
			return err
		}
		if old != nil {
			*b = *old
			return nil
		}
		if err := s.admit(tx, b, q); err != nil {
			return err
		}
		if err := tx.Create(b).Error; err != nil {
			return err
		}
		complete, created = true, true
		return nil
	})
	if err != nil && complete {
		err = fmt.Errorf("%w: %w", ErrMaybeStored, err)
	}
	return created && err == nil, wrap(err, "create broadcast")
}

// admit makes b ready to be stored, unless something forbids it.
func (s *Store) admit(tx *gorm.DB, b *Broadcast, q Asked) error {
	if err := refuseHalted(tx); err != nil {
		return err
	}
	if err := s.refuse(tx, b, q); err != nil {
		return err
	}
	if err := useTopics(tx, b); err != nil {
		return err
	}
	if err := useSegments(tx, b); err != nil {
		return err
	}
	if q.Approvals > 0 {
		b.State, b.Reason, b.Approvals, b.PendingSince = Pending, "", q.Approvals, b.AskedAt
	}
	b.Intercepted = -1
	b.ID, b.AskedFor = 0, b.Recipients   // a try before this one may have set the number
	if b.Target.Unpulled() || b.Listed { // it is the platform's count
		b.AskedFor = 0
	}
	return nil
}

// errRehearsed ends a transaction that is to leave nothing behind.
var errRehearsed = errors.New("rehearsed")

// RehearseBroadcast does what CreateBroadcast does and takes all of it back: b is as it would
// be stored, without a number, and the error is the one that CreateBroadcast would return. A
// request key is not looked at.
func (s *Store) RehearseBroadcast(ctx context.Context, b *Broadcast, q Asked) error {
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if err := lockRequests(tx); err != nil {
			return err
		}
		if err := s.admit(tx, b, q); err != nil {
			return err
		}
		return errRehearsed
	})
	if errors.Is(err, errRehearsed) {
		return nil
	}
	return wrap(err, "rehearse broadcast")
}

// ConfirmRequest returns the broadcast that a request made, or nil. Unlike
// FindRequest it waits for a transaction of CreateBroadcast that may not have
// ended yet, so that its answer stays true.
func (s *Store) ConfirmRequest(ctx context.Context, requestKey string) (b *Broadcast, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		if err := lockRequests(tx); err != nil {
			return err
		}
		b, err = request(tx, requestKey)
		return err
	})
	return b, wrap(err, "confirm request")
}

// request returns the broadcast that a request made, or nil.
func request(tx *gorm.DB, key string) (*Broadcast, error) {
	return first[Broadcast](tx.Where("request_key = ?", fitKey(key)))
}

// lockRequests holds the row of facts that transactions lock that store a request.
func lockRequests(tx *gorm.DB) error { return lockFact(tx, "ask") }

// lockFact holds a row of facts until the transaction ends, so that transactions that do
// the same come one after the other.
func lockFact(tx *gorm.DB, name string) error {
	return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"value"})}).
		Table("facts").Create(map[string]any{"name": name, "value": ""}).Error
}
