package e2e

import (
	"testing"
)

// With 64 sends in flight at 50 ms each, the limit is 1,280 a second; at least
// 90% of it are kept over the steady middle of a broadcast. It runs alone.
func TestThroughput(t *testing.T) {
	if !full() {
		t.Skip("skipped: set E2E_FULL=1 to measure the throughput, on a machine that does nothing else")
	}
	long(t)
	databases := map[string]func(*testing.T) database{"sqlite": sqlite, "mysql": mariadb}
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			const followers, limit, edge = 25_600, 64 * 20, 3
			p := startPlatform(t, "--followers", itoa(followers), "--latency", "50ms")
			s := startServer(t, p, open(t).url, settings{"SEND_CONCURRENCY": "64"})
			p.say(admin, "sync") // so that the sending is not held up by it
			eventually(t, patience, "the followers are pulled", func() bool { return len(p.notices()) > 0 })
			p.say(admin, "broadcast all personal")
			s.finishes()
			p.reached(followers)

			seconds := p.stats().Seconds
			if len(seconds) < 4*edge {
				t.Fatalf("over within %d seconds: %v", len(seconds), seconds)
			}
			middle := seconds[edge : len(seconds)-edge]
			calls := 0
			for _, second := range middle {
				calls += second.Calls
			}
			span := middle[len(middle)-1].Unix - middle[0].Unix + 1
			rate := float64(calls) / float64(span)
			t.Logf("%.0f a second over %d s, %.1f%% of the limit of %d", rate, span, 100*rate/limit, limit)
			if rate < 0.9*limit {
				t.Errorf("%.0f a second, want 90%% of %d", rate, limit)
			}
		})
	}
}
