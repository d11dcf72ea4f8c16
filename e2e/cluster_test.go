package e2e

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wechat-broadcast/simulator"
)

// handful has a replica send little enough for several to find room on one
// machine: 400 a second at a latency of 20 ms.
var handful = settings{"SEND_CONCURRENCY": "8"}

const handfulLatency = "20ms"

// alone has a trial whose speed is judged run by itself, and any other one beside
// others.
func alone(t *testing.T) {
	t.Helper()
	if !full() {
		t.Parallel()
	}
}

// entry is a line of the table that `make cluster` prints.
func entry(t *testing.T, what, measured, wanted string) {
	t.Helper()
	t.Logf("| %-58s | %-34s | %-26s |", what, measured, wanted)
}

// pulled has the followers pulled, so that the sending is not held up by it.
func (p *platform) pulled() {
	p.t.Helper()
	before := len(p.notices())
	p.say(admin, "sync")
	eventually(p.t, patience, "the followers are pulled", func() bool { return len(p.notices()) > before })
}

// pace is the sends a second without the first and last seconds.
func pace(t *testing.T, seconds []simulator.Second, edge int) float64 {
	t.Helper()
	if len(seconds) <= 2*edge {
		t.Fatalf("over within %d seconds: %v", len(seconds), seconds)
	}
	middle := seconds[edge : len(seconds)-edge]
	calls := 0
	for _, s := range middle {
		calls += s.Calls
	}
	return float64(calls) / float64(middle[len(middle)-1].Unix-middle[0].Unix+1)
}

// taken checks that so many deliveries were taken by the platform, and that there
// are no others. How many of them are reported as delivered yet does not matter.
func (db database) taken(t *testing.T, want int64) {
	t.Helper()
	var taken, all int64
	pool := openPool(t, db)
	err := pool.QueryRowContext(t.Context(), `SELECT COUNT(CASE WHEN state IN ('accepted', 'delivered') THEN 1 END), COUNT(*)
		FROM deliveries`).Scan(&taken, &all)
	if err != nil {
		t.Fatal(err)
	}
	if taken != want || all != want {
		t.Errorf("%d of %d deliveries were taken, want %d", taken, all, want)
	}
	countsKept(t, pool)
}

// Three replicas share a broadcast: all have a part in it, everyone is reached
// once, and three are faster than one.
func TestReplicasShareTheWork(t *testing.T) {
	alone(t)
	long(t)
	followers := sized[int64](6_000, 50_000)
	var rates []float64
	for _, n := range []int{1, 3} {
		db := mariadb(t)
		redisURL, _ := newRedis(t)
		p := startPlatform(t, "--followers", itoa(followers), "--latency", handfulLatency)
		c := startCluster(t, p, n, db.url, redisURL, handful)
		p.pulled()
		p.say(admin, "broadcast all personal")
		c.finishes()
		p.reached(followers)
		st := p.stats()
		if want := int64(8 * n); st.MaxInFlight != want {
			t.Errorf("%d replicas: %d in flight at most, want %d", n, st.MaxInFlight, want)
		}
		if st.Tokens.Stable+st.Tokens.Plain != 1 {
			t.Errorf("%d replicas: %d access tokens were asked for, want one", n, st.Tokens.Stable+st.Tokens.Plain)
		}
		rates = append(rates, pace(t, st.Seconds, 1))
		c.stop()
	}
	times := rates[1] / rates[0]
	entry(t, fmt.Sprintf("%d recipients, 8 in flight for each replica at 20 ms", followers),
		fmt.Sprintf("one %.0f/s, three %.0f/s: %.2f times", rates[0], rates[1], times), "at least 2.5 times")
	if !full() || times >= 2.5 {
		return
	}
	if bare := bareRate(t); bare < 0.95*limit {
		t.Skipf("not judged: the machine is too busy for a bare loop to make %d sends a second, it made %.0f", limit, bare)
	}
	t.Errorf("three replicas are %.2f times as fast as one, want 2.5", times)
}

// finishes waits until the broadcast has ended well, as long as a large one takes.
func (c *cluster) finishes() {
	c.t.Helper()
	seldom(c.t, sized(patience, 15*time.Minute), "the broadcast finishes", func() bool {
		status := c.platform.say(admin, "broadcast status #1")
		for _, other := range []string{"Stopped", "Cancelled", "Paused"} {
			if strings.Contains(status, other) {
				c.t.Fatalf("the broadcast does not finish:\n%s", status)
			}
		}
		return strings.Contains(status, "Finished")
	})
}

// stop ends every replica, as its administrator would.
func (c *cluster) stop() {
	c.t.Helper()
	var all sync.WaitGroup
	for _, s := range c.replicas {
		all.Go(func() {
			if code, took := s.terminate(); code != 0 || took > 10*time.Second {
				c.t.Errorf("ended with code %d after %s, want 0 within 10 s", code, took)
			}
		})
	}
	all.Wait()
}

