package broadcast

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures of the broadcasts for Prometheus.
type metrics struct {
	queue    prometheus.Gauge
	progress *prometheus.GaugeVec
	leads    prometheus.Gauge
	stalled  *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		queue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "broadcast_queue_depth",
			Help: "Recipients of the running broadcasts that have no outcome yet.",
		}),
		progress: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "broadcast_progress_ratio",
			Help: "Part of a running broadcast's recipients that have an outcome, from 0 to 1.",
		}, []string{"broadcast"}),
		leads: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "broadcast_leads",
			Help: "1 in the process that sends for the database, or coordinates the replicas that do; 0 in the others.",
		}),
		stalled: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "broadcast_stalled_seconds",
			Help: "How long a running broadcast has got no further, by reason; not there while it gets on.",
		}, []string{"broadcast", "reason"}),
	}
	reg.MustRegister(m.queue, m.progress, m.leads, m.stalled)
	return m
}

// update replaces the figures of the running broadcasts.
func (m *metrics) update(running []Status) {
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
func (m *metrics) stands(id int64, reason string, lasts time.Duration) {
	m.getsOn(id)
	m.stalled.WithLabelValues(strconv.FormatInt(id, 10), reason).Set(lasts.Seconds())
}

// getsOn ends what stands showed.
func (m *metrics) getsOn(id int64) {
	m.stalled.DeletePartialMatch(prometheus.Labels{"broadcast": strconv.FormatInt(id, 10)})
}
