package models

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// WebhookType is what a webhook tells of.
type WebhookType string

// The types: one for each state that a broadcast pauses or ends in without being cancelled,
// which is always somebody's word.
const (
	WebhookFinished WebhookType = "broadcast.finished" // every recipient has an outcome
	WebhookPaused   WebhookType = "broadcast.paused"   // by an admin or by itself
	WebhookHalted   WebhookType = "broadcast.halted"   // it stopped itself for good: failed
)

// webhookTypes are the states whose begin is told.
var webhookTypes = map[BroadcastState]WebhookType{
	Finished: WebhookFinished, Paused: WebhookPaused, Failed: WebhookHalted,
}

// State is the state whose begin a webhook of the type tells of.
func (t WebhookType) State() BroadcastState {
	for state, of := range webhookTypes {
		if of == t {
			return state
		}
	}
	return ""
}

// Webhook is an event that is posted to the operator's other program.
type Webhook struct {
	ID int64 `gorm:"primaryKey"`
	// EventID names the event (unique), so that whoever gets it twice can tell.
	EventID     string
	Type        WebhookType
	BroadcastID int64
	// Reason is that of the broadcast then, and At is when it happened.
	Reason string
	At     Time
	// Payload is the body that is posted; empty until what is told is known.
	Payload string
	// DueAt is when it is posted next, Attempts counts the posts so far, and LastError is
	// why the last one came to nothing.
	DueAt     Time
	Attempts  int64
	LastError string
	// DeliveredAt is when it was taken, GivenUpAt when it was given up; zero for not yet.
	DeliveredAt, GivenUpAt Time
}

const (
	maxWebhookError = 255
	waitingWebhooks = "delivered_at = 0 AND given_up_at = 0"
)

// KeepWebhooks has every move from now on leave its Webhook, if it is one that is told. It
// is not called at the same time as anything else.
func (s *Store) KeepWebhooks() { s.webhooks = true }

// lockWithWebhooks locks the rows of broadcasts that are about to make a move, returns their
// numbers, and keeps what is to be told of them in the same transaction: with the move none
// is lost, and none is left twice. One that is paused again for the same reason is no news.
func lockWithWebhooks(tx, rows *gorm.DB, m Move, now time.Time) (ids []int64, err error) {
	var list []Broadcast
	if err := forUpdate(rows).Select("id, state, reason").Order("id").Find(&list).Error; err != nil {
		return nil, err
	}
	var news []Webhook
	for _, b := range list {
		ids = append(ids, b.ID)
		if b.State != m.To() || b.Reason != m.Reason {
			news = append(news, Webhook{
				EventID: uuid.NewString(), Type: webhookTypes[m.To()], BroadcastID: b.ID, Reason: m.Reason, At: At(now), DueAt: At(now),
			})
		}
	}
	if len(news) == 0 {
		return ids, nil
	}
	return ids, tx.CreateInBatches(news, maxRows).Error
}

// DueWebhooks returns up to n webhooks that are to be posted by now, those that have
// waited longest first.
func (s *Store) DueWebhooks(ctx context.Context, now time.Time, n int) ([]Webhook, error) {
	var list []Webhook
	err := s.r.WithContext(ctx).Where(waitingWebhooks+" AND due_at <= ?", At(now)).Order("due_at, id").Limit(n).Find(&list).Error
	return list, wrap(err, "list webhooks")
}

// FillWebhook sets what is posted, once for all posts.
func (s *Store) FillWebhook(ctx context.Context, id int64, payload string) error {
	err := s.w.WithContext(ctx).Model(&Webhook{}).Where("id = ? AND payload = ''", id).Update("payload", payload).Error
	return wrap(err, "fill webhook")
}

// ClaimWebhook begins a post of a webhook, whose Attempts it raises, and tells whether it
// did: of two that try, one succeeds. Nobody else posts it until then, also if the post is
// never ended.
func (s *Store) ClaimWebhook(ctx context.Context, w *Webhook, until time.Time) (bool, error) {
	res := s.w.WithContext(ctx).Model(&Webhook{}).
		Where("id = ? AND attempts = ? AND payload <> '' AND "+waitingWebhooks, w.ID, w.Attempts).
		Updates(map[string]any{"attempts": w.Attempts + 1, "due_at": At(until)})
	if res.Error != nil {
		return false, fmt.Errorf("claim webhook: %w", res.Error)
	}
	w.Attempts += res.RowsAffected
	return res.RowsAffected == 1, nil
}

// WebhookTaken records that a claimed webhook was taken.
func (s *Store) WebhookTaken(ctx context.Context, w Webhook, now time.Time) error {
	return s.endPost(ctx, w, map[string]any{"delivered_at": At(now), "last_error": ""})
}

// WebhookRefused records why a claimed webhook was not taken, and when it is posted next.
func (s *Store) WebhookRefused(ctx context.Context, w Webhook, why string, next time.Time) error {
	return s.endPost(ctx, w, map[string]any{"due_at": At(next), "last_error": cut(why, maxWebhookError)})
}

// WebhookGivenUp records that a claimed webhook is not posted any more, and why the last
// post came to nothing.
func (s *Store) WebhookGivenUp(ctx context.Context, w Webhook, why string, now time.Time) error {
	return s.endPost(ctx, w, map[string]any{"given_up_at": At(now), "last_error": cut(why, maxWebhookError)})
}

// endPost records what came of a post. One that another post followed changes nothing.
func (s *Store) endPost(ctx context.Context, w Webhook, set map[string]any) error {
	err := s.w.WithContext(ctx).Model(&Webhook{}).
		Where("id = ? AND attempts = ? AND "+waitingWebhooks, w.ID, w.Attempts).Updates(set).Error
	return wrap(err, "record what came of a webhook")
}

// DropWebhooks deletes those that were taken or given up before a moment.
func (s *Store) DropWebhooks(ctx context.Context, before time.Time) error {
	err := s.w.WithContext(ctx).
		Where("(delivered_at > 0 AND delivered_at < ?) OR (given_up_at > 0 AND given_up_at < ?)", At(before), At(before)).
		Delete(&Webhook{}).Error
	return wrap(err, "drop old webhooks")
}
