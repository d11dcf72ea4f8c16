// Package monitor shows Prometheus what an operator must be alerted to and no other part
// counts: the broadcasts that stopped, the day's quota, and the database.
package monitor

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
)

const (
	lookEvery = 5 * time.Second
	// quotaEvery is how often the platform is asked for the quota while a broadcast runs.
	quotaEvery = 5 * time.Minute
	askWithin  = 5 * time.Second
	// failedFor is how long a failed broadcast is shown: nothing can be done to it any more.
	failedFor = time.Hour
	// shownAtMost is how many stopped broadcasts are shown.
	shownAtMost = 50
)

// Config is what a Monitor works with. All fields are required.
type Config struct {
	Store *models.Store
	// Quota asks the platform for what is left of the day's sends.
	Quota func(ctx context.Context) (wechat.Quota, error)
	// Leads tells whether this process sends or coordinates the replicas that do. Only
	// that one looks, so that replicas do not show the same twice.
	Leads func() bool
	// ResetAt is when, after midnight in Beijing, the platform resets the quota.
	ResetAt time.Duration
	Metrics prometheus.Registerer
	Now     func() time.Time
	Log     *slog.Logger
}

// Monitor keeps the metrics of one account.
type Monitor struct {
	cfg     Config
	stopped *prometheus.GaugeVec

	mu    sync.Mutex
	quota wechat.Quota
	until time.Time // when quota is reset
	asked time.Time
}

// New registers the metrics.
func New(cfg Config) *Monitor {
	m := &Monitor{cfg: cfg, stopped: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "broadcast_stopped",
		Help: "1 for each broadcast that is paused, or failed within the last hour, with the reason.",
	}, []string{"broadcast", "reason"})}
	cfg.Metrics.MustRegister(m.stopped, computed{m})
	return m
}

// Run renews the metrics until ctx ends.
func (m *Monitor) Run(ctx context.Context) {
	loop.Every(ctx, lookEvery, func() {
		if err := m.look(ctx); err != nil && ctx.Err() == nil {
			m.cfg.Log.DebugContext(ctx, "renew metrics", "err", err)
		}
	})
}

func (m *Monitor) look(ctx context.Context) error {
	if !m.cfg.Leads() {
		m.stopped.Reset()
		return nil
	}
	list, err := m.cfg.Store.Broadcasts(ctx, shownAtMost, models.Paused, models.Failed, models.Running)
	if err != nil {
		return err
	}
	m.stopped.Reset()
	running := false
	for _, b := range list {
		switch {
		case b.State == models.Running:
			running = true
		case b.State == models.Paused, m.cfg.Now().Sub(b.FinishedAt.Time) < failedFor:
			m.stopped.WithLabelValues(itoa(b.ID), b.Reason).Set(1)
		}
	}
	if running {
		m.askQuota(ctx)
	}
	return nil
}

// askQuota reads what is left of the day's sends, unless that was tried a moment ago.
func (m *Monitor) askQuota(ctx context.Context) {
	now := m.cfg.Now()
	if now.Sub(m.asked) < quotaEvery {
		return
	}
	m.asked = now
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	q, err := m.cfg.Quota(ctx)
	if err != nil {
		m.cfg.Log.DebugContext(ctx, "read the quota", "err", err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quota, m.until = q, throttle.QuotaReset(now, m.cfg.ResetAt)
}

// today returns the quota that was read last; false once it was reset, or if none was read.
func (m *Monitor) today() (wechat.Quota, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.quota, m.cfg.Now().Before(m.until)
}
