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

// CreateBroadcast stores b, whose number it sets, unless a broadcast with its
// request key is there already: then it returns that one and false. The same
// message to everyone within 24 hours is an Error ErrSameMessage unless again.
// Two that ask at the same moment come one after the other, in this process or
// in others.
func (s *Store) CreateBroadcast(ctx context.Context, b *Broadcast, again bool) (created bool, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		if err := lockFact(tx, "ask"); err != nil {
			return err
		}
		err := tx.Where("request_key = ?", b.RequestKey).Take(b).Error
		if err == nil {
			return nil
		}
		if !errors.Is(err, gorm.ErrRecordNotFound) {
			return err
		}
		if err := refuseHalted(tx); err != nil {
			return err
		}
		switch {
		case b.Audience == AudienceAll && !again:
			err = refuseSame(tx, b)
		case b.Audience == AudienceRetry:
			err = refuseRetry(tx, b)
		default:
			err = nil
		}
		if err != nil {
			return err
		}
		created = true
		return tx.Create(b).Error
	})
	if err != nil {
		return false, fmt.Errorf("create broadcast: %w", err)
	}
	return created, nil
}

// lockFact holds a row of facts until the transaction ends, so that only one
// of the transactions that name it runs at a time.
func lockFact(tx *gorm.DB, name string) error {
	return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"value"})}).
		Table("facts").Create(map[string]any{"name": name, "value": ""}).Error
}

func refuseSame(tx *gorm.DB, b *Broadcast) error {
	var same []Broadcast
	err := tx.Where("digest = ? AND audience = ? AND asked_at > ?",
		b.Digest, AudienceAll, At(b.AskedAt.Add(-sameWithin))).Order("id DESC").Find(&same).Error
	if err != nil {
		return err
	}
	for _, old := range same {
		if old.State == Cancelled || old.State == Failed {
			// What was stopped before anyone got it does not count.
			var sent int64
			err := tx.Model(&Delivery{}).Where("broadcast_id = ? AND state <> ?", old.ID, FailedFor).
				Limit(1).Count(&sent).Error
			if err != nil {
				return err
			}
			if sent == 0 {
				continue
			}
		}
		return NewError(Conflict, ErrSameMessage, "ID", old.ID, "Name", old.Name,
			"Ago", b.AskedAt.Sub(old.AskedAt.Time))
	}
	return nil
}

// refuseHalted refuses a broadcast while another one waits for an admin's word
// because the account is at stake.
func refuseHalted(tx *gorm.DB) error {
	var halted []Broadcast
	err := tx.Where("state = ? AND reason = ?", Paused, ReasonAccount).Order("id DESC").Limit(1).Find(&halted).Error
	if err != nil || len(halted) == 0 {
		return err
	}
	return NewError(Conflict, ErrHalted, "ID", halted[0].ID, "Detail", halted[0].Detail)
}

// refuseRetry refuses to retry what has not ended, or is being retried.
func refuseRetry(tx *gorm.DB, b *Broadcast) error {
	var of Broadcast
	if err := tx.Take(&of, b.RetryOf).Error; err != nil {
		return err
	}
	if !of.State.Final() {
		return NewError(Conflict, ErrWrongState, "ID", of.ID, "State", string(of.State), "Action", "retry")
	}
	var other []Broadcast
	err := tx.Where("retry_of = ? AND state IN ?", of.ID, []BroadcastState{Scheduled, Running, Paused}).Limit(1).Find(&other).Error
	if err != nil || len(other) == 0 {
		return err
	}
	return NewError(Conflict, ErrRetryRunning, "ID", of.ID, "Retry", other[0].ID)
}

// FindBroadcast returns a broadcast by its number, or the latest one for 0.
// There being none is an Error of kind NotFound.
func (s *Store) FindBroadcast(ctx context.Context, id int64) (*Broadcast, error) {
	q := s.r.WithContext(ctx).Order("id DESC")
	if id != 0 {
		q = q.Where("id = ?", id)
	}
	var b Broadcast
	err := q.Take(&b).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound) && id != 0:
		return nil, NewError(NotFound, ErrBroadcastUnknown, "ID", id)
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, NewError(NotFound, ErrNoBroadcast)
	case err != nil:
		return nil, fmt.Errorf("find broadcast: %w", err)
	}
	return &b, nil
}

