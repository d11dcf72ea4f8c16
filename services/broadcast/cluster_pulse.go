package broadcast

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
)

const (
	pulseEvery  = 500 * time.Millisecond
	pulseWithin = time.Second
	keepCounts  = 30 * time.Second
	keepPace    = time.Hour
	rateOver    = 7 // whole seconds
)

// pulse keeps this replica and Redis informed of one another: how fast it sends,
// how fast all do, what the pacer has learnt. While Redis does not answer,
// nothing is sent: neither the rate nor a pause of the account could be kept.
type pulse struct {
	c      *crew
	log    *slog.Logger
	pushed int64 // the last Unix second whose calls are counted on Redis
	beat   chan struct{}

	mu sync.Mutex
	up bool
	// since is when it went down, or the start.
	since time.Time
	ups   chan struct{} // closed once it is up
}

func newPulse(c *crew) *pulse {
	return &pulse{c: c, log: c.e.log, beat: make(chan struct{}, 1), ups: make(chan struct{}), since: c.e.now()}
}

func (p *pulse) run(ctx context.Context) {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		if err := p.exchange(ctx); ctx.Err() == nil {
			p.set(err)
		}
		select {
		case <-tick.C:
		case <-p.beat:
		case <-ctx.Done():
			return
		}
	}
}

// soon has the next beat come at once.
func (p *pulse) soon() {
	select {
	case p.beat <- struct{}{}:
	default:
	}
}

// set notes whether Redis answers.
func (p *pulse) set(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil && !p.up:
		p.up = true
		close(p.ups)
		p.log.Info("Redis answers")
	case err != nil && p.up:
		p.up, p.ups, p.since = false, make(chan struct{}), p.c.e.now()
		p.log.Warn("Redis does not answer: sending waits", "err", err)
	}
}

// answers tells whether Redis does.
func (p *pulse) answers() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up
}

// alive blocks until Redis answers or ctx ends.
func (p *pulse) alive(ctx context.Context) error {
	p.mu.Lock()
	up, ups := p.up, p.ups
	p.mu.Unlock()
	if up {
		return ctx.Err()
	}
	select {
	case <-ups:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// exchange is one beat.
func (p *pulse) exchange(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pulseWithin)
	defer cancel()
	pacer, now := p.c.e.pacer, p.c.e.now()
	current := now.Unix()
	pipe := p.c.Redis.Pipeline()
	count := func(name string, m *meter, from int64) {
		for second, n := range m.whole(from, current) {
			key := p.c.key(name + ":" + strconv.FormatInt(second, 10))
			pipe.IncrBy(ctx, key, n)
			pipe.Expire(ctx, key, keepCounts)
		}
	}
	count("calls", pacer.calls, p.pushed)
	shifts := p.c.list()
	for _, s := range shifts {
		count(rateName(s.b.ID), s.meter, s.pushed)
	}
	stored := pipe.Get(ctx, p.c.key("pace"))
	calls := pipe.MGet(ctx, p.c.key("calls:"+strconv.FormatInt(current-1, 10)), p.c.key("calls:"+strconv.FormatInt(current-2, 10)))
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("reach Redis: %w", err)
	}
	p.pushed = current - 1
	for _, s := range shifts {
		s.pushed = current - 1
	}
	pacer.measuredAll(float64(max(number(calls.Val()[0]), number(calls.Val()[1]))))
	return p.agree(ctx, stored.Val())
}

// agree brings together what this pacer and the others have learnt.
func (p *pulse) agree(ctx context.Context, stored string) error {
	var theirs pace
	if stored != "" {
		if err := json.Unmarshal([]byte(stored), &theirs); err != nil {
			theirs = pace{} // an older or newer program's: it is learnt anew
		}
	}
	ours := p.c.e.pacer.learn(theirs)
	if ours == theirs {
		return nil
	}
	text, err := json.Marshal(ours)
	if err != nil {
		return err
	}
	// Another that was faster wins; the next beat brings both together.
	err = replaceScript.Run(ctx, p.c.Redis, []string{p.c.key("pace")}, stored, text, int(keepPace.Seconds())).Err()
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

// rate returns the sends a second of a broadcast by all replicas, over the last
// whole seconds that all have told of.
func (p *pulse) rate(ctx context.Context, id int64) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, pulseWithin)
	defer cancel()
	newest := p.c.e.now().Unix() - 2
	keys := make([]string, rateOver)
	for i := range keys {
		keys[i] = p.c.key(rateName(id) + ":" + strconv.FormatInt(newest-int64(i), 10))
	}
	values, err := p.c.Redis.MGet(ctx, keys...).Result()
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
	text, ok := v.(string)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
