package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"wechat-broadcast/zone"
)

// sameWithin is how long the same message to everyone is refused.
const sameWithin = 24 * time.Hour

// ErrMaybeStored says of a request that the database may have stored it: its
// answer to the COMMIT is missing. ConfirmRequest tells.
var ErrMaybeStored = errors.New("the database may have stored it")

// CreateBroadcast stores b, whose number it sets, unless a broadcast with its
// request key is there already: then it returns that one and false. Content that
// is on its way to everyone, or was sent to everyone within 24 hours, is an Error
// ErrSameMessage unless again. Two that ask at the same moment come one after the
// other, in this process or in others. The error wraps ErrMaybeStored if it is not
// known whether b was stored.
func (s *Store) CreateBroadcast(ctx context.Context, b *Broadcast, again bool) (created bool, err error) {
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
		if err := refuseHalted(tx); err != nil {
			return err
		}
		switch {
		case b.Audience == AudienceAll && !again:
			err = refuseSame(tx, b)
		case b.Audience == AudienceRetry:
			err = refuseRetry(tx, b)
		}
		if err != nil {
			return err
		}
		b.ID, b.AskedFor = 0, b.Recipients // a try before this one may have set the number
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

// lockRequests holds a row of facts until the transaction ends, so that transactions
// that store a request come one after the other.
func lockRequests(tx *gorm.DB) error {
	return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"value"})}).
		Table("facts").Create(map[string]any{"name": "ask", "value": ""}).Error
}

// refuseSame refuses what everyone is being sent, or was within sameWithin.
func refuseSame(tx *gorm.DB, b *Broadcast) error {
	var same []Broadcast
	err := tx.Where("digest = ? AND audience IN ?", b.Digest, []Audience{AudienceAll, AudienceRetry}).
		Order("id DESC").Find(&same).Error
	if err != nil {
		return err
	}
	since := b.AskedAt.Add(-sameWithin)
	for _, old := range same {
		if !toEveryone(old, same) {
			continue
		}
		repeats, err := repeated(tx, &old, since)
		if err != nil {
			return err
		}
		if repeats {
			return NewError(Conflict, ErrSameMessage, "ID", old.ID, "Name", old.Name)
		}
	}
	return nil
}

// toEveryone tells whether a broadcast goes to all, or retries one that did. A
// retry has the content of what it retries, so that one is among same.
func toEveryone(b Broadcast, same []Broadcast) bool {
	for b.Audience == AudienceRetry {
		i := slices.IndexFunc(same, func(of Broadcast) bool { return of.ID == b.OfID })
		if i < 0 {
			return false
		}
		b = same[i]
	}
	return b.Audience == AudienceAll
}

// repeated tells whether somebody may be sent a broadcast still, or was since a
// moment.
func repeated(tx *gorm.DB, b *Broadcast, since time.Time) (bool, error) {
	switch {
	case !b.State.Final():
		return true, nil
	case !b.FinishedAt.IsZero() && !b.FinishedAt.After(since): // no send begins after it
		return false, nil
	case b.State == Finished:
		return true, nil
	}
	// It may have been paused for long before it was stopped.
	var sent []int64
	err := tx.Model(&Delivery{}).Where("broadcast_id = ? AND state <> ? AND sent_at > ?", b.ID, FailedFor, At(since)).
		Limit(1).Pluck("recipient_id", &sent).Error
	return len(sent) > 0, err
}

// refuseHalted refuses a broadcast while another one waits for an admin's word
// because the account is at stake.
func refuseHalted(tx *gorm.DB) error {
	halted, err := first[Broadcast](tx.Where("state = ? AND reason = ?", Paused, ReasonAccount).Order("id DESC"))
	if err != nil || halted == nil {
		return err
	}
	return NewError(Conflict, ErrHalted, "ID", halted.ID, "Detail", halted.Detail)
}

