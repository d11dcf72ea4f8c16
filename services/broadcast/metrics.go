package broadcast

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/models"
)

// Metrics are the engine's figures for Prometheus.
type Metrics struct {
	sends    *prometheus.CounterVec
	inFlight prometheus.Gauge
	queue    prometheus.Gauge
	progress *prometheus.GaugeVec
	receipts *prometheus.CounterVec
	leads    prometheus.Gauge
	stalled  *prometheus.GaugeVec
}

// NewMetrics registers the engine's figures.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		sends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "broadcast_sends_total",
			Help: "Recipients that got an outcome, by outcome.",
		}, []string{"outcome"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "broadcast_sends_in_flight",
			Help: "Calls to template/send that wait for their answer.",
		}),
		queue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "broadcast_queue_depth",
			Help: "Recipients of the running broadcasts that have no outcome yet.",
		}),
		progress: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "broadcast_progress_ratio",
			Help: "Part of a running broadcast's recipients that have an outcome, from 0 to 1.",
		}, []string{"broadcast"}),
		receipts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "broadcast_receipts_total",
			Help: "Delivery reports of the platform, by what they say.",
		}, []string{"state"}),
		leads: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "broadcast_leads",
			Help: "1 in the process that sends for the database, or coordinates the replicas that do; 0 in the others.",
		}),
	}
	m.stalled = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "broadcast_stalled_seconds",
		Help: "How long a running broadcast has got no further, by reason; not there while it gets on.",
	}, []string{"broadcast", "reason"})
	reg.MustRegister(m.sends, m.inFlight, m.queue, m.progress, m.receipts, m.leads, m.stalled)
	for _, s := range []models.DeliveryState{models.Accepted, models.FailedFor, models.Uncertain} {
		m.sends.WithLabelValues(string(s))
	}
	return m
}

func (m *Metrics) sent(s models.DeliveryState) { m.sends.WithLabelValues(string(s)).Inc() }

// show replaces the figures of the running broadcasts.
func (m *Metrics) show(running []Status) {
	m.progress.Reset()
	var queue int64
	for _, s := range running {
		queue += s.Remaining()
		if n := s.Broadcast.Recipients; n > 0 {
			m.progress.WithLabelValues(strconv.FormatInt(s.Broadcast.ID, 10)).Set(1 - float64(s.Remaining())/float64(n))
		}
	}
	m.queue.Set(float64(queue))
}

// stands shows how long a broadcast has got no further, and why.
func (m *Metrics) stands(id int64, reason string, lasts time.Duration) {
	m.getsOn(id)
	m.stalled.WithLabelValues(strconv.FormatInt(id, 10), reason).Set(lasts.Seconds())
}

// getsOn ends what stands showed.
func (m *Metrics) getsOn(id int64) {
	m.stalled.DeletePartialMatch(prometheus.Labels{"broadcast": strconv.FormatInt(id, 10)})
}
