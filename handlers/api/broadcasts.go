package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"wechat-broadcast/cache"
	"wechat-broadcast/models"
	"wechat-broadcast/services/report"
)

// Delivery is what became of a broadcast for one person.
type Delivery struct {
	OpenID    string     `json:"openid"`
	State     string     `json:"state"`
	ErrCode   int        `json:"errcode"`
	MsgID     string     `json:"msgid"` // a text: many programs can't hold numbers as large as the platform's
	Detail    string     `json:"detail"`
	Attempts  int        `json:"attempts"`
	SentAt    *time.Time `json:"sent_at"`
	UpdatedAt *time.Time `json:"updated_at"`
}

const (
	// countsAtMost is how many broadcasts' counts are kept, and countsLeast for how long at
	// least. Counting takes the longer the larger a broadcast is, so the longer it is kept:
	// it costs at most one part in countsShare of a core.
	countsAtMost = 2000
	countsLeast  = 500 * time.Millisecond
	countsShare  = 20
	countWithin  = time.Minute
)

// counted is a broadcast in a state: what was counted before it ended is not shown after.
type counted struct {
	id    int64
	state models.BroadcastState
}

type counts = *cache.Cache[counted, models.Counts]

func newCounts(store *models.Store) counts {
	ttl := func(_ models.Counts, took time.Duration) time.Duration { return max(countsLeast, countsShare*took) }
	return cache.New(countsAtMost, ttl, func(ctx context.Context, of counted) (models.Counts, error) {
		ctx, cancel := context.WithTimeout(ctx, countWithin)
		defer cancel()
		return store.CountDeliveries(ctx, of.id)
	})
}

// shown is a broadcast with its counts.
func (a *API) shown(ctx context.Context, b *models.Broadcast) (report.Broadcast, error) {
	n, err := a.counts.Get(ctx, counted{b.ID, b.State})
	return report.Of(*b, n), err
}

func (a *API) listBroadcasts(c *call) error {
	p, err := c.page(limitMost)
	if err != nil {
		return err
	}
	rows, err := a.Store.BroadcastsBefore(c.ctx, p.after, p.limit+1)
	if err != nil {
		return err
	}
	show := func(b models.Broadcast) (report.Broadcast, error) { return a.shown(c.ctx, &b) }
	list, err := cut(p, rows, show, func(b models.Broadcast) int64 { return b.ID })
	if err != nil {
		return err
	}
	return answer(c.Context, list)
}

// broadcastID is the number in the path.
func (c *call) broadcastID() (int64, error) {
	text := c.Param("id")
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, newFault(http.StatusNotFound, "no_number", "Value", firstOf(text))
	}
	return id, nil
}

// firstOf is as much of what somebody wrote as an answer repeats.
func firstOf(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// broadcast finds the broadcast in the path.
func (a *API) broadcast(c *call) (*models.Broadcast, error) {
	id, err := c.broadcastID()
	if err != nil {
		return nil, err
	}
	b, err := a.Store.FindBroadcast(c.ctx, id)
	return b, named(err)
}

func (a *API) showBroadcast(c *call) error {
	b, err := a.broadcast(c)
	if err != nil {
		return err
	}
	return a.answerBroadcast(c, b)
}

func (a *API) answerBroadcast(c *call, b *models.Broadcast) error {
	shown, err := a.shown(c.ctx, b)
	if err != nil {
		return err
	}
	return answer(c.Context, shown)
}

func (a *API) listDeliveries(c *call) error {
	p, err := c.page(limitOutcomes)
	if err != nil {
		return err
	}
	b, err := a.broadcast(c)
	if err != nil {
		return err
	}
	rows, err := a.Store.DeliveriesAfter(c.ctx, b.ID, p.after, p.limit+1)
	if err != nil {
		return err
	}
	gone, err := a.Store.DeliveriesGone(c.ctx, b.ID) // asked after they were read
	switch {
	case err != nil:
		return err
	case !gone.IsZero():
		return newFault(http.StatusGone, "deliveries_gone", "ID", b.ID, "At", gone)
	}
	list, err := cut(p, rows, delivery, func(d models.DeliveryRow) int64 { return d.RecipientID })
	if err != nil {
		return err
	}
	return answer(c.Context, list)
}

func delivery(d models.DeliveryRow) (Delivery, error) {
	shown := Delivery{
		OpenID: d.OpenID, State: string(d.State), ErrCode: d.ErrCode, Detail: d.Detail, Attempts: d.Attempts,
		SentAt: stored(d.SentAt), UpdatedAt: stored(d.UpdatedAt),
	}
	if d.MsgID != 0 {
		shown.MsgID = strconv.FormatInt(d.MsgID, 10)
	}
	return shown, nil
}

func (a *API) pause(c *call) error { return a.move(c, "pause", a.Engine.Pause) }

func (a *API) resume(c *call) error { return a.move(c, "resume", a.Engine.Resume) }

func (a *API) cancel(c *call) error {
	return a.move(c, "cancel", func(ctx context.Context, id int64, by string) (*models.Broadcast, error) {
		done, err := a.Engine.Cancel(ctx, id, by)
		if err != nil {
			return nil, err
		}
		return &done.Broadcast, nil
	})
}

// move moves the broadcast in the path as a command of the chat does.
func (a *API) move(c *call, action string, move func(ctx context.Context, id int64, by string) (*models.Broadcast, error)) error {
	id, err := c.broadcastID()
	if err != nil {
		return err
	}
	b, err := move(c.ctx, id, c.token.Asker())
	a.keep(c, models.Audit{Action: action, Target: "#" + strconv.FormatInt(id, 10), Detail: "POST " + c.Request.URL.Path}, err)
	if err != nil {
		return named(err)
	}
	return a.answerBroadcast(c, b)
}
