package e2e

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestCanaryUnderKills kills the program at random moments of a canary, in the pause after
// it and after its resume: nobody but the canary gets anything before the resume, nobody
// anything twice, and in the end nobody is left out.
func TestCanaryUnderKills(t *testing.T) {
	t.Parallel()
	long(t)
	each := 2 // kills in the canary, and after its resume
	if *kills > 0 {
		each = max(each, *kills/32)
	}
	for kind, open := range map[string]func(*testing.T) database{"SQLite": sqlite, "MariaDB": mariadb} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			few := 100 + 100*int64(each) // enough for the canary to be under way after the last kill
			followers := 3 * few
			db := open(t)
			p := startPlatform(t, "--followers", itoa(followers), "--latency", "10ms", "--callback-retry", "2s",
				"--seed", itoa(rand.Int64()), "--receipt-delay-max", "500ms", "--fault-cut", "0.01", "--fault-cut-accepted", "0.01")
			m := &mending{server: startServer(t, p, db.url, settings{"SEND_RATE": "100", "CANARY": itoa(few)}), people: followers}
			m.pool = openPool(t, db)
			m.wants(p.say(admin, "broadcast all personal canary"), "#1", itoa(few)+" of them are tried first", "broadcast resume #1")
			m.dies(each)
			m.triesFirst(few)
			m.dies(1)
			pass(t, 3*time.Second) // of which nothing may come
			m.triesFirst(few)
			m.wants(p.say(admin, "resume #1"), "#1 now goes to the other")
			m.dies(each)
			m.ends(1)
			m.judgeCanary()
			t.Logf("%d kills", m.kills)
		})
	}
}

// triesFirst waits until the broadcast is paused after its canary, and fails if anybody
// else was sent to.
func (m *mending) triesFirst(few int64) {
	m.t.Helper()
	seldom(m.t, patience, "#1 pauses after its canary", func() bool {
		status := m.platform.say(admin, "status #1")
		if strings.Contains(status, "Finished") {
			m.t.Fatalf("#1 does not wait:\n%s", status)
		}
		return strings.Contains(status, "Canary: tried on")
	})
	var tried, others int64
	err := m.pool.QueryRowContext(m.t.Context(), "SELECT COUNT(*) FROM deliveries").Scan(&tried)
	if err == nil {
		err = m.pool.QueryRowContext(m.t.Context(), `SELECT COUNT(*) FROM deliveries d WHERE NOT EXISTS (SELECT 1 FROM members m
			JOIN broadcasts b ON b.canary_segment = m.segment_id WHERE m.recipient_id = d.recipient_id)`).Scan(&others)
	}
	if err != nil || tried != few || others != 0 {
		m.t.Errorf("%d were tried, want %d; %d of them are not the canary's, %v", tried, few, others, err)
	}
	if got := int64(len(m.platform.received(1))); got > few {
		m.t.Errorf("%d received it before the resume", got)
	}
}

// judgeCanary holds what the program says of everyone against what they received.
func (m *mending) judgeCanary() {
	m.t.Helper()
	rows, err := m.pool.QueryContext(m.t.Context(), "SELECT r.openid, COALESCE(d.state, '') FROM recipients r LEFT JOIN deliveries d ON d.recipient_id = r.id")
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	people, uncertain := int64(0), 0
	for ; rows.Next(); people++ {
		var openID, state string
		if err := rows.Scan(&openID, &state); err != nil {
			m.t.Fatal(err)
		}
		got := len(m.platform.messages(openID))
		switch state {
		case "accepted", "delivered":
			if got != 1 {
				m.t.Errorf("%s is %s and received it %d times", openID, state, got)
			}
		case "uncertain":
			uncertain++
			if got > 1 {
				m.t.Errorf("%s is uncertain and received it %d times", openID, got)
			}
		default:
			m.t.Errorf("%s is %q and received it %d times", openID, state, got)
		}
	}
	if err := rows.Err(); err != nil {
		m.t.Fatal(err)
	}
	if people < m.people {
		m.t.Errorf("%d people in the database", people)
	}
	if uncertain > 20*(m.kills+1) {
		m.t.Errorf("%d are uncertain after %d kills", uncertain, m.kills)
	}
}
