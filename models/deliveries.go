package models

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Task is a recipient of a batch that has no outcome yet.
type Task struct {
	RecipientID  int64
	OpenID       string
	SubscribedAt Time
	Scene        string
	Remark       string
	ProfiledAt   Time
	Fields       string
	// State is empty, or Sending or Deferred for one that has a row; the rest is the
	// row's.
	State     DeliveryState
	SentAt    Time
	UpdatedAt Time
	ErrCode   int
	Attempts  int
}

// Tasks returns what is left to do in a batch: those of the audience without a
// delivery, and those whose delivery was begun and never ended or put off.
func (s *Store) Tasks(ctx context.Context, b *Broadcast, batch Batch) ([]Task, error) {
	begun, err := exists(ctx, s.r, "SELECT 1 FROM deliveries WHERE broadcast_id = ? AND recipient_id > ? AND recipient_id <= ? LIMIT 1",
		b.ID, batch.AfterID, batch.ThroughID)
	if err != nil {
		return nil, fmt.Errorf("read batch: %w", err)
	}
	sources := s.sources(b)
	if batch.SegmentID != 0 {
		sources = []source{s.canary(b, batch.SegmentID)}
	}
	var tasks []Task
	for _, src := range sources {
		if tasks, err = s.tasks(ctx, b, batch, src, begun, tasks); err != nil {
			return nil, fmt.Errorf("read batch: %w", err)
		}
	}
	if len(sources) > 1 {
		slices.SortStableFunc(tasks, func(x, y Task) int { return cmp.Compare(x.RecipientID, y.RecipientID) })
		tasks = slices.CompactFunc(tasks, func(x, y Task) bool { return x.RecipientID == y.RecipientID })
	}
	return tasks, nil
}

// tasks appends what is left to do in the part of a batch that is found in a source.
func (s *Store) tasks(ctx context.Context, b *Broadcast, batch Batch, src source, begun bool, tasks []Task) ([]Task, error) {
	// Nearly every batch is met once, so that nobody of it has a delivery.
	columns, join, where, args := "'', 0, 0, 0, 0", "", src.where.sql, []any{}
	if begun {
		columns = "COALESCE(d.state, ''), COALESCE(d.sent_at, 0), COALESCE(d.updated_at, 0)," +
			" COALESCE(d.errcode, 0), COALESCE(d.attempts, 0)"
		join = " LEFT JOIN deliveries d ON d.broadcast_id = ? AND d.recipient_id = recipients.id"
		where = "(d.state IN ('sending', 'later') OR d.state IS NULL AND " + where + ")"
		args = append(args, b.ID)
	}
	args = append(append(append(args, src.among.args...), batch.AfterID, batch.ThroughID), src.where.args...)
	rows, err := s.r.Statement.ConnPool.QueryContext(ctx, "SELECT recipients.id, recipients.openid, recipients.subscribed_at, recipients.scene,"+
		" recipients.remark, recipients.profiled_at, "+s.fieldsColumn(b)+", "+columns+" FROM "+src.from+join+
		" WHERE "+src.among.sql+" AND "+src.key+" > ? AND "+src.key+" <= ? AND "+where+" ORDER BY "+src.key, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var t Task
		err := rows.Scan(&t.RecipientID, &t.OpenID, &t.SubscribedAt, &t.Scene, &t.Remark, &t.ProfiledAt, &t.Fields,
			&t.State, &t.SentAt, &t.UpdatedAt, &t.ErrCode, &t.Attempts)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, t)
	}
	return tasks, rows.Err()
}

// Outcome is what became of a send.
type Outcome struct {
	BroadcastID, RecipientID int64
	State                    DeliveryState
	MsgID                    int64
	ErrCode                  int
	Detail                   string
	Attempts                 int
	SentAt                   time.Time
}

