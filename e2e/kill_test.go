package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// kills is how many kills TestCrash makes in all; the few of every test run if
// it is not set.
var kills = flag.Int("kills", 0, "make about so many kills in TestCrash, and print what came of them")

// usualKills are those of a run in which nothing was asked for.
const usualKills = 10

// faulty is a platform on which 2% of the calls fail in each of these ways.
var faulty = []string{
	"--fault-cut", "0.02", "--fault-cut-accepted", "0.02", "--fault-system-error", "0.02", "--fault-bad-gateway", "0.02",
	"--fault-token-revoked", "0.02", "--fault-slow", "0.02", "--fault-slow-for", "500ms",
}

// crashTrial is one way to disturb a broadcast.
type crashTrial struct {
	name  string
	share int // of all kills, in percent
	flags []string
	run   func(c *crash, kills int)
}

// crashTrials are those that kill the program; each runs on each database.
var crashTrials = []crashTrial{
	{name: "at random moments", share: 16, flags: faulty, run: (*crash).atRandom},
	{name: "accepted, not answered", share: 10, flags: faulty, run: (*crash).notAnswered},
	{name: "answered, not recorded", share: 10, flags: faulty, run: (*crash).notRecorded},
	// How the platform answers to a client_msg_id that it knows is not documented.
	{name: "the platform refuses repetitions", share: 5, flags: []string{"--duplicate-answer", "error"}, run: (*crash).atRandom},
	// Whoever is asked about again would receive it twice.
	{name: "the clock set forward", share: 3, flags: []string{"--client-msg-id-window", "1ns"}, run: (*crash).clockForward},
	{name: "the clock set back", share: 2, flags: []string{"--client-msg-id-window", "1ns"}, run: (*crash).clockBack},
}

const (
	databaseStops = "the database stopped and started"
	diskFull      = "the disk full"
	// fillings of the disk are enough: in the room that its log has taken by then,
	// SQLite writes on for long.
	fillings = 8
)

// Whatever the program, its database or its disk is put through, everyone is
// reached once, or is said to be uncertain: nobody twice, and nobody lost.
func TestCrash(t *testing.T) {
	t.Parallel()
	long(t)
	total := usualKills
	if *kills > 0 {
		total = *kills
	}
	var names []string
	for _, trial := range crashTrials {
		names = append(names, trial.name)
	}
	names = append(names, databaseStops, diskFull)
	results := &table{}
	t.Cleanup(func() { printed(t, *kills > 0, results, names) })
	of := func(percent int) int { return max(1, total*percent/100) }
	run := func(name, kind string, open func(*testing.T) database, trial func(t *testing.T, db database) *crash) {
		t.Run(name+"/"+kind, func(t *testing.T) {
			t.Parallel()
			result := row{trial: name, database: kind}
			defer func() {
				switch {
				case t.Skipped():
					result.missing = "skipped: go test -v says why"
				case t.Failed() && result.kills == 0:
					result.missing = "FAILED"
				}
				results.add(result)
			}()
			c := trial(t, open(t))
			result = c.row
			result.trial, result.database = name, kind
		})
	}
	for _, trial := range crashTrials {
		disturb := func(t *testing.T, db database) *crash {
			n := of(trial.share)
			c := newCrash(t, db, n, 100, trial.flags, nil)
			trial.run(c, n)
			c.end()
			return c
		}
		run(trial.name, "SQLite", sqlite, disturb)
		run(trial.name, "MariaDB", mariadb, disturb)
	}
	run(databaseStops, "MariaDB", noDatabase, func(t *testing.T, _ database) *crash { return stopDatabase(t, of(4)) })
	run(diskFull, "SQLite", noDatabase, func(t *testing.T, _ database) *crash { return fillDisk(t, min(of(4), fillings)) })
}

// noDatabase is for a trial that has its own.
func noDatabase(*testing.T) database { return database{} }

// atRandom kills at any moment, also in the first ones after a start.
func (c *crash) atRandom(kills int) {
	for c.kills < kills {
		c.reach(c.kills)
		c.die()
		c.count()
		c.stumble(kills)
	}
}

// notAnswered kills while the platform has accepted messages and told nobody.
func (c *crash) notAnswered(kills int) {
	var want int64
	hold := func() {
		after := rand.Int64N(c.share * 3 / 4)
		c.platform.ask(http.MethodPost, "/_sim/hold", map[string]int64{"after": after}, nil)
		want = 1
		if after > 0 { // the first call after a start goes alone
			want += rand.Int64N(16)
		}
	}
	for hold(); c.kills < kills; {
		eventually(c.t, patience, fmt.Sprintf("%d messages are accepted and not answered", want), func() bool {
			return c.platform.stats().Held >= want
		})
		c.die()
		if c.count(); c.kills < kills {
			hold()
		} else {
			c.platform.ask(http.MethodPost, "/_sim/release", nil, nil)
		}
		c.start(c.t)
	}
	c.repeats(kills)
}

// notRecorded kills while the answers cannot be recorded: somebody else keeps
// the table of deliveries locked.
func (c *crash) notRecorded(kills int) {
	for c.kills < kills {
		c.reach(c.kills)
		unlock := c.lock()
		pass(c.t, time.Duration(rand.Int64N(int64(150*time.Millisecond))))
		c.die()
		unlock()
		c.count()
		c.start(c.t)
	}
	c.repeats(kills)
}

// repeats checks that each kill left somebody who had to be asked about again:
// without, it came at no delicate moment.
func (c *crash) repeats(kills int) {
	c.t.Helper()
	c.finishes()
	if st := c.platform.stats(); st.Repeated < int64(kills) {
		c.t.Errorf("%d were asked about again after %d kills", st.Repeated, kills)
	}
}

// lock keeps everybody from writing deliveries.
func (c *crash) lock() (unlock func()) {
	c.t.Helper()
	lock, open := "BEGIN IMMEDIATE", "ROLLBACK"
	if c.db.driver == "mysql" {
		lock, open = "LOCK TABLES deliveries READ", "UNLOCK TABLES"
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	conn, err := c.pool.Conn(ctx)
	if err == nil {
		_, err = conn.ExecContext(ctx, lock)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return func() {
		defer cancel()
		if _, err := conn.ExecContext(ctx, open); err != nil {
			c.t.Error(err)
		}
		_ = conn.Close()
	}
}

func (c *crash) clockForward(kills int) { c.clock(kills, -10*time.Minute) }

func (c *crash) clockBack(kills int) { c.clock(kills, time.Hour) }

// clock sets the clock while the program is dead: seen from its next start, what
// was in flight was begun at another time. None of it may be sent again.
func (c *crash) clock(kills int, by time.Duration) {
	for c.kills < kills {
		c.reach(c.kills)
		c.die()
		c.count()
		c.skipped = c.inFlight
		if err := shiftClaims(c.t.Context(), c.pool, by); err != nil {
			c.t.Fatal(err)
		}
		c.start(c.t)
	}
	c.finishes()
	if repeated := c.platform.stats().Repeated; repeated != 0 {
		c.t.Errorf("%d were asked about again", repeated)
	}
}
