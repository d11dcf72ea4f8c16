package throttle

import (
	"time"

	"golang.org/x/time/rate"
)

// Share has replicas share the rate: a bucket of theirs gives leave, and changed is
// called when this one has learnt something that the others should hear of soon. It
// is called before the first send.
func (t *Throttle) Share(b Bucket, changed func()) {
	t.limiter.bucket, t.limiter.shared, t.limiter.changed = b, true, changed
}

// Calls counts the calls of this process.
func (t *Throttle) Calls() *Meter { return &t.limiter.calls }

// MeasuredAll notes how many calls a second all replicas made lately.
func (t *Throttle) MeasuredAll(perSecond float64) {
	t.limiter.mu.Lock()
	defer t.limiter.mu.Unlock()
	t.limiter.all = perSecond
}

// Learn takes over what others have learnt if it is newer, and returns what is
// known then.
func (t *Throttle) Learn(other Pace) Pace { return t.limiter.learn(other) }

// Pace is what a limiter has learnt, for the others to know. Times are in
// milliseconds since the Unix epoch.
type Pace struct {
	Limit float64 `json:"limit"` // sends a second
	Edge  float64 `json:"edge"`
	Cut   int64   `json:"cut"` // when the last cut was; 0 if there was none
	Step  int64   `json:"step"`
}

// learn takes over what others have learnt if it is newer, and returns what is
// known then: the last cut counts, and after it the last step.
func (l *limiter) learn(other Pace) Pace {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lastCut.IsZero() && other.Cut == 0 {
		return other
	}
	var mine Pace
	if !l.lastCut.IsZero() {
		mine = Pace{Limit: float64(l.limit), Edge: l.edge, Cut: l.lastCut.UnixMilli()}
	}
	if !l.lastStep.IsZero() {
		mine.Step = l.lastStep.UnixMilli()
	}
	if mine.Cut > other.Cut || mine.Cut == other.Cut && mine.Step >= other.Step {
		return mine
	}
	l.edge, l.lastCut, l.lastStep = other.Edge, time.UnixMilli(other.Cut), time.UnixMilli(other.Step)
	l.set(rate.Limit(max(other.Limit, slowestRate)))
	return other
}
