package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/zone"
)

// becomes waits until the status of a broadcast says something and returns it.
func (s *server) becomes(id int64, word string) string {
	s.t.Helper()
	var status string
	seldom(s.t, patience, fmt.Sprintf("broadcast #%d is %s", id, word), func() bool {
		status = s.platform.say(admin, fmt.Sprintf("broadcast status #%d", id))
		return strings.Contains(status, word)
	})
	return status
}

// has fails the test if a text lacks one of these.
func has(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}

// A token that the platform revokes, or lets expire, in mid-broadcast costs one
// refresh, however many senders see it, and no attempt.
func TestRevokedToken(t *testing.T) {
	t.Parallel()
	long(t)
	const followers = 2_000
	p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms")
	db := sqlite(t)
	s := startServer(t, p, db.url, settings{"SEND_CONCURRENCY": "64"})
	p.waitsAfter(followers / 4)
	p.say(admin, "broadcast all personal")
	for i, command := range []string{"revoke-token", "expire-token", "revoke-token"} {
		p.callsReach(int64(i+1) * followers / 4)
		p.ask(http.MethodPost, "/_sim/"+command, nil, nil)
		p.waitsAfter(int64(i+2) * followers / 4)
	}
	p.waitsAfter(0)
	s.finishes()
	p.reached(followers)
	st := p.stats()
	if st.Tokens.Stable != 4 || st.Tokens.Forced != 0 || st.Tokens.Plain != 0 {
		t.Errorf("tokens %+v, want the first and one more for each that was lost", st.Tokens)
	}
	if st.Codes["40001"] == 0 || st.Codes["42001"] == 0 {
		t.Errorf("nobody saw a stale token: %v", st.Codes)
	}
	var tried int64
	err := openPool(t, db).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM deliveries WHERE attempts <> 1").Scan(&tried)
	if err != nil || tried != 0 {
		t.Errorf("it cost %d recipients an attempt, %v", tried, err)
	}
}

// With the server off the IP whitelist, or with a wrong secret, the broadcast
// pauses, says what to do, and goes on when it is told to once that is mended.
func TestNoToken(t *testing.T) {
	t.Parallel()
	long(t)
	const followers = 1_000
	tests := map[string]struct {
		breaks, mends func(s *server)
		says          []string
	}{
		"off the whitelist": {
			breaks: func(s *server) {
				s.platform.ask(http.MethodPost, "/_sim/faults", map[string]any{"refuse_ip": true}, nil)
				s.platform.ask(http.MethodPost, "/_sim/revoke-token", nil, nil)
			},
			mends: func(s *server) {
				s.platform.ask(http.MethodPost, "/_sim/faults", map[string]any{"refuse_ip": false}, nil)
			},
			says: []string{"127.0.0.1", "whitelist"},
		},
		"wrong secret": {
			breaks: func(s *server) { restart(s, strings.Repeat("1", len(appSecret))) },
			mends:  func(s *server) { restart(s, appSecret) },
			says:   []string{"AppSecret"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms")
			s := startServer(t, p, sqlite(t).url, settings{"SEND_CONCURRENCY": "4"})
			p.say(admin, "broadcast all personal")
			p.callsReach(followers / 3)
			test.breaks(s)
			status := s.becomes(1, "Paused")
			has(t, "the status", status, append(test.says, "resume #1")...)
			if platform := s.unready()["platform"]; platform == "" {
				t.Error("/readyz does not name the platform")
			} else {
				has(t, "/readyz", platform, test.says...)
			}
			holds(t, p, "the pause")
			test.mends(s)
			holds(t, p, "the mending, with nobody having said so")
			p.say(admin, "broadcast resume #1")
			s.becomes(1, "Finished")
			p.reached(followers)
		})
	}
}

// restart ends the server and starts it with another secret.
func restart(s *server, secret string) {
	s.t.Helper()
	s.terminate()
	s.env["WECHAT_APP_SECRET"] = secret
	s.start(s.t)
	s.logged(`sending for this database`)
}