// FindRequest returns the broadcast that a chat message asked for, or nil.
func (s *Store) FindRequest(ctx context.Context, requestKey string) (*Broadcast, error) {
	var b []Broadcast
	err := s.r.WithContext(ctx).Where("request_key = ?", requestKey).Limit(1).Find(&b).Error
	if err != nil {
		return nil, fmt.Errorf("find request: %w", err)
	}
	if len(b) == 0 {
		return nil, nil
	}
	return &b[0], nil
}

// Broadcasts returns the latest n broadcasts, the newest first; with states,
// only those in one of them.
func (s *Store) Broadcasts(ctx context.Context, n int, states ...BroadcastState) ([]Broadcast, error) {
	q := s.r.WithContext(ctx).Order("id DESC").Limit(n)
	if len(states) > 0 {
		q = q.Where("state IN ?", states)
	}
	var list []Broadcast
	if err := q.Find(&list).Error; err != nil {
		return nil, fmt.Errorf("list broadcasts: %w", err)
	}
	return list, nil
}

// Unnotified returns the broadcasts that ended or paused by themselves and
// whose admin was not told so yet, of those asked for since.
func (s *Store) Unnotified(ctx context.Context, since time.Time) ([]Broadcast, error) {
	var list []Broadcast
	err := s.r.WithContext(ctx).
		Where("state IN ? AND asked_at > ?", []BroadcastState{Finished, Failed, Paused, Cancelled}, At(since)).
		Where("NOT (state IN ? AND reason = ?)", []BroadcastState{Paused, Cancelled}, ReasonAdmin).
		Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("list broadcasts to tell of: %w", err)
	}
	rest := list[:0]
	for _, b := range list {
		if b.NotifiedState != b.NoticeMark() {
			rest = append(rest, b)
		}
	}
	return rest, nil
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
		return fmt.Sprintf("%s %s %s", b.State, b.Reason, b.ResumeAt.In(beijing).Format(time.DateOnly))
	}
}

// beijing is the platform's time zone; it has no summer time.
var beijing = time.FixedZone("Asia/Shanghai", 8*60*60)

// Change is what a move of a broadcast sets besides its state.
type Change struct {
	Reason, Detail string
	ResumeAt       time.Time
	StartedAt      time.Time
	FinishedAt     time.Time
}

// MoveBroadcast moves a broadcast to the state if it is in one of from, and
// tells whether it was: of two that try, one succeeds.
func (s *Store) MoveBroadcast(ctx context.Context, id int64, from []BroadcastState, to BroadcastState, c Change) (bool, error) {
	set := map[string]any{
		"state": to, "reason": c.Reason, "detail": cut(c.Detail, 1000), "resume_at": At(c.ResumeAt),
	}
	if !c.StartedAt.IsZero() {
		set["started_at"] = gorm.Expr("CASE WHEN started_at = 0 THEN ? ELSE started_at END", At(c.StartedAt))
	}
	if !c.FinishedAt.IsZero() {
		set["finished_at"] = At(c.FinishedAt)
	}
	if to == Scheduled {
		// An admin resumed it, so that another pause is news, for the same reason too.
		set["notified_state"] = ""
	}
	res := s.w.WithContext(ctx).Model(&Broadcast{}).Where("id = ? AND state IN ?", id, from).Updates(set)
	if res.Error != nil {
		return false, fmt.Errorf("move broadcast to %s: %w", to, res.Error)
	}
	return res.RowsAffected == 1, nil
}

// MarkNotified records that the admin was told of the broadcast's state.
func (s *Store) MarkNotified(ctx context.Context, id int64, mark string) error {
	err := s.w.WithContext(ctx).Model(&Broadcast{}).Where("id = ?", id).Update("notified_state", mark).Error
	if err != nil {
		return fmt.Errorf("mark broadcast as told: %w", err)
	}
	return nil
}

// cut shortens s to at most n runes.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
