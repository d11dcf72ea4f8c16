package handlers

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The kinds of callbacks, as logs and metrics call them.
const (
	kindVerify      = "verify"
	kindText        = "text"
	kindSubscribe   = "subscribe"
	kindUnsubscribe = "unsubscribe"
	kindReceipt     = "receipt"
	kindClick       = "click"   // of a menu
	kindScan        = "scan"    // of a QR code, by a follower
	kindOther       = "other"   // well-formed, but nothing that we act on
	kindUnknown     = "unknown" // refused before it was known
)

// The outcomes of callbacks.
const (
	outcomeOK       = "ok"
	outcomeRepeated = "repeated" // answered from memory
	outcomeIgnored  = "ignored"
	outcomeRefused  = "refused"   // 403
	outcomeInvalid  = "malformed" // 400
	outcomeTooLarge = "too_large" // 413
	outcomeFull     = "full"      // 503
	outcomeBusy     = "busy"      // the person was asked to try again
	outcomeError    = "error"     // 500

	outcomeTransferred = "transferred" // to the platform's customer service
	outcomeHandedOn    = "handed_on"   // answered by the existing server
	outcomeUnanswered  = "unanswered"  // handed on, without an answer that can be used
)

// latency is how long callbacks take to be answered.
type latency struct{ seconds *prometheus.HistogramVec }

func newLatency(reg prometheus.Registerer) latency {
	l := latency{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "callback_duration_seconds",
		Help:    "Time to answer the platform's callbacks; it gives up after 5 s.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 4, 5},
	}, []string{"kind", "outcome"})}
	reg.MustRegister(l.seconds)
	return l
}

func (l latency) observe(kind, outcome string, took time.Duration) {
	l.seconds.WithLabelValues(kind, outcome).Observe(took.Seconds())
}
