package broadcast

import (
	"context"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/delivery"
)

// Status returns where a broadcast stands, the latest one for id 0.
func (e *Engine) Status(ctx context.Context, id int64) (*Status, error) {
	b, err := e.store.FindBroadcast(ctx, id)
	if err != nil {
		return nil, err
	}
	return e.status(ctx, *b)
}

// Glance returns a Status that may be a little old: for those who look again and
// again. Counting takes the longer the larger the broadcast is, so the older it
// may be, and all who look meanwhile share one count.
func (e *Engine) Glance(ctx context.Context, id int64) (*Status, error) {
	e.glances.mu.Lock()
	g := e.glances.last[id]
	if g == nil {
		g = &glance{}
		e.glances.last[id] = g
	}
	e.glances.mu.Unlock()

	g.mu.Lock()
	defer g.mu.Unlock()
	began := e.now()
	if g.status != nil && began.Before(g.until) {
		return g.status, nil
	}
	st, err := e.Status(ctx, id)
	if err != nil {
		return nil, err
	}
	now := e.now()
	g.status, g.until = st, now.Add(max(glanceLeast, glanceShare*now.Sub(began)))
	return st, nil
}

const (
	glanceLeast = 500 * time.Millisecond
	glanceShare = 20 // times what counting took: it costs at most this part of one core
)

// glances are the last Status of each broadcast that somebody looked at.
type glances struct {
	mu   sync.Mutex
	last map[int64]*glance
}

type glance struct {
	mu     sync.Mutex
	status *Status
	until  time.Time
}

// List returns the latest n broadcasts, the newest first.
func (e *Engine) List(ctx context.Context, n int) ([]Status, error) {
	list, err := e.store.Broadcasts(ctx, n)
	if err != nil {
		return nil, err
	}
	all := make([]Status, 0, len(list))
	for _, b := range list {
		st, err := e.status(ctx, b)
		if err != nil {
			return nil, err
		}
		all = append(all, *st)
	}
	return all, nil
}

func (e *Engine) status(ctx context.Context, b models.Broadcast) (*Status, error) {
	counts, err := e.store.CountDeliveries(ctx, b.ID)
	if err != nil {
		return nil, err
	}
	st := &Status{Broadcast: b, Counts: counts}
	if b.State != models.Running {
		return st, nil
	}
	if counts.PutOff > 0 {
		st.Again = counts.PutOffSince.Add(delivery.DeferFor)
	}
	st.Stall = e.stalled(ctx, b.ID)
	st.Slowed = e.throttle.Slowed() && st.Stall == nil
	if st.Stall == nil && !e.hindered() {
		st.Rate = e.rate(ctx, b.ID)
	}
	if rest := st.Remaining() - counts.PutOff; st.Rate > 0 && rest > 0 && !st.Slowed {
		st.Left = max(time.Duration(float64(rest)/st.Rate*float64(time.Second)), time.Second)
	}
	return st, nil
}

// rate returns the sends a second of a broadcast; 0 if that is not known.
func (e *Engine) rate(ctx context.Context, id int64) float64 {
	if e.cluster != nil {
		perSecond, err := e.cluster.Rate(ctx, id)
		if err != nil {
			e.log.DebugContext(ctx, "speed not known", "broadcast", id, "err", err)
		}
		return perSecond
	}
	if a := e.worker.Find(id); a != nil {
		return a.Meter().Rate(e.now())
	}
	return 0
}

// SentToday counts the recipients that were tried since midnight in Beijing.
func (e *Engine) SentToday(ctx context.Context) (int64, error) {
	now := e.now().In(beijing)
	return e.store.CountSince(ctx, time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, beijing))
}

// beijing is the platform's time zone; it has no summer time.
var beijing = time.FixedZone("Asia/Shanghai", 8*60*60)
