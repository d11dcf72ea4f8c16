package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"wechat-broadcast/services/throttle"
)

const (
	exchangeEvery  = 500 * time.Millisecond
	exchangeWithin = time.Second
	keepCounts     = 30 * time.Second
	keepPace       = time.Hour
	rateOver       = 7 // whole seconds
)

// Sync keeps this replica and Redis informed of one another: how fast it sends,
// how fast all do, what the throttle has learnt, why a broadcast gets no further.
// While Redis does not answer, nothing is sent: neither the rate nor a pause of the
// account could be kept.
type Sync struct {
	redis    *redis.Client
	account  string
	throttle *throttle.Throttle
	now      func() time.Time
	log      *slog.Logger
	wakes    chan struct{}
	// Until which Unix second the calls, and the outcomes of each broadcast, are
	// counted on Redis.
	pushed   int64
	outcomes map[int64]int64

	mu   sync.Mutex
	down time.Time     // since when Redis has not answered, from the start on; zero if it does
	ups  chan struct{} // closed while it does
}

// Run exchanges until ctx ends. meters are those of the broadcasts that this replica
// sends, by number.
func (s *Sync) Run(ctx context.Context, meters func() map[int64]*throttle.Meter) {
	tick := time.NewTicker(exchangeEvery)
	defer tick.Stop()
	for {
		if err := s.exchange(ctx, meters()); ctx.Err() == nil {
			s.set(err)
		}
		select {
		case <-tick.C:
		case <-s.wakes:
		case <-ctx.Done():
			return
		}
	}
}

// soon has the next exchange come at once.
func (s *Sync) soon() {
	select {
	case s.wakes <- struct{}{}:
	default:
	}
}

// set notes whether Redis answers.
func (s *Sync) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil && !s.down.IsZero():
		s.down = time.Time{}
		close(s.ups)
		s.log.Info("Redis answers")
	case err != nil && s.down.IsZero():
		s.ups, s.down = make(chan struct{}), s.now()
		s.log.Warn("Redis does not answer: sending waits", "err", err)
	}
}

// Down returns since when Redis has not answered; zero if it does.
func (s *Sync) Down() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// Answers tells whether Redis does.
func (s *Sync) Answers() bool { return s.Down().IsZero() }

// alive blocks until Redis answers or ctx ends.
func (s *Sync) alive(ctx context.Context) error {
	s.mu.Lock()
	ups := s.ups
	s.mu.Unlock()
	select {
	case <-ups:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// exchange tells Redis what this replica did, and asks what all did.
func (s *Sync) exchange(ctx context.Context, meters map[int64]*throttle.Meter) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeWithin)
	defer cancel()
	current := s.now().Unix()
	pipe := s.redis.Pipeline()
	count := func(name string, m *throttle.Meter, from int64) {
		for second, n := range m.Whole(from, current) {
			key := s.key(name + ":" + strconv.FormatInt(second, 10))
			pipe.IncrBy(ctx, key, n)
			pipe.Expire(ctx, key, keepCounts)
		}
	}
	count("calls", s.throttle.Calls(), s.pushed)
	for id, m := range meters {
		count(rateName(id), m, s.outcomes[id])
	}
	stored := pipe.Get(ctx, s.key("pace"))
	calls := pipe.MGet(ctx, s.key("calls:"+strconv.FormatInt(current-1, 10)), s.key("calls:"+strconv.FormatInt(current-2, 10)))
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("reach Redis: %w", err)
	}
	s.pushed = current - 1
	clear(s.outcomes)
	for id := range meters {
		s.outcomes[id] = current - 1
	}
	s.throttle.MeasuredAll(float64(max(number(calls.Val()[0]), number(calls.Val()[1]))))
	return s.agree(ctx, stored.Val())
}

// agree brings together what this throttle and the others have learnt.
func (s *Sync) agree(ctx context.Context, stored string) error {
	var theirs throttle.Pace
	if stored != "" {
		if err := json.Unmarshal([]byte(stored), &theirs); err != nil {
			theirs = throttle.Pace{} // an older or newer program's: it is learnt anew
		}
	}
	ours := s.throttle.Learn(theirs)
	if ours == theirs {
		return nil
	}
	text, err := json.Marshal(ours)
	if err != nil {
		return err
	}
	// Another that was faster wins; the next exchange brings both together.
	err = replaceScript.Run(ctx, s.redis, []string{s.key("pace")}, stored, text, int(keepPace.Seconds())).Err()
	if err != nil {
		return fmt.Errorf("store the pace: %w", err)
	}
	return nil
}

// replaceScript sets a key that still has the value that was read.
var replaceScript = redis.NewScript(`
if (redis.call('GET', KEYS[1]) or '') == ARGV[1] then
	redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
return 0`)

func rateName(id int64) string { return "rate:" + strconv.FormatInt(id, 10) }

// Rate returns the sends a second of a broadcast by all replicas, over the last
// whole seconds that all have told of.
func (s *Sync) Rate(ctx context.Context, id int64) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeWithin)
	defer cancel()
	newest := s.now().Unix() - 2
	keys := make([]string, rateOver)
	for i := range keys {
		keys[i] = s.key(rateName(id) + ":" + strconv.FormatInt(newest-int64(i), 10))
	}
	values, err := s.redis.MGet(ctx, keys...).Result()
	if err != nil {
		return 0, fmt.Errorf("read the rate: %w", err)
	}
	var sum, span int64
	for i, v := range values {
		if n := number(v); n > 0 {
			sum, span = sum+n, int64(i)+1
		}
	}
	if span == 0 {
		return 0, nil
	}
	return float64(sum) / float64(span), nil
}

// number is the count that MGET answered, 0 for none.
func number(v any) int64 {
	text, _ := v.(string)
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
