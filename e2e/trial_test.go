package e2e

import (
	"cmp"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/simulator"
)

// row is what came of a trial, as it is printed.
type row struct {
	trial, database string
	missing         string // why there are no figures, if there are none

	kills               int
	recipients, reached int64
	// lost are those that received nothing and are not said to have failed or to
	// be uncertain; inFlight were begun and not recorded at the kills.
	twice, lost, uncertain, inFlight int64
	// wrong are those that received it and are said not to have, open those
	// without an outcome.
	failed, wrong, open int64
}

// table gathers the rows of the trials and prints them.
type table struct {
	mu   sync.Mutex
	rows []row
}

func (tb *table) add(r row) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.rows = append(tb.rows, r)
}

// print writes the rows, in the order in which the trials stand, and their sum.
func (tb *table) print(w io.Writer, trials []string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	const cells = "| %-34s | %-8s | %5v | %10v | %7v | %5v | %4v | %9v | %9v |\n"
	line := func(r row) {
		_, _ = fmt.Fprintf(w, cells, r.trial, r.database, r.kills, r.recipients, r.reached, r.twice, r.lost, r.uncertain, r.inFlight)
	}
	_, _ = fmt.Fprintf(w, cells, "trial", "database", "kills", "recipients", "reached", "twice", "lost", "uncertain", "in flight")
	_, _ = fmt.Fprintf(w, cells, "---", "---", "---:", "---:", "---:", "---:", "---:", "---:", "---:")
	slices.SortStableFunc(tb.rows, func(a, b row) int { return cmp.Compare(b.database, a.database) }) // SQLite first
	sum := row{trial: "all"}
	for _, trial := range trials {
		for _, r := range tb.rows {
			switch {
			case r.trial != trial:
			case r.missing != "":
				_, _ = fmt.Fprintf(w, "| %-34s | %-8s | %s |\n", r.trial, r.database, r.missing)
			default:
				line(r)
				sum.kills += r.kills
				sum.recipients += r.recipients
				sum.reached += r.reached
				sum.twice += r.twice
				sum.lost += r.lost
				sum.uncertain += r.uncertain
				sum.inFlight += r.inFlight
			}
		}
	}
	line(sum)
}

// crash is a broadcast that is disturbed again and again: a program, what it
// talks to, and what has been done to it.
type crash struct {
	t *testing.T
	*server
	db   database
	pool *sql.DB
	// share is how many sends there are for each disturbance, so that the
	// broadcast is still under way at the last one; skipped are recipients to whom
	// there may never be one.
	share, skipped int64
	// flying are the recipients who were in flight at a kill.
	flying map[int64]bool
	row
}

// newCrash starts a broadcast to so many for each of the kills to come, and to
// some more, so that it is not over when a busy machine makes a kill late.
func newCrash(t *testing.T, db database, kills int, share int64, flags []string, more settings) *crash {
	t.Helper()
	followers := int64(kills+5) * share
	args := append([]string{
		"--followers", itoa(followers), "--latency", "10ms", "--callback-retry", "2s",
		"--seed", itoa(rand.Int64()), "--receipt-delay-max", "1s",
	}, flags...)
	p := startPlatform(t, args...)
	c := &crash{t: t, db: db, share: share, flying: map[int64]bool{}}
	c.server = startServer(t, p, db.url, more)
	c.pool = openPool(t, db)
	p.say(admin, "broadcast all personal")
	return c
}

