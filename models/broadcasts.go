package models

import (
	"context"
	"fmt"
	"slices"
	"time"

	"wechat-broadcast/zone"
)

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

// BroadcastsBefore returns the n broadcasts before one, the newest first; with id 0 the
// latest.
func (s *Store) BroadcastsBefore(ctx context.Context, id int64, n int) ([]Broadcast, error) {
	q := s.r.WithContext(ctx).Order("id DESC").Limit(n)
	if id != 0 {
		q = q.Where("id < ?", id)
	}
	var list []Broadcast
	err := q.Find(&list).Error
	return list, wrap(err, "list broadcasts")
}

// Unnotified returns the broadcasts that ended or paused by themselves, were approved or
// rejected, or began at a planned start, and whose admin was not told so yet; and those
// that wait for approvals without all being told who may give them.
func (s *Store) Unnotified(ctx context.Context) ([]Broadcast, error) {
	q := s.r.WithContext(ctx).Where("state = ? AND reason <> ?", Paused, ReasonAdmin).
		Or("state = ? AND notified_state = '' AND planned_start > 0 AND (planned_at > 0 OR canary_segment > 0)", Running).
		Or("state IN ? AND notified_state = ?", []BroadcastState{Scheduled, Running}, untoldApproval).
		// The mark of these states is their name (NoticeMark). Nearly all broadcasts have it,
		// and an index leads to what sorts before and after it.
		Or("state = ? AND notified_state < ?", Finished, Finished).Or("state = ? AND notified_state > ?", Finished, Finished).
		Or("state = ? AND notified_state < ? AND reason <> ?", Cancelled, Cancelled, ReasonAdmin).
		Or("state = ? AND notified_state > ? AND reason <> ?", Cancelled, Cancelled, ReasonAdmin).
		Or("state IN ? AND notified_state <> state", []BroadcastState{Pending, Failed}) // those are few
	list, err := few(q)
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
	case b.State == Scheduled: // it was approved; that it begins is news
		return ""
	case b.State != Paused:
		return string(b.State)
	case b.ResumeAt.IsZero():
		return fmt.Sprintf("%s %s", b.State, b.Reason)
	default:
		return fmt.Sprintf("%s %s %s", b.State, b.Reason, zone.Day(b.ResumeAt.Time))
	}
}

// PostponeBroadcast has a broadcast that is scheduled start no sooner than that. why is
// ReasonQuiet if that is for the quiet hours, unless an admin overruled them for it; else
// it is empty.
func (s *Store) PostponeBroadcast(ctx context.Context, id int64, notBefore time.Time, why string) error {
	q := s.w.WithContext(ctx).Model(&Broadcast{}).Where("id = ? AND state = ? AND not_before <= ?", id, Scheduled, At(notBefore))
	if why == ReasonQuiet {
		q = q.Where("at_any_hour = 0")
	}
	return wrap(q.Updates(map[string]any{"not_before": At(notBefore), "reason": why}).Error, "postpone broadcast")
}

// Mark gives a broadcast another NotifiedState, unless it has another one than it had when
// somebody looked.
func (s *Store) Mark(ctx context.Context, b *Broadcast, mark string) error {
	err := s.w.WithContext(ctx).Model(&Broadcast{}).Where("id = ? AND notified_state = ?", b.ID, b.NotifiedState).
		Update("notified_state", mark).Error
	return wrap(err, "mark what was told of a broadcast")
}

// Approved tells whether the broadcast was approved, and its asker was not told so yet.
func (b *Broadcast) Approved() bool {
	return b.NotifiedState == untoldApproval && (b.State == Scheduled || b.State == Running)
}

// MarkNotified records that the admin was told of the broadcast's state, or that
// the notice is kept.
func (s *Store) MarkNotified(ctx context.Context, id int64, mark string) error {
	err := s.w.WithContext(ctx).Model(&Broadcast{}).Where("id = ?", id).Update("notified_state", mark).Error
	return wrap(err, "mark broadcast as told")
}

// Completing returns the broadcasts whose outcomes decide to whom one goes that is for
// some recipients of an earlier one: the earlier one, for a rest the other rests, and for
// a retry the other retries.
func (s *Store) Completing(ctx context.Context, b *Broadcast) ([]Broadcast, error) {
	q := s.r.WithContext(ctx).Where("id = ?", b.OfID)
	if b.Audience == AudienceRest || b.Audience == AudienceRetry {
		q = q.Or("of_id = ? AND audience = ? AND id <> ?", b.OfID, b.Audience, b.ID)
	}
	var list []Broadcast
	err := q.Order("id").Find(&list).Error
	return list, wrap(err, "list what a broadcast completes")
}