// RecordOutcomes records the outcomes, each at most once: a delivery that has an
// outcome keeps it. One whose words or numbers the database refuses is recorded
// without them and logged; the others are as they are.
func (s *Store) RecordOutcomes(ctx context.Context, outcomes []Outcome, now time.Time) error {
	record := func(part []Outcome) error { return s.recordOutcomes(ctx, part, now) }
	err := storeApart(outcomes, record, func(o Outcome, why string) error {
		s.log.ErrorContext(ctx, "the database refuses what the platform said of a send: its outcome is recorded without it",
			"broadcast", o.BroadcastID, "recipient", o.RecipientID, "state", o.State, "refused", why)
		return record([]Outcome{{
			BroadcastID: o.BroadcastID, RecipientID: o.RecipientID, State: o.State,
			MsgID: o.MsgID, Attempts: o.Attempts, SentAt: o.SentAt,
		}})
	})
	return wrap(err, "record outcomes")
}

func (s *Store) recordOutcomes(ctx context.Context, outcomes []Outcome, now time.Time) error {
	var args []any
	at := now.UnixMilli()
	rows := append(make([]byte, 0, 1024+128*len(outcomes)),
		"INSERT INTO deliveries (broadcast_id, recipient_id, state, msgid, errcode, detail, attempts, sent_at, updated_at) VALUES "...)
	for i, o := range outcomes {
		rows = appendRow(rows, i)
		rows = appendInts(rows, o.BroadcastID, o.RecipientID)
		rows = append(append(append(rows, ",'"...), o.State...), "',"...)
		rows = appendInts(rows, o.MsgID, clampInt(o.ErrCode))
		if o.Detail == "" {
			rows = append(rows, ",'',"...)
		} else {
			rows = append(rows, ",?,"...)
			args = append(args, cut(o.Detail, maxDetail))
		}
		rows = append(appendInts(rows, clampInt(o.Attempts), o.SentAt.UnixMilli(), at), ')')
	}
	query := string(rows)
	if s.driver == SQLite {
		query += ` ON CONFLICT (broadcast_id, recipient_id) DO UPDATE SET msgid = excluded.msgid, errcode = excluded.errcode,
			detail = excluded.detail, attempts = excluded.attempts, updated_at = excluded.updated_at, state = excluded.state
			WHERE deliveries.state = 'sending'`
	} else {
		// MySQL assigns from left to right, so state comes last.
		query += ` ON DUPLICATE KEY UPDATE msgid = IF(state = 'sending', VALUES(msgid), msgid),
			errcode = IF(state = 'sending', VALUES(errcode), errcode), detail = IF(state = 'sending', VALUES(detail), detail),
			attempts = IF(state = 'sending', VALUES(attempts), attempts),
			updated_at = IF(state = 'sending', VALUES(updated_at), updated_at),
			state = IF(state = 'sending', VALUES(state), state)`
	}
	return s.exec(ctx, query, args...)
}

// The hot statements have their numbers, and their states, which are constants,
// in their text: handing each over as a parameter costs more than all that the
// database does with it. What came from outside is always a parameter.

// appendRow begins the i-th row of a VALUES list.
func appendRow(query []byte, i int) []byte {
	if i > 0 {
		query = append(query, ',')
	}
	return append(query, '(')
}

// appendInts appends numbers with commas between them.
func appendInts(query []byte, numbers ...int64) []byte {
	for i, n := range numbers {
		if i > 0 {
			query = append(query, ',')
		}
		query = strconv.AppendInt(query, n, 10)
	}
	return query
}

// exec runs one statement on the writer, past GORM. A deadlock with another
// writer is tried again.
func (s *Store) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.execCount(ctx, query, args...)
	return err
}

// execCount is exec, and returns how many rows were changed.
func (s *Store) execCount(ctx context.Context, query string, args ...any) (n int64, err error) {
	db, err := s.w.DB()
	if err != nil {
		return 0, err
	}
	err = retrying(func() error {
		res, err := db.ExecContext(ctx, query, args...)
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	return n, s.failures.note(err)
}

// retrying runs a statement, again if it loses a deadlock.
func retrying(f func() error) error {
	for try := 1; ; try++ {
		if err := f(); err == nil || try == maxTries || !isDeadlock(err) {
			return err
		}
	}
}

// tuples returns n comma-separated copies of t.
func tuples(t string, n int) string {
	if n == 0 {
		return ""
	}
	return strings.Repeat(t+",", n-1) + t
}
