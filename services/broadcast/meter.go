package broadcast

import (
	"iter"
	"sync"
	"time"
)

// meter measures how many sends a second had an outcome lately.
type meter struct {
	mu      sync.Mutex
	seconds [10]int64 // the Unix second that a bucket counts
	counts  [10]int64
}

func (m *meter) add(now time.Time) {
	s := now.Unix()
	i := s % int64(len(m.seconds))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seconds[i] != s {
		m.seconds[i], m.counts[i] = s, 0
	}
	m.counts[i]++
}

// rate returns the sends a second over the last whole seconds.
func (m *meter) rate(now time.Time) float64 {
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

// whole returns the seconds after from and before to that had an outcome, with
// how many.
func (m *meter) whole(from, to int64) iter.Seq2[int64, int64] {
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
