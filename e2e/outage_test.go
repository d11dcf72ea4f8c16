package e2e

import (
	"strings"
	"testing"
	"time"
)

// host is the address in a base URL.
func host(url string) string { return strings.TrimPrefix(url, "http://") }

// With the platform away in mid-broadcast, connections cut and new ones
// refused, the program waits and goes on; nobody is lost or sent to twice.
func TestPlatformAwayInMidBroadcast(t *testing.T) {
	t.Parallel()
	long(t)
	eachDatabase(t, func(t *testing.T, db database) {
		followers := sized[int64](2_000, 12_000)
		p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms")
		between := newProxy(t, host(p.url))
		between.open()
		s := startServer(t, p, db.url, settings{"WECHAT_API_BASE_URL": "http://" + between.addr})
		p.waitsAfter(followers / 3)
		p.say(admin, "broadcast all personal")
		p.callsReach(followers / 3)

		between.refuse()
		p.waitsAfter(0)
		calls := p.stats().Calls
		if calls >= followers {
			t.Fatal("the outage came after the broadcast")
		}
		pass(t, sized(4*time.Second, 20*time.Second))
		if status := p.say(admin, "broadcast status"); !strings.Contains(status, "Running") {
			t.Errorf("the broadcast does not wait:\n%s", status)
		}
		if reply := p.say(stranger, "openid"); reply != stranger {
			t.Errorf("with the platform away, openid is answered %q", reply)
		}
		between.open()
		back := time.Now()
		p.callsReach(calls + 100)
		if took := time.Since(back); took > 15*time.Second {
			t.Errorf("it went on %s after the platform was back", took)
		}
		s.finishes()
		p.reached(followers)
		s.closingNotice(followers, followers)
	})
}

// With the platform away at the start, the program says so and keeps trying;
// a broadcast that is asked for meanwhile is sent once it is back.
func TestPlatformAwayAtStart(t *testing.T) {
	t.Parallel()
	const followers = 300
	p := startPlatform(t, "--followers", itoa(followers))
	between := newProxy(t, host(p.url))
	s := startServer(t, p, sqlite(t).url, settings{"WECHAT_API_BASE_URL": "http://" + between.addr})
	if status, body := s.get("/healthz"); status != 200 {
		t.Errorf("/healthz answers %d %s", status, body)
	}
	eventually(t, patience, "only the platform is away", func() bool {
		checks := s.unready()
		return len(checks) == 1 && checks["platform"] != ""
	})
	if reply := p.say(stranger, "openid"); reply != stranger {
		t.Errorf("openid is answered %q", reply)
	}
	between.open()
	eventually(t, patience, "ready", func() bool { return s.unready() == nil })
	p.say(admin, "broadcast all personal")
	s.finishes()
	p.reached(followers)
}

// With the database away at the start, the program lives, says so, answers what
// it can, and begins to work once the database is there.
func TestDatabaseAwayAtStart(t *testing.T) {
	t.Parallel()
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		p := startPlatform(t)
		nobody := newProxy(t, "127.0.0.1:1")
		s := newServer(t, p, "mysql://broadcast:"+databasePassword+"@"+nobody.addr+"/broadcast", nil)
		s.start(t)
		awayDatabase(t, p, s)
		if code, took := s.terminate(); code != 0 || took > 10*time.Second {
			t.Errorf("ended with code %d after %s, want 0 within 10 s", code, took)
		}
	})
	t.Run("for a while", func(t *testing.T) {
		t.Parallel()
		db := mariadb(t)
		const followers = 300
		p := startPlatform(t, "--followers", itoa(followers))
		between := newProxy(t, db.addr(t))
		s := newServer(t, p, db.through(between.addr), nil)
		s.start(t)
		awayDatabase(t, p, s)
		between.open()
		eventually(t, patience, "ready", func() bool { return s.unready() == nil })
		p.say(admin, "broadcast all personal")
		s.finishes()
		p.reached(followers)
	})
}

const databasePassword = "PasswordThatNobodyMaySee"

func awayDatabase(t *testing.T, p *platform, s *server) {
	t.Helper()
	if status, body := s.get("/healthz"); status != 200 {
		t.Errorf("/healthz answers %d %s", status, body)
	}
	checks := s.unready()
	if checks["database"] == "" {
		t.Errorf("/readyz does not name the database: %v", checks)
	}
	for _, reason := range checks {
		if strings.Contains(reason, databasePassword) {
			t.Errorf("/readyz tells the password: %s", reason)
		}
	}
	p.ask("POST", "/_sim/verify", nil, nil)
	for _, text := range []string{"openid", "broadcast all"} {
		asked := time.Now()
		if reply := p.say(admin, text); reply == "" || time.Since(asked) > 5*time.Second {
			t.Errorf("%s is answered %q after %s", text, reply, time.Since(asked))
		}
	}
	s.logged(`level=WARN msg="[^"]*database`)
	if text := s.log.text(0); strings.Contains(text, databasePassword) {
		t.Error("the log has the database's password")
	}
}
