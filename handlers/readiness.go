package handlers

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/cache"
)

var checkOK = prometheus.NewDesc("readiness_check_ok",
	"1 if what /readyz checks is in order, 0 if it is not, by check.", []string{"check"}, nil)

// ReadinessMetric shows Prometheus the checks of /readyz. It asks them when it is scraped.
type ReadinessMetric struct {
	checks  []Check
	answers []*cache.Cache[struct{}, string]
}

// NewReadinessMetric returns the metric of an account's checks, to be registered.
func NewReadinessMetric(checks []Check) *ReadinessMetric {
	return &ReadinessMetric{checks: checks, answers: newAnswers(checks)}
}

// Describe implements prometheus.Collector.
func (*ReadinessMetric) Describe(out chan<- *prometheus.Desc) { out <- checkOK }

// Collect implements prometheus.Collector.
func (m *ReadinessMetric) Collect(out chan<- prometheus.Metric) {
	for i, reason := range askAll(context.Background(), m.answers) {
		ok := 0.0
		if reason == "" {
			ok = 1
		}
		out <- prometheus.MustNewConstMetric(checkOK, prometheus.GaugeValue, ok, m.checks[i].Name)
	}
}
