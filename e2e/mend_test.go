package e2e

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// mending is a day on which much goes wrong: a broadcast with a planned start, a panic
// word, the rest of it, a correction, with kills around the start of each.
type mending struct {
	*server
	pool   *sql.DB
	people int64
	kills  int
}

// TestMendingUnderKills holds what an admin does after a stop to the promise: whatever
// is killed around the start of a planned broadcast, of a rest and of a correction,
// nobody gets a message twice, and nobody is lost.
func TestMendingUnderKills(t *testing.T) {
	t.Parallel()
	long(t)
	each := 2 // kills around each of the four starts
	if *kills > 0 {
		each = max(each, *kills/32)
	}
	for kind, open := range map[string]func(*testing.T) database{"SQLite": sqlite, "MariaDB": mariadb} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			followers := 1000 + 100*int64(each) // enough for a broadcast to be under way after the last kill
			db := open(t)
			p := startPlatform(t, "--followers", itoa(followers), "--latency", "10ms", "--callback-retry", "2s",
				"--seed", itoa(rand.Int64()), "--receipt-delay-max", "1s", "--fault-cut", "0.01", "--fault-cut-accepted", "0.01")
			m := &mending{server: startServer(t, p, db.url, settings{"SEND_RATE": "100"}), people: followers}
			m.pool = openPool(t, db)
			m.planned(each)
			m.rest(1, each, followers/6)
			m.rest(2, each, followers+1)
			m.correction(each)
			m.judge()
			t.Logf("%d kills", m.kills)
		})
	}
}

// dies kills the program and starts it again, so many times at random moments.
func (m *mending) dies(times int) {
	m.t.Helper()
	for range times {
		pass(m.t, time.Duration(rand.Int64N(int64(900*time.Millisecond))))
		m.kill()
		m.kills++
		m.start(m.t)
	}
}

// planned has a broadcast to everyone start at its time, with kills around it.
func (m *mending) planned(times int) {
	m.t.Helper()
	m.wants(m.platform.say(admin, "broadcast all personal at tomorrow 09:00"), "#1")
	soon := time.Now().Add(time.Duration(rand.Int64N(int64(time.Second)))).UnixMilli()
	if _, err := m.pool.ExecContext(m.t.Context(), "UPDATE broadcasts SET planned_start = ?, not_before = ? WHERE id = 1", soon, soon); err != nil {
		m.t.Fatal(err)
	}
	m.dies(times)
	m.sent(1, m.people/10)
}

// rest stops everything by a panic word and has the rest sent by another broadcast, which
// is to come so far.
func (m *mending) rest(of int64, times int, until int64) {
	m.t.Helper()
	m.wants(m.platform.say(admin, "stop"), "Paused 1 broadcast", fmt.Sprintf("#%d", of))
	m.dies(rand.IntN(2))
	m.wants(m.platform.say(admin, fmt.Sprintf("rest #%d", of)), fmt.Sprintf("#%d", of+1), fmt.Sprintf("#%d is cancelled", of))
	m.dies(times)
	if until <= m.people {
		m.sent(of+1, until)
		return
	}
	m.ends(of + 1)
}

// correction writes to those whom the first broadcast reached.
func (m *mending) correction(times int) {
	m.t.Helper()
	m.wants(m.platform.say(admin, "reached #1 notice"), "#4", "reached by #1")
	m.dies(times)
	m.ends(4)
}

func (m *mending) wants(reply string, parts ...string) {
	m.t.Helper()
	for _, part := range parts {
		if !strings.Contains(reply, part) {
			m.t.Fatalf("no %q in the reply:\n%s", part, reply)
		}
	}
}

// sent waits until a broadcast was taken for so many.
func (m *mending) sent(id, n int64) {
	m.t.Helper()
	seldom(m.t, patience, fmt.Sprintf("#%d is sent to %d", id, n), func() bool {
		var sent int64
		err := m.pool.QueryRowContext(m.t.Context(),
			"SELECT COUNT(*) FROM deliveries WHERE broadcast_id = ? AND state IN ('accepted', 'delivered')", id).Scan(&sent)
		return err == nil && sent >= n
	})
}