// With the day's quota too small, the reply says so; with it used up, the
// broadcast pauses at once and says how many are left and when it goes on; then
// a single send tries whether it can.
func TestQuota(t *testing.T) {
	t.Parallel()
	long(t)
	eachDatabase(t, func(t *testing.T, db database) {
		const followers, quota = 1_500, 600
		p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms", "--limit-send-daily", itoa(quota))
		// Just after a reset, a quota that is still gone is asked for again soon.
		reset := time.Now().Add(2 * time.Hour).In(zone.Beijing).Format("15:04")
		s := startServer(t, p, db.url, settings{"QUOTA_RESET": reset})
		p.say(admin, "sync") // what a broadcast is asked for without knowing its size is not warned of
		eventually(t, patience, "the followers are pulled", func() bool { return len(p.notices()) > 0 })
		reply := p.say(admin, "broadcast all personal")
		has(t, "the reply", reply, "600", "1,500", "quota", reset)

		eventually(t, patience, "the quota is used up", func() bool { return p.stats().Codes["45009"] > 0 })
		refused, calls := time.Now(), p.stats().Calls
		var state string
		pool := openPool(t, db)
		eventually(t, patience, "it is paused", func() bool {
			err := pool.QueryRowContext(t.Context(), "SELECT state FROM broadcasts WHERE id = 1").Scan(&state)
			return err == nil && state == "paused"
		})
		if took := time.Since(refused); took > time.Second {
			t.Errorf("paused %s after the first refusal, want 1 s", took)
		}
		holds(t, p, "the pause")
		if more := p.stats().Calls - calls; more > 32 {
			t.Errorf("%d calls after the first refusal", more)
		}
		eventually(t, patience, "the admin is told", func() bool { return len(p.notices()) > 1 })
		has(t, "the notice", p.notices()[1].Text, "took 600 of 1,500", "Not sent: 900", reset, "sends are used up (WeChat error 45009)")

		due := func() {
			t.Helper()
			if _, err := pool.ExecContext(t.Context(), "UPDATE broadcasts SET resume_at = 1 WHERE id = 1 AND state = 'paused'"); err != nil {
				t.Fatal(err)
			}
		}
		calls = p.stats().Calls
		due()
		p.callsReach(calls + 1)
		holds(t, p, "the probe")
		if probes := p.stats().Calls - calls; probes != 1 {
			t.Errorf("%d sends tried whether the quota is there again, want 1", probes)
		}
		p.ask(http.MethodPost, "/_sim/limits", map[string]any{"send_daily": 0}, nil)
		due()
		s.becomes(1, "Finished")
		p.reached(followers)
	})
}

// With the account at stake, nothing at all is sent until an admin says so, not
// even after a restart.
func TestAccountAtStake(t *testing.T) {
	t.Parallel()
	long(t)
	for _, code := range []string{"40249", "43116", "48004"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			const followers = 1_000
			p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms")
			s := startServer(t, p, sqlite(t).url, nil)
			p.waitsAfter(followers / 3)
			p.say(admin, "broadcast all personal")
			p.callsReach(followers / 3)
			p.ask(http.MethodPost, "/_sim/faults", map[string]any{"codes": map[string]float64{code: 1}}, nil)
			p.waitsAfter(0)
			has(t, "the status", s.becomes(1, "Paused"), code, "resume #1")
			p.ask(http.MethodPost, "/_sim/faults", map[string]any{"codes": map[string]float64{}}, nil)
			if refused := p.stats().Codes[code]; refused > 16 {
				t.Errorf("%d calls were refused, with 16 in flight", refused)
			}
			eventually(t, patience, "the admin is told", func() bool { return len(p.notices()) > 0 })
			has(t, "the notice", p.notices()[0].Text, code, "paused")
			calls := p.stats().Calls
			p.say(admin, "broadcast me")
			s.kill()
			s.start(t)
			s.logged(`sending for this database`)
			p.say(admin, "broadcast all notice")
			holds(t, p, "the halt")
			if more := p.stats().Calls - calls; more != 0 {
				t.Errorf("%d sends with the account at stake", more)
			}
			p.say(admin, "broadcast resume #1")
			s.becomes(1, "Finished")
			p.reached(followers)
		})
	}
}

// A retry reaches those that failed or are uncertain, and nobody else.
func TestRetry(t *testing.T) {
	t.Parallel()
	long(t)
	eachDatabase(t, func(t *testing.T, db database) {
		const followers = 600
		p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms", "--fault-code", "49003=0.1")
		s := startServer(t, p, db.url, nil)
		p.waitsAfter(followers / 2)
		p.say(admin, "broadcast all personal")
		p.callsReach(followers / 2)
		s.kill()
		p.waitsAfter(0)
		pool := openPool(t, db)
		if err := shiftClaims(t.Context(), pool, -10*time.Minute); err != nil {
			t.Fatal(err)
		}
		s.start(t)
		s.finishes()
		again := map[string]bool{}
		rows, err := pool.QueryContext(t.Context(), `SELECT r.openid, d.state FROM deliveries d JOIN recipients r ON r.id = d.recipient_id
			WHERE d.broadcast_id = 1 AND d.state IN ('failed', 'uncertain')`)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		states := map[string]int{}
		for rows.Next() {
			var openID, state string
			if err := rows.Scan(&openID, &state); err != nil {
				t.Fatal(err)
			}
			again[openID] = true
			states[state]++
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if states["failed"] == 0 || states["uncertain"] == 0 {
			t.Fatalf("there is nobody to retry of each sort: %v", states)
		}
		p.ask(http.MethodPost, "/_sim/faults", map[string]any{"codes": map[string]float64{}}, nil)
		calls := p.stats().Calls
		has(t, "the reply", p.say(admin, "broadcast retry #1"), "#2 ", fmt.Sprintf("%d of #1", len(again)))
		s.becomes(2, "Finished")
		if made := p.stats().Calls - calls; made != int64(len(again)) {
			t.Errorf("the retry made %d calls for %d recipients", made, len(again))
		}
		if missing := p.missing(); len(missing) != 0 {
			t.Errorf("after the retry these have nothing: %v", missing)
		}
		for _, who := range p.received(2) {
			if !again[who.OpenID] {
				t.Errorf("%s, who had it, was sent it again", who.OpenID)
			}
		}
	})
}
