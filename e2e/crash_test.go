package e2e

import (
	"bufio"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Killed at random moments of one broadcast, the program goes on by itself at
// each start, reaches everyone, and nobody twice.
func TestKilledInMidBroadcast(t *testing.T) {
	t.Parallel()
	long(t)
	eachDatabase(t, func(t *testing.T, db database) {
		const kills = 6
		followers := sized[int64](2_500, 12_000)
		p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms")
		s := startServer(t, p, db.url, settings{"SEND_CONCURRENCY": sized("16", "64")})

		p.say(admin, "broadcast all personal")
		for kill := range int64(kills) {
			p.callsReach((kill + 1) * followers / (kills + 1))
			pass(t, time.Duration(rand.Int64N(int64(60*time.Millisecond))))
			s.kill()
			st := p.stats()
			if st.Accepted >= followers {
				t.Fatalf("kill %d came after the broadcast", kill+1)
			}
			t.Logf("kill %d: %d of %d received it, %d calls were asked again so far", kill+1, st.Reached, followers, st.Repeated)
			s.start(t)
		}
		s.finishes()
		p.reached(followers)
		s.closingNotice(followers, followers)
		s.noMoreNotices()
		status := p.say(admin, "broadcast status #1")
		if uncertain, failed := counted(status, `uncertain (\S+)`), counted(status, `failed (\S+)`); uncertain != 0 || failed != 0 {
			t.Errorf("uncertain %d, failed %d, want none:\n%s", uncertain, failed, status)
		}
	})
}

// Told to stop in mid-broadcast, the program records what is in flight, ends
// with code 0 within 10 s, and goes on at the next start.
func TestToldToStop(t *testing.T) {
	t.Parallel()
	long(t)
	tests := map[string]struct {
		slowFor string
		// recorded: the answers come soon enough to be waited for, so that nobody
		// has to be asked about again.
		recorded bool
		signals  []syscall.Signal
	}{
		"slow answers":             {slowFor: "2s", recorded: true, signals: []syscall.Signal{syscall.SIGTERM}},
		"answers that do not come": {slowFor: "60s", signals: []syscall.Signal{syscall.SIGTERM}},
		// The shell and the kernel both send one when a terminal closes.
		"a terminal that closes": {slowFor: "2s", recorded: true, signals: []syscall.Signal{syscall.SIGHUP, syscall.SIGHUP}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachDatabase(t, func(t *testing.T, db database) {
				const followers = 2_000
				p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms",
					"--fault-slow", "0.05", "--fault-slow-for", test.slowFor)
				s := startServer(t, p, db.url, settings{"SEND_CONCURRENCY": "64"})
				p.say(admin, "broadcast all personal")
				p.callsReach(followers / 3)
				code, took := s.signal(test.signals...)
				if code != 0 || took > 10*time.Second {
					t.Errorf("ended with code %d after %s, want 0 within 10 s", code, took)
				}
				calls := p.stats().Calls
				if calls >= followers {
					t.Fatalf("all %d were sent before the stop", followers)
				}
				pass(t, time.Second)
				if now := p.stats(); now.Calls != calls {
					t.Errorf("%d sends came after the end", now.Calls-calls)
				}
				p.ask(http.MethodPost, "/_sim/faults", map[string]any{"slow": 0}, nil)
				s.start(t)
				s.finishes()
				p.reached(followers)
				if st := p.stats(); test.recorded && st.Calls != followers {
					t.Errorf("%d calls for %d recipients: what was in flight was not recorded", st.Calls, followers)
				}
				s.closingNotice(followers, followers)
			})
		})
	}
}

// A terminal that closes ends what reads the log too, as in `serve 2>&1 | tee log`.
func TestToldToStopWithNobodyToReadTheLog(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "--followers", "10")
	s := newServer(t, p, sqlite(t).url, nil)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.process = &process{t: t, name: "server", log: s.log, done: make(chan struct{})}
	s.cmd = exec.CommandContext(t.Context(), binary)
	s.cmd.Dir, s.cmd.Env = t.TempDir(), s.env.environ()
	s.cmd.Stdout, s.cmd.Stderr = writer, writer
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait() // how it ended is asked of ProcessState
	}()
	t.Cleanup(s.kill)
	_ = writer.Close()
	lines := bufio.NewScanner(reader)
	for lines.Scan() && !strings.Contains(lines.Text(), "sending for this database") {
		continue
	}
	_ = reader.Close()
	if code, took := s.signal(syscall.SIGHUP); code != 0 || took > 10*time.Second {
		t.Errorf("ended with code %d after %s, want 0 within 10 s", code, took)
	}
}

// A second process on the same database serves callbacks and stands by; when
// the one that sends dies, it takes over.
func TestStandby(t *testing.T) {
	t.Parallel()
	long(t)
	eachDatabase(t, func(t *testing.T, db database) {
		const followers = 1_500
		p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms")
		first := startServer(t, p, db.url, settings{"SEND_CONCURRENCY": "8"})
		second := startServer(t, p, db.url, settings{"SEND_CONCURRENCY": "8"}) // gets the callbacks from now on

		if reply := p.say(stranger, "openid"); reply != stranger {
			t.Errorf("the one that stands by answers %q to openid", reply)
		}
		p.say(admin, "broadcast all personal")
		p.callsReach(followers / 3)
		if st := p.stats(); st.MaxInFlight > 8 {
			t.Errorf("%d sends in flight, so both processes send", st.MaxInFlight)
		}
		first.kill()
		killed, before := time.Now(), p.stats().Calls
		if before >= followers {
			t.Fatal("the kill came after the broadcast")
		}
		p.callsReach(before + 1)
		if took := time.Since(killed); took > 15*time.Second {
			t.Errorf("taken over after %s, want 15 s", took)
		}
		second.finishes()
		p.reached(followers)
		second.closingNotice(followers, followers)
		if strings.Contains(first.log.text(0), "level=ERROR") || strings.Contains(second.log.text(0), "level=ERROR") {
			t.Error("there are errors in the log")
		}
	})
}