// Replicas are killed and started again all the time, Redis loses everything
// once and MariaDB is killed once: everyone is reached once all the same.
func TestReplicasThroughFaults(t *testing.T) {
	t.Parallel()
	long(t)
	followers := sized[int64](8_000, 50_000)
	every := sized(2*time.Second, 3*time.Second)
	m := newMariaServer(t)
	db := m.database()
	redisURL, rdb := newRedis(t)
	p := startPlatform(t, "--followers", itoa(followers), "--latency", handfulLatency)
	c := startCluster(t, p, 3, db.url, redisURL, handful)
	p.pulled()
	p.say(admin, "broadcast all personal")
	kills := 0
	for p.stats().Reached < followers*3/4 {
		pass(t, every)
		s := c.replicas[kills%3]
		s.kill()
		kills++
		switch kills {
		case 2:
			if err := rdb.FlushDB(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		case 3:
			m.stop(syscall.SIGKILL)
			pass(t, time.Second)
			m.start()
		}
		pass(t, 500*time.Millisecond)
		c.start(s)
	}
	c.finishes()
	p.reached(followers)
	st := p.stats()
	entry(t, fmt.Sprintf("%d recipients, %d kills of replicas, one of MariaDB, one flush", followers, kills),
		fmt.Sprintf("reached %d, more than once %d", st.Reached, st.MoreThanOne), "everyone, nobody twice")
	db.taken(t, followers)
}

// The ceiling is the account's, not a replica's.
func TestReplicasKeepTheRate(t *testing.T) {
	alone(t)
	long(t)
	const rate, most = 500, 550
	followers := sized[int64](5_000, 50_000)
	db := mariadb(t)
	redisURL, _ := newRedis(t)
	p := startPlatform(t, "--followers", itoa(followers), "--latency", handfulLatency)
	c := startCluster(t, p, 3, db.url, redisURL, settings{"SEND_CONCURRENCY": "16", "SEND_RATE": itoa(rate)})
	p.pulled()
	p.say(admin, "broadcast all personal")
	pass(t, 5*time.Second)
	speed := counted(p.say(admin, "broadcast status"), `([\d,]+) a second`)
	c.finishes()
	p.reached(followers)
	st := p.stats()
	fullest := 0
	for _, s := range st.Seconds {
		fullest = max(fullest, s.Calls)
	}
	mean := pace(t, st.Seconds, 1)
	entry(t, fmt.Sprintf("%d recipients, three replicas, SEND_RATE=%d", followers, rate),
		fmt.Sprintf("%.0f/s, %d in the fullest second", mean, fullest), fmt.Sprintf("at most %d", most))
	if speed <= 0 || speed > most {
		t.Errorf("the status says %d a second", speed)
	}
	if fullest > most {
		t.Errorf("%d sends in one second, want at most %d: %v", fullest, most, st.Seconds)
	}
	if !full() || mean >= 0.9*rate {
		return
	}
	if bare := bareRate(t); bare < 0.95*limit {
		t.Skipf("not judged: the machine is too busy for a bare loop to make %d sends a second, it made %.0f", limit, bare)
	}
	t.Errorf("%.0f sends a second, want at least nine tenths of %d: %v", mean, rate, st.Seconds)
}

// Pause, resume and cancel reach every replica within 2 s, and one that comes
// later takes part within seconds.
func TestReplicasAreCommanded(t *testing.T) {
	t.Parallel()
	long(t)
	const followers = 12_000
	db := mariadb(t)
	redisURL, _ := newRedis(t)
	p := startPlatform(t, "--followers", itoa(followers), "--latency", handfulLatency)
	c := startCluster(t, p, 2, db.url, redisURL, settings{"SEND_CONCURRENCY": "4"})
	p.pulled()
	replies := p.deliver(admin, "broadcast all personal", 5, 7_000_000_001)
	for _, reply := range replies {
		if reply != replies[0] || !strings.Contains(reply, "#1 ") {
			t.Errorf("five copies at two replicas are answered %q and %q", replies[0], reply)
		}
	}
	p.callsReach(500)
	if most := p.stats().MaxInFlight; most != 8 {
		t.Errorf("%d in flight at most, want 8", most)
	}
	late := newServer(t, p, db.url, c.replicas[0].env)
	c.replicas = append(c.replicas, late)
	c.start(late)
	began := time.Now()
	eventually(t, patience, "the third replica takes part", func() bool { return p.stats().MaxInFlight > 8 })
	took := time.Since(began)
	entry(t, "a replica added in mid-broadcast", fmt.Sprintf("takes part after %s", took.Round(100*time.Millisecond)), "within seconds")
	if took > 5*time.Second {
		t.Errorf("it took part after %s", took)
	}
	for range 2 {
		p.say(admin, "broadcast pause")
		pass(t, 2*time.Second)
		calls := p.stats().Calls
		pass(t, 3*time.Second)
		if more := p.stats().Calls - calls; more > 0 {
			t.Errorf("%d sends more than 2 s after a pause", more)
		}
		p.say(admin, "broadcast resume")
		p.callsReach(calls + 300)
	}
	p.say(admin, "broadcast cancel")
	pass(t, 2*time.Second)
	st := p.stats()
	pass(t, 3*time.Second)
	if now := p.stats(); now.Calls != st.Calls || now.MoreThanOne != 0 || now.Calls >= followers {
		t.Errorf("after a cancel: %d sends, then %d; %d people with more than one", st.Calls, now.Calls, now.MoreThanOne)
	}
	if list := p.say(admin, "broadcast list"); strings.Count(list, "#") != 1 || !strings.Contains(list, "Cancelled") {
		t.Errorf("the list:\n%s", list)
	}
}

// With Redis or MySQL away for a while callbacks are answered, sending waits,
// and nothing is lost.
func TestReplicasWithoutTheirDatabases(t *testing.T) {
	t.Parallel()
	long(t)
	away := sized(5*time.Second, time.Minute)
	for name, busy := range map[string]string{"redis": "", "mysql": "try again"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			followers := sized[int64](5_000, 12_000)
			db := mariadb(t)
			redisURL, rdb := newRedis(t)
			p := startPlatform(t, "--followers", itoa(followers), "--latency", handfulLatency)
			mysql, redis := newProxy(t, db.addr(t)), newProxy(t, rdb.Options().Addr)
			mysql.open()
			redis.open()
			between := map[string]*proxy{"redis": redis, "mysql": mysql}[name]
			c := startCluster(t, p, 2, db.through(mysql.addr), strings.Replace(redisURL, rdb.Options().Addr, redis.addr, 1), handful)
			p.pulled()
			p.say(admin, "broadcast all personal")
			p.callsReach(followers / 4)

			between.refuse()
			pass(t, 3*time.Second)
			calls := p.stats().Calls
			if calls >= followers {
				t.Fatal("the outage came after the broadcast")
			}
			for gone := time.Now(); time.Since(gone) < away; {
				for _, text := range []string{"openid", "broadcast status"} {
					asked := time.Now()
					reply := p.say(admin, text)
					if took := time.Since(asked); reply == "" || took > 5*time.Second {
						t.Errorf("%s is answered %q after %s", text, reply, took)
					}
					if text == "openid" && reply != admin {
						t.Errorf("openid is answered %q", reply)
					}
					if text == "broadcast status" && busy == "" && !strings.Contains(reply, "#1 ") {
						t.Errorf("the status is answered %q", reply)
					}
				}
				for _, s := range c.replicas {
					want := map[string]string{"redis": "redis", "mysql": "database"}[name]
					if checks := s.unready(); checks[want] == "" {
						t.Errorf("/readyz does not name %s: %v", want, checks)
					}
				}
				pass(t, 500*time.Millisecond)
			}
			if more := p.stats().Calls - calls; more > 0 {
				t.Errorf("%d sends while %s was away", more, name)
			}
			between.open()
			back := time.Now()
			p.callsReach(calls + 100)
			entry(t, fmt.Sprintf("%s away for %s", name, away), fmt.Sprintf("goes on after %s", time.Since(back).Round(100*time.Millisecond)),
				"callbacks answered in 5 s")
			c.finishes()
			p.reached(followers)
			db.taken(t, followers)
		})
	}
}

