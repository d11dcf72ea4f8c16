package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"wechat-broadcast/config"
	"wechat-broadcast/models"
)

// ledger is the database of a server, read past the program: what the program says is held
// against it.
type ledger struct {
	db *sql.DB
	of *database
}

func openLedger(of *database) (*ledger, error) {
	dsn := of.DSN
	if of.Driver == config.SQLite {
		dsn += "?_pragma=busy_timeout(10000)" // the program writes too
	}
	db, err := openRaw(programTask{Driver: of.Driver, DSN: dsn})
	return &ledger{db, of}, err
}

func (l *ledger) close() error { return l.db.Close() }

// bytes is the size of the database: its file with the log of what is not in there yet, or
// what the server has for its tables and their indexes.
func (l *ledger) bytes(ctx context.Context) (size float64, err error) {
	if l.of.Driver == config.SQLite {
		for _, part := range []string{"", "-wal"} {
			info, err := os.Stat(l.of.DSN + part)
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				return 0, fmt.Errorf("ask for the size of the database: %w", err)
			default:
				size += float64(info.Size())
			}
		}
		return size, nil
	}
	// The server keeps the sizes as they were when it last looked.
	if _, err := l.db.ExecContext(ctx, "ANALYZE TABLE recipients, deliveries, batches"); err != nil {
		return 0, fmt.Errorf("have the size of the database looked at: %w", err)
	}
	err = l.db.QueryRowContext(ctx, "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()").Scan(&size)
	if err != nil {
		return 0, fmt.Errorf("ask for the size of the database: %w", err)
	}
	return size, nil
}

// ledgerResult is what the ledger says of a broadcast.
type ledgerResult struct {
	// Twice are people with a second message, and Lost those without one that the ledger
	// does not call uncertain.
	Twice, Lost int64
	// Uncertain is how many may have one, and Repeated how many messages were sent again
	// under their old client_msg_id.
	Uncertain, Repeated int64
	Held                bool
}

// hold reads the whole ledger of the account's first broadcast, to so many people, and fails
// if the program's counts are others. The second result is an error too if anybody is lost or
// has two messages.
func (l *ledger) hold(ctx context.Context, counts models.Counts, seen platformStats, people int) (r ledgerResult, err error) {
	rows, err := l.db.QueryContext(ctx, "SELECT state, COUNT(*) FROM deliveries WHERE broadcast_id = 1 GROUP BY state")
	if err != nil {
		return r, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	n := map[models.DeliveryState]int64{}
	for rows.Next() {
		var state models.DeliveryState
		var of int64
		if err := rows.Scan(&state, &of); err != nil {
			return r, fmt.Errorf("read the ledger: %w", err)
		}
		n[state] = of
	}
	if err := rows.Err(); err != nil {
		return r, fmt.Errorf("read the ledger: %w", err)
	}
	taken := n[models.Accepted] + n[models.Delivered]
	r = ledgerResult{Held: true, Twice: seen.Twice, Uncertain: n[models.Uncertain], Repeated: seen.Repeated}
	// Whoever is taken must have been sent to, and all others be uncertain.
	r.Lost = max(0, taken-seen.Sends) + int64(people) - taken - r.Uncertain
	switch told := (models.Counts{Accepted: n[models.Accepted], Delivered: n[models.Delivered], Uncertain: r.Uncertain}); {
	case counts != told:
		err = fmt.Errorf("the program counts %+v, and the ledger has %v", counts, n)
	case r.Twice != 0 || r.Lost != 0 || seen.Refused != 0 || seen.Sends > taken+r.Uncertain:
		err = fmt.Errorf("of %d people %d are lost and %d have two messages; the platform took %d and refused %d, and the ledger has %v",
			people, r.Lost, r.Twice, seen.Sends, seen.Refused, n)
	}
	return r, err
}

// newDays has the program believe again and again, until ctx ends, that a new day began: the
// platform lets the followers be asked for 500 times a day, and the program keeps to that. Ten
// million are 1,000 pages.
func (l *ledger) newDays(ctx context.Context) error {
	for tick := time.Tick(time.Second); ; {
		select {
		case <-tick:
		case <-ctx.Done():
			return nil
		}
		_, err := l.db.ExecContext(ctx, "UPDATE facts SET value = '' WHERE name = 'follower_calls'")
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("begin a new day: %w", err)
		}
	}
}

// age makes the account's first broadcast older. No program is running.
func (l *ledger) age(ctx context.Context, by time.Duration) error {
	ms := by.Milliseconds()
	_, err := l.db.ExecContext(ctx, "UPDATE broadcasts SET asked_at = asked_at - ?, not_before = not_before - ?, started_at = started_at - ?,"+
		" planned_at = planned_at - ?, finished_at = finished_at - ? WHERE id = 1", ms, ms, ms, ms, ms)
	if err != nil {
		return fmt.Errorf("make the broadcast older: %w", err)
	}
	return nil
}

// left is how many deliveries of the account's first broadcast there are.
func (l *ledger) left(ctx context.Context) (int64, error) {
	return l.count(ctx, "SELECT COUNT(*) FROM deliveries WHERE broadcast_id = 1")
}

// in is how many of them are in a state.
func (l *ledger) in(ctx context.Context, state models.DeliveryState) (int64, error) {
	return l.count(ctx, "SELECT COUNT(*) FROM deliveries WHERE broadcast_id = 1 AND state = ?", state)
}

func (l *ledger) count(ctx context.Context, query string, args ...any) (n int64, err error) {
	if err := l.db.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count deliveries: %w", err)
	}
	return n, nil
}
