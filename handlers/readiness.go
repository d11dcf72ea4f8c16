package handlers

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/cache"
)

const (
	checkOKName = "readiness_check_ok"
	checkOKHelp = "1 if what /readyz checks is in order, 0 if it is not, by check."
	// startCheck is what /readyz calls the start of an account that is not there.
	startCheck = "start"
	// metricsCheck is what /metrics calls the metrics of an account that did not come in time.
	metricsCheck = "metrics"
)

var checkOK = prometheus.NewDesc(checkOKName, checkOKHelp, []string{"check"}, nil)

// NotServed returns the metric of an account that could not be started.
func NotServed(account string) prometheus.Metric {
	return prometheus.MustNewConstMetric(prometheus.NewDesc(checkOKName, checkOKHelp, nil, failedLabels(startCheck, account)), prometheus.GaugeValue, 0)
}

// NoMetrics returns the metric of an account whose metrics did not come in time.
func NoMetrics(account string) prometheus.Collector {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: checkOKName, Help: checkOKHelp, ConstLabels: failedLabels(metricsCheck, account)})
}

// failedLabels are those of a check of an account. One without a name has no label for it.
func failedLabels(check, account string) prometheus.Labels {
	labels := prometheus.Labels{"check": check}
	if account != "" {
		labels["account"] = account
	}
	return labels
}

// Readiness is whether an account can do its work. It shows the same to
// Prometheus, when it is scraped.
type Readiness struct {
	checks  []Check
	answers []*cache.Cache[struct{}, string]
}

// NewReadiness returns a Readiness that asks these checks.
func NewReadiness(checks []Check) *Readiness {
	r := &Readiness{checks: checks}
	for _, c := range checks {
		r.answers = append(r.answers, newAnswer(c))
	}
	return r
}

// ask runs every check at once and returns why each failed, or "" if it did not.
func (r *Readiness) ask(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	reasons := make([]string, len(r.checks))
	var wg sync.WaitGroup
	for i, answer := range r.answers {
		wg.Go(func() {
			var err error
			if reasons[i], err = answer.Get(ctx, struct{}{}); err != nil {
				reasons[i] = "no answer within " + checkWithin.String()
			}
		})
	}
	wg.Wait()
	return reasons
}

// failed returns the reason of each check that failed, by name.
func (r *Readiness) failed(ctx context.Context) map[string]string {
	failed := map[string]string{}
	for i, reason := range r.ask(ctx) {
		if reason != "" {
			failed[r.checks[i].Name] = reason
		}
	}
	return failed
}

// Describe implements prometheus.Collector.
func (*Readiness) Describe(out chan<- *prometheus.Desc) { out <- checkOK }

// Collect implements prometheus.Collector.
func (r *Readiness) Collect(out chan<- prometheus.Metric) {
	for i, reason := range r.ask(context.Background()) {
		ok := 0.0
		if reason == "" {
			ok = 1
		}
		out <- prometheus.MustNewConstMetric(checkOK, prometheus.GaugeValue, ok, r.checks[i].Name)
	}
}