// Without Redis one process of a database sends. When it dies, or hangs, the
// next takes over within 15 s.
func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	long(t)
	const within = 15 * time.Second
	for name, end := range map[string]func(s *server){
		"killed": func(s *server) { s.kill() },
		"hung":   func(s *server) { _ = s.cmd.Process.Signal(syscall.SIGSTOP) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const followers = 3_000
			db := mariadb(t)
			p := startPlatform(t, "--followers", itoa(followers), "--latency", handfulLatency)
			first := newServer(t, p, db.url, handful)
			first.start(t)
			first.logged("sending for this database")
			second := newServer(t, p, db.url, handful)
			second.start(t)
			second.logged("standing by")
			p.pulled()
			p.say(admin, "broadcast all personal")
			p.callsReach(followers / 4)
			if most := p.stats().MaxInFlight; most != 8 {
				t.Errorf("%d in flight at most, want 8: one sends", most)
			}
			end(first)
			ended := time.Now()
			second.logged("sending for this database")
			p.callsReach(p.stats().Calls + 50)
			took := time.Since(ended)
			entry(t, fmt.Sprintf("without Redis, the one that sends is %s", name), fmt.Sprintf("taken over after %s", took.Round(100*time.Millisecond)),
				"within 15 s")
			if took > within {
				t.Errorf("taken over after %s, want %s", took, within)
			}
			if name == "hung" { // and wakes up
				if err := first.cmd.Process.Signal(syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
			}
			second.finishes()
			p.reached(followers)
			db.taken(t, followers)
		})
	}
}
