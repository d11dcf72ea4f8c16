package e2e

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"
)

// transfer is the move of a server from one database to another.
type transfer struct {
	t        *testing.T
	p        *platform
	from, to database
}

// What is paused in the middle and what is scheduled go on in a copy, whatever kind of
// database it is in, and reach everyone once. From half a copy nothing is sent, and from
// the source nothing after it.
func TestBroadcastsGoOnInACopy(t *testing.T) {
	t.Parallel()
	long(t)
	for name, open := range map[string][2]func(*testing.T) database{
		"sqlite to mysql": {sqlite, mariadb}, "mysql to sqlite": {mariadb, sqlite},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const followers = 600
			p := startPlatform(t, "--followers", itoa(followers), "--latency", "5ms", "--receipt-delay-max", "300ms")
			m := &transfer{t: t, p: p, from: open[0](t), to: open[1](t)}
			m.leaves(followers)
			calls := p.stats().Calls

			m.isKilled()
			m.refused(m.to, "incomplete copy", "copy again")
			m.copies()
			m.refused(m.from, "which took its place", "copy --undo")
			if now := p.stats().Calls; now != calls {
				t.Errorf("%d sends before a server uses the copy", now-calls)
			}

			s := startServer(t, p, m.to.url, nil)
			in := &mending{server: s}
			in.ends(2)
			if st := p.stats(); st.Calls != calls+followers {
				t.Errorf("%d sends of the scheduled one to %d, while the other is paused", st.Calls-calls, followers)
			}
			in.wants(p.say(admin, "broadcast status #1"), "Paused")
			p.say(admin, "broadcast resume #1")
			in.ends(1)
			m.everyoneGotBoth(followers)
			// The receipts of both databases find their deliveries.
			p.receiptsCome()
			m.to.deliveries(t, map[string]int64{"delivered": followers})

			m.refused(m.from, "which took its place")
			m.everyoneGotBoth(followers)
		})
	}
}

// leaves has two broadcasts in the source: the first paused in its middle, the second
// due since a moment. The server is stopped.
func (m *transfer) leaves(followers int64) {
	m.t.Helper()
	s := startServer(m.t, m.p, m.from.url, nil)
	in := &mending{server: s}
	m.p.waitsAfter(followers / 3)
	in.wants(m.p.say(admin, "broadcast all personal"), "#1")
	m.p.callsReach(followers / 3)
	in.wants(m.p.say(admin, "broadcast pause #1"), "#1")
	m.p.waitsAfter(0)
	in.wants(m.p.say(admin, "broadcast all notice at tomorrow 09:00"), "#2")
	holds(m.t, m.p, "the pause")
	m.p.receiptsCome()
	in.wants(m.p.say(admin, "broadcast status #1"), "Paused")
	if code, _ := s.terminate(); code != 0 {
		m.t.Fatalf("ended with code %d", code)
	}
	if st := m.p.stats(); st.Reached == 0 || st.Reached >= followers || st.MoreThanOne != 0 {
		m.t.Fatalf("reached %d of %d before the copy, %d more than once", st.Reached, followers, st.MoreThanOne)
	}
	pool := openPool(m.t, m.from)
	due := time.Now().UnixMilli()
	if _, err := pool.ExecContext(m.t.Context(), "UPDATE broadcasts SET planned_start = ?, not_before = ? WHERE id = 2", due, due); err != nil {
		m.t.Fatal(err)
	}
	m.fills(pool)
}

// rows are so many that a copy of them lasts.
const rows = 24_000

// fills puts rows into the audit of the source, which is copied after the recipients.
func (m *transfer) fills(pool *sql.DB) {
	m.t.Helper()
	detail := strings.Repeat("x", 900)
	for part := range rows / 1000 {
		values := make([]string, 1000)
		for i := range values {
			values[i] = fmt.Sprintf("(0, 'oNobody', 'pause', '%s', 'filled %d %d')", detail, part, i)
		}
		query := "INSERT INTO audit (at, admin, action, detail, message_key) VALUES " + strings.Join(values, ",")
		if _, err := pool.ExecContext(m.t.Context(), query); err != nil {
			m.t.Fatal(err)
		}
	}
}

// command starts the program with a command, on a database.
func (m *transfer) command(db database, args ...string) *process {
	m.t.Helper()
	s := newServer(m.t, m.p, db.url, nil)
	return start(m.t, s.log, s.env.environ(), args...)
}

// isKilled begins the copy and kills it once the target has some of the rows.
func (m *transfer) isKilled() {
	m.t.Helper()
	copying := m.command(m.from, "copy", "--to", m.to.url)
	pool := openPool(m.t, m.to)
	has := func() (n int64) {
		if err := pool.QueryRowContext(m.t.Context(), "SELECT COUNT(*) FROM audit").Scan(&n); err != nil {
			return 0 // there is no table yet
		}
		return n
	}
	poll(m.t, 2*time.Millisecond, patience, "the target has rows", func() bool { return copying.ended() || has() > 0 })
	copying.kill()
	if n := has(); n == 0 || n >= rows {
		m.t.Fatalf("the target has %d of %d rows, so the kill did not come in the middle:\n%s", n, rows, copying.log.text(0))
	}
}

// copies runs a copy to its end.
func (m *transfer) copies() {
	m.t.Helper()
	copying := m.command(m.from, "copy", "--to", m.to.url)
	code := copying.wait()
	text := copying.log.text(0)
	if code != 0 || !strings.Contains(text, "counts and sums are equal") {
		m.t.Fatalf("copy ended with code %d:\n%s", code, text)
	}
}

// refused checks that neither a server nor a sync takes a database, and that each says why.
func (m *transfer) refused(db database, parts ...string) {
	m.t.Helper()
	calls := m.p.stats().Calls
	for _, command := range []string{"serve", "sync"} {
		p := m.command(db, command)
		code := p.wait()
		text := p.log.text(0)
		if code != 2 {
			m.t.Errorf("%s ended with code %d, want 2:\n%s", command, code, text)
		}
		for _, part := range append(parts, "DATABASE_URL") {
			if !strings.Contains(text, part) {
				m.t.Errorf("%s does not say %q:\n%s", command, part, text)
			}
		}
	}
	if now := m.p.stats().Calls; now != calls {
		m.t.Errorf("%d sends from a database that is refused", now-calls)
	}
}

// everyoneGotBoth checks the ledger: everyone has two different messages, and nobody more.
func (m *transfer) everyoneGotBoth(followers int64) {
	m.t.Helper()
	st := m.p.stats()
	if st.Reached != followers || st.MoreThanOne != followers || st.Accepted != 2*followers || st.Twice != 0 || len(m.p.received(3)) != 0 {
		m.t.Errorf("reached %d of %d, %d with more than one, %d messages, the same twice %d; missing: %v; three: %v",
			st.Reached, followers, st.MoreThanOne, st.Accepted, st.Twice, m.p.missing(), m.p.received(3))
	}
}
