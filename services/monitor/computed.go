package monitor

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	quotaLimit = prometheus.NewDesc("wechat_send_quota_limit_messages",
		"Template messages that the platform takes a day, as it said last; not there once that day is over.", nil, nil)
	quotaLeft = prometheus.NewDesc("wechat_send_quota_remaining_messages",
		"Template messages that the platform still took today when it was asked last; not there once that day is over.", nil, nil)
	failures = prometheus.NewDesc("database_errors_total",
		"Statements that the database failed.", nil, nil)
	diskSize = prometheus.NewDesc("database_disk_size_bytes",
		"Size of the disk that the SQLite database is on.", nil, nil)
	diskFree = prometheus.NewDesc("database_disk_free_bytes",
		"What is free on the disk that the SQLite database is on.", nil, nil)
)

// computed are the metrics whose values are read when Prometheus asks.
type computed struct{ *Monitor }

// Describe implements prometheus.Collector.
func (computed) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{quotaLimit, quotaLeft, failures, diskSize, diskFree} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c computed) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	out <- prometheus.MustNewConstMetric(failures, prometheus.CounterValue, float64(c.cfg.Store.Failures()))
	if q, known := c.today(); known {
		gauge(quotaLimit, float64(q.Limit))
		gauge(quotaLeft, float64(q.Remain))
	}
	if size, free, known := c.cfg.Store.Disk(); known {
		gauge(diskSize, float64(size))
		gauge(diskFree, float64(free))
	}
}

func itoa(id int64) string { return strconv.FormatInt(id, 10) }
