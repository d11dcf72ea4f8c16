package webhooks

import (
	"context"
	"encoding/json"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/report"
)

// event is what is posted.
type event struct {
	ID        string             `json:"id"`
	Type      models.WebhookType `json:"type"`
	At        *time.Time         `json:"at"`
	Account   string             `json:"account"` // empty if it is the only one
	Broadcast report.Broadcast   `json:"broadcast"`
}

// payload returns the body of a webhook; empty if what it tells is not known yet. The state
// is that of the event, whatever became of the broadcast since; the counts are of now.
func (s *Sender) payload(ctx context.Context, w models.Webhook) (string, error) {
	b, err := s.Store.FindBroadcast(ctx, w.BroadcastID)
	if err != nil {
		return "", err
	}
	if ready, err := s.ready(ctx, w, *b); err != nil || !ready {
		return "", err
	}
	counts, err := s.Store.CountDeliveries(ctx, b.ID)
	if err != nil {
		return "", err
	}
	if b.State, b.Reason = w.Type.State(), w.Reason; !b.State.Final() {
		b.FinishedAt = models.Time{}
	}
	text, err := json.Marshal(event{
		ID: w.EventID, Type: w.Type, At: report.Moment(w.At.Time), Account: s.Account, Broadcast: report.Of(*b, counts),
	})
	return string(text), err
}

// ready tells whether the counts are those to be told: the last calls are counted, and the
// receipts of a finished broadcast are in, or late. Of one that was moved on meanwhile they
// are as they are.
func (s *Sender) ready(ctx context.Context, w models.Webhook, b models.Broadcast) (bool, error) {
	if b.State != w.Type.State() || b.Reason != w.Reason {
		return true, nil
	}
	if counted, err := s.Counted(ctx, b); err != nil || !counted {
		return false, err
	}
	if b.State != models.Finished || s.Now().Sub(w.At.Time) >= models.ReceiptsWithin {
		return true, nil
	}
	// Counting a large broadcast every two seconds would keep a core busy.
	recent, counts, err := s.Recent(b.ID)
	return err == nil && recent.State == models.Finished && counts.Accepted == 0, err
}
