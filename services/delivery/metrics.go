package delivery

import (
	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/models"
)

// metrics are the figures of the sends and receipts for Prometheus.
type metrics struct {
	sends    *prometheus.CounterVec
	inFlight prometheus.Gauge
	receipts *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		sends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "broadcast_sends_total",
			Help: "Recipients that got an outcome, by outcome.",
		}, []string{"outcome"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "broadcast_sends_in_flight",
			Help: "Calls to template/send that wait for their answer.",
		}),
		receipts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "broadcast_receipts_total",
			Help: "Delivery reports of the platform, by what they say.",
		}, []string{"state"}),
	}
	reg.MustRegister(m.sends, m.inFlight, m.receipts)
	for _, s := range []models.DeliveryState{models.Accepted, models.FailedFor, models.Uncertain, models.Skipped} {
		m.sends.WithLabelValues(string(s))
	}
	return m
}

func (m *metrics) sent(s models.DeliveryState) { m.sends.WithLabelValues(string(s)).Inc() }
