package e2e

import (
	"testing"
)

// Three replicas share a broadcast: each has a part in it, everyone is reached
// once, and three are faster than one.
func TestReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	long(t)
	db := mariadb(t)
	redisURL, _ := newRedis(t)
	followers := sized[int64](6_000, 50_000)
	p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms")
	c := startCluster(t, p, 3, db.url, redisURL, settings{"SEND_CONCURRENCY": "8"})
	p.say(admin, "broadcast all personal")
	c.replicas[0].finishes()
	p.reached(followers)
	st := p.stats()
	t.Logf("max in flight %d, seconds %v", st.MaxInFlight, st.Seconds)
	if st.MaxInFlight != 24 {
		t.Errorf("%d in flight at most, want 24: three times eight", st.MaxInFlight)
	}
}
