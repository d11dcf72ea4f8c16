package throttle

import (
	"iter"
	"sync"
	"time"
)

// Meter counts what happens in each of the last seconds. The zero Meter is empty.
type Meter struct {
	mu      sync.Mutex
	seconds [10]int64 // the Unix second that a bucket counts
	counts  [10]int64
}

// Add counts one.
func (m *Meter) Add(now time.Time) {
	s := now.Unix()
	i := s % int64(len(m.seconds))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seconds[i] != s {
		m.seconds[i], m.counts[i] = s, 0
	}
	m.counts[i]++
}

// Rate returns how many there were a second over the last whole seconds.
func (m *Meter) Rate(now time.Time) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var sum, span int64
	current := now.Unix()
	for i, s := range m.seconds {
		if age := current - s; age >= 1 && age < int64(len(m.seconds)) {
			sum += m.counts[i]
			span = max(span, age)
		}
	}
	if span == 0 {
		return 0
	}
	return float64(sum) / float64(span)
}

// Whole returns the seconds after from and before to in which something happened,
// with how often.
func (m *Meter) Whole(from, to int64) iter.Seq2[int64, int64] {
	m.mu.Lock()
	seconds, counts := m.seconds, m.counts
	m.mu.Unlock()
	return func(yield func(second, n int64) bool) {
		for i, s := range seconds {
			if s > from && s < to && counts[i] > 0 && !yield(s, counts[i]) {
				return
			}
		}
	}
}
