package sessions

import (
	"context"
	"sync"
	"time"
)

const (
	// strangersWithin and maxStrange are how often in how long a link or a cookie may come
	// that nobody was given. More get no page; whoever has one that was given does.
	strangersWithin = time.Minute
	maxStrange      = 60
)

// strangers counts what came that nobody was given.
type strangers struct {
	mu    sync.Mutex
	since time.Time
	n     int64
}

// Strange counts a link or a cookie that nobody was given, and tells whether there are too
// many at the moment. The log has their number, not what they were.
func (s *Service) Strange(ctx context.Context) (tooMany bool) {
	s.strangers.mu.Lock()
	defer s.strangers.mu.Unlock()
	now := s.config.Now()
	if now.Sub(s.strangers.since) >= strangersWithin {
		if s.strangers.n > maxStrange {
			s.config.Log.WarnContext(ctx, "somebody guessed at links or cookies of the console", "tries", s.strangers.n)
		}
		s.strangers.since, s.strangers.n = now, 0
	}
	s.strangers.n++
	if s.strangers.n == maxStrange+1 {
		s.config.Log.WarnContext(ctx, "somebody guesses at links or cookies of the console; more get no page for a minute", "tries", s.strangers.n)
	}
	return s.strangers.n > maxStrange
}