// refuseRetry refuses to retry what has not ended, or is being retried.
func refuseRetry(tx *gorm.DB, b *Broadcast) error {
	var of Broadcast
	if err := tx.Take(&of, b.OfID).Error; err != nil {
		return err
	}
	if !of.State.Final() {
		return NewError(Conflict, ErrWrongState, "ID", of.ID, "State", string(of.State), "Action", "retry")
	}
	other, err := first[Broadcast](tx.Where("of_id = ? AND state IN ?", of.ID, []BroadcastState{Scheduled, Running, Paused}))
	if err != nil || other == nil {
		return err
	}
	return NewError(Conflict, ErrRetryRunning, "ID", of.ID, "Retry", other.ID)
}

// FindBroadcast returns a broadcast by its number, or the latest one for 0.
// There being none is an Error of kind NotFound.
func (s *Store) FindBroadcast(ctx context.Context, id int64) (*Broadcast, error) {
	q := s.r.WithContext(ctx).Order("id DESC")
	if id != 0 {
		q = q.Where("id = ?", id)
	}
	b, err := first[Broadcast](q)
	switch {
	case err != nil || b != nil:
		return b, wrap(err, "find broadcast")
	case id != 0:
		return nil, NewError(NotFound, ErrBroadcastUnknown, "ID", id)
	default:
		return nil, NewError(NotFound, ErrNoBroadcast)
	}
}

// FindRequest returns the broadcast that a chat message asked for, or nil.
func (s *Store) FindRequest(ctx context.Context, requestKey string) (*Broadcast, error) {
	b, err := request(s.r.WithContext(ctx), requestKey)
	return b, wrap(err, "find request")
}

// Broadcasts returns the latest n broadcasts, the newest first; with states,
// only those in one of them.
func (s *Store) Broadcasts(ctx context.Context, n int, states ...BroadcastState) ([]Broadcast, error) {
	q := s.r.WithContext(ctx).Order("id DESC").Limit(n)
	if len(states) > 0 {
		q = q.Where("state IN ?", states)
	}
	var list []Broadcast
	err := q.Find(&list).Error
	return list, wrap(err, "list broadcasts")
}

// Unnotified returns the broadcasts that ended or paused by themselves, or began at a
// planned start, and whose admin was not told so yet.
func (s *Store) Unnotified(ctx context.Context) ([]Broadcast, error) {
	var list []Broadcast
	// The mark of a final state is its name (NoticeMark); most broadcasts have it.
	err := s.r.WithContext(ctx).
		Where("(state = ? OR (state IN ? AND notified_state <> state))", Paused, []BroadcastState{Finished, Failed, Cancelled}).
		Where("NOT (state IN ? AND reason = ?)", []BroadcastState{Paused, Cancelled}, ReasonAdmin).
		Or("state = ? AND planned_start > 0 AND planned_at > 0 AND notified_state = ''", Running).
		Order("id").Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("list broadcasts to tell of: %w", err)
	}
	return slices.DeleteFunc(list, func(b Broadcast) bool { return b.NotifiedState == b.NoticeMark() }), nil
}

// NoticeMark names the state that a notice told of. A pause that ends by itself
// and is at once made again, since its reason was still there, is the same one,
// but on another day (in Beijing) it is not.
func (b *Broadcast) NoticeMark() string {
	switch {
	case b.State != Paused:
		return string(b.State)
	case b.ResumeAt.IsZero():
		return fmt.Sprintf("%s %s", b.State, b.Reason)
	default:
		return fmt.Sprintf("%s %s %s", b.State, b.Reason, zone.Day(b.ResumeAt.Time))
	}
}

// PostponeBroadcast has a broadcast that did not start yet start no sooner than
// that.
func (s *Store) PostponeBroadcast(ctx context.Context, id int64, notBefore time.Time) error {
	err := s.w.WithContext(ctx).Model(&Broadcast{}).Where("id = ? AND state = ? AND not_before < ?", id, Scheduled, At(notBefore)).
		Update("not_before", At(notBefore)).Error
	return wrap(err, "postpone broadcast")
}

// MarkNotified records that the admin was told of the broadcast's state, or that
// the notice is kept.
func (s *Store) MarkNotified(ctx context.Context, id int64, mark string) error {
	err := s.w.WithContext(ctx).Model(&Broadcast{}).Where("id = ?", id).Update("notified_state", mark).Error
	return wrap(err, "mark broadcast as told")
}