// ends waits until a broadcast is finished.
func (m *mending) ends(id int64) {
	m.t.Helper()
	seldom(m.t, patience, fmt.Sprintf("#%d finishes", id), func() bool {
		status := m.platform.say(admin, fmt.Sprintf("broadcast status #%d", id))
		if regexp.MustCompile(`Stopped|Cancelled|Paused`).MatchString(status) {
			m.t.Fatalf("#%d does not finish:\n%s", id, status)
		}
		return strings.Contains(status, "Finished")
	})
}

// judge holds what the program says of everyone against what they received.
func (m *mending) judge() {
	m.t.Helper()
	states := map[string]map[int64]string{}
	rows, err := m.pool.QueryContext(m.t.Context(), `SELECT r.openid, COALESCE(d.broadcast_id, 0), COALESCE(d.state, '')
		FROM recipients r LEFT JOIN deliveries d ON d.recipient_id = r.id`)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var (
			openID, state string
			id            int64
		)
		if err := rows.Scan(&openID, &id, &state); err != nil {
			m.t.Fatal(err)
		}
		if states[openID] == nil {
			states[openID] = map[int64]string{}
		}
		states[openID][id] = state
	}
	if err := rows.Err(); err != nil {
		m.t.Fatal(err)
	}
	if int64(len(states)) < m.people {
		m.t.Errorf("%d people in the database", len(states))
	}
	uncertain := 0
	for openID, of := range states {
		if of[1]+of[2]+of[3] == "uncertain" {
			uncertain++
		}
		if fault := m.fault(openID, of); fault != "" {
			m.t.Errorf("%s: %s; %v", openID, fault, of)
		}
	}
	if int64(uncertain) > 20*int64(m.kills+1) {
		m.t.Errorf("%d are uncertain after %d kills", uncertain, m.kills)
	}
}

// fault says what is wrong with what one person received, by what the program says of
// them in each broadcast; empty if nothing is.
func (m *mending) fault(openID string, of map[int64]string) string {
	m.t.Helper()
	messages, corrections := 0, 0
	for _, got := range m.platform.messages(openID) {
		if strings.HasPrefix(got.Content.TemplateID, "Doclyl5u") {
			messages++
		} else {
			corrections++
		}
	}
	said := []string{}
	for id := int64(1); id <= 3; id++ {
		if of[id] != "" {
			said = append(said, of[id])
		}
	}
	reached := of[1] == "accepted" || of[1] == "delivered" || of[1] == "uncertain"
	switch {
	case messages > 1 || corrections > 1:
		return fmt.Sprintf("received it %d times, and %d corrections", messages, corrections)
	case len(said) != 1:
		return fmt.Sprintf("belongs to %d of the broadcasts", len(said))
	case messages == 0 && said[0] != "uncertain" && said[0] != "failed":
		return "received nothing and is " + said[0]
	case messages == 1 && said[0] == "failed":
		return "received it and is failed"
	case reached != (of[4] != ""):
		return "the correction is " + of[4] + ", the first broadcast " + of[1]
	case reached && corrections == 0 && of[4] != "uncertain":
		return "received no correction, which is " + of[4]
	}
	return ""
}

// A database that was restored from a backup made after the cancel knows who is left.
func TestTheRestAfterARestore(t *testing.T) {
	t.Parallel()
	long(t)
	const followers = 400
	db := sqlite(t)
	p := startPlatform(t, "--followers", itoa(followers), "--latency", "10ms", "--receipt-delay-max", "100ms")
	s := startServer(t, p, db.url, settings{"SEND_RATE": "100"})
	m := &mending{server: s, pool: openPool(t, db), people: followers}
	p.say(admin, "broadcast all personal")
	m.sent(1, followers/4)
	m.wants(p.say(admin, "cancel #1"), "#1 is cancelled", "rest #1")
	pass(t, tidied)
	copied := filepath.Join(t.TempDir(), "restored.db")
	if _, err := m.pool.ExecContext(t.Context(), "VACUUM INTO ?", copied); err != nil {
		t.Fatal(err)
	}
	s.kill()

	restored := startServer(t, p, "sqlite://"+copied, nil)
	m = &mending{server: restored, people: followers}
	m.wants(p.say(admin, "rest #1"), "#2", "left of #1")
	m.ends(2)
	p.reached(followers)
	m.wants(p.say(admin, "reached #1 notice"), "#3", "reached by #1")
	m.ends(3)
	if len(p.received(2)) == 0 {
		t.Error("nobody got the correction")
	}
}