// openPool opens the trial's own look into a database.
func openPool(t *testing.T, db database) *sql.DB {
	t.Helper()
	pool, err := sql.Open(db.driver, db.dsn)
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxIdleConns(0) // none that outlives a stop of the database
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// reach waits until the broadcast has come somewhere into the n-th share, from
// 0, and some milliseconds further.
func (c *crash) reach(n int) {
	c.t.Helper()
	want := int64(n)*c.share + rand.Int64N(c.share*3/4) - c.skipped
	eventually(c.t, patience, fmt.Sprintf("%d messages are accepted", want), func() bool {
		return c.platform.stats().Accepted >= want
	})
	pass(c.t, time.Duration(rand.Int64N(int64(40*time.Millisecond))))
}

// die kills the program and counts what it had in flight.
func (c *crash) die() {
	c.t.Helper()
	if st := c.platform.stats(); st.Accepted >= int64(st.Followers) {
		c.t.Fatalf("kill %d comes after the broadcast", c.kills+1)
	}
	c.kill()
	c.kills++
}

// count counts those who were in flight when the program or its database died:
// whose delivery is begun and has no outcome. Nobody counts twice.
func (c *crash) count() {
	c.t.Helper()
	seldom(c.t, patience, "the database tells who was in flight", func() bool {
		var busy int
		if c.db.driver == "mysql" && c.ended() {
			// The server may still be carrying out what the dead one asked for.
			err := c.pool.QueryRowContext(c.t.Context(), `SELECT COUNT(*) FROM information_schema.processlist
				WHERE db = DATABASE() AND id <> CONNECTION_ID()`).Scan(&busy)
			if err != nil || busy != 0 {
				return false
			}
		}
		flying, err := inDoubt(c.t.Context(), c.pool)
		for _, id := range flying {
			c.flying[id] = true
		}
		return err == nil
	})
	c.inFlight = int64(len(c.flying))
}

// stumble starts the program and, now and then, kills it in its first moments.
func (c *crash) stumble(most int) {
	c.t.Helper()
	for c.kills < most && rand.IntN(4) == 0 {
		c.process = start(c.t, c.log, c.env.environ())
		pass(c.t, time.Duration(rand.Int64N(int64(400*time.Millisecond))))
		c.die()
		c.count()
	}
	c.start(c.t)
}

// outcomes are what the database says of each recipient.
func (c *crash) outcomes() map[string]string {
	c.t.Helper()
	rows, err := c.pool.QueryContext(c.t.Context(), `SELECT r.openid, COALESCE(d.state, '') FROM recipients r
		LEFT JOIN deliveries d ON d.recipient_id = r.id AND d.broadcast_id = 1`)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	states := map[string]string{}
	for rows.Next() {
		var openID, state string
		if err := rows.Scan(&openID, &state); err != nil {
			c.t.Fatal(err)
		}
		states[openID] = state
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
	return states
}

// judge holds what the program says of everyone against what the platform's
// ledger says that they received.
func (c *crash) judge() {
	c.t.Helper()
	st := c.platform.stats()
	c.recipients, c.reached, c.twice = int64(st.Followers), st.Reached, st.MoreThanOne
	var received []simulator.Count
	c.platform.ask(http.MethodGet, "/_sim/received?min=1", nil, &received)
	got := make(map[string]bool, len(received))
	for _, r := range received {
		got[r.OpenID] = true
	}
	states := c.outcomes()
	if len(states) != st.Followers {
		c.t.Errorf("the database has %d recipients, the platform %d followers", len(states), st.Followers)
	}
	for openID, state := range states {
		switch state {
		case "uncertain":
			c.uncertain++
		case "failed":
			c.failed++
			if got[openID] {
				c.wrong++
			}
		case "accepted", "delivered", "blocked":
			if !got[openID] {
				c.lost++
			}
		case "sending", "later":
			c.open++
		default:
			if !got[openID] {
				c.lost++
			} else {
				c.wrong++
			}
		}
	}
}

// check fails the trial if the promise was broken.
func (c *crash) check() {
	c.t.Helper()
	switch {
	case c.twice != 0 || c.lost != 0:
		c.t.Errorf("%d received it twice, %d are lost; missing: %v; more than once: %v",
			c.twice, c.lost, c.platform.missing(), c.platform.received(2))
	case c.uncertain > c.inFlight:
		c.t.Errorf("%d are uncertain, and %d were in flight at the kills", c.uncertain, c.inFlight)
	case c.open != 0:
		c.t.Errorf("%d are without an outcome", c.open)
	case c.wrong != 0:
		c.t.Errorf("%d received it and are said not to have", c.wrong)
	case c.reached+c.failed+c.uncertain < c.recipients:
		c.t.Errorf("%d reached, %d failed and %d uncertain of %d", c.reached, c.failed, c.uncertain, c.recipients)
	}
}

// end waits for the end of the broadcast and of its receipts, and judges it.
func (c *crash) end() {
	c.t.Helper()
	c.finishes()
	given := c.platform.receiptsCome().GivenUp
	seldom(c.t, patience, "every receipt is counted", func() bool {
		var n int64
		err := c.pool.QueryRowContext(c.t.Context(), "SELECT COUNT(*) FROM deliveries WHERE state = 'accepted'").Scan(&n)
		return err == nil && n <= given
	})
	c.judge()
	c.check()
	countsKept(c.t, c.pool)
}

// printed tells where the table goes: to the terminal when it was asked for,
// else to the test's log.
func printed(t *testing.T, asked bool, tb *table, trials []string) {
	t.Helper()
	if asked {
		tb.print(os.Stdout, trials)
		return
	}
	var text strings.Builder
	tb.print(&text, trials)
	t.Logf("\n%s", text.String())
}
