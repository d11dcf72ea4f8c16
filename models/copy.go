package models

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
)

// CopyTable is a table as a copy of the database takes it.
type CopyTable struct {
	Name string
	// key is its primary key.
	key string
	// counted says that the database gives its rows their numbers.
	counted bool
	// where leaves out rows that are about this database alone; empty for none.
	where string
}

// CopyTables are all tables but the migrations' and those of the console: who is in it is
// not taken to another database.
var CopyTables = []CopyTable{
	{Name: "recipients", key: "id", counted: true},
	{Name: "broadcasts", key: "id", counted: true},
	{Name: "batches", key: "broadcast_id, seq"},
	{Name: "deliveries", key: "broadcast_id, recipient_id"},
	{Name: "outcome_counts", key: "broadcast_id, state, errcode, detail"},
	{Name: "send_counts", key: "broadcast_id, at"},
	{Name: "tallies", key: "broadcast_id, seq"},
	{Name: "tallied_sends", key: "broadcast_id, at"},
	{Name: "receipts", key: "msgid"},
	{Name: "inbound", key: "message_key"},
	{Name: "sync_runs", key: "id"},
	{Name: "messages", key: "folded"},
	{Name: "replies", key: "folded"},
	{Name: "admins", key: "openid"},
	{Name: "audit", key: "id", counted: true},
	{Name: "notices", key: "openid, broadcast_id"},
	{Name: "topics", key: "id", counted: true},
	{Name: "consents", key: "id", counted: true},
	{Name: "memberships", key: "topic_id, recipient_id"},
	{Name: "segments", key: "id", counted: true},
	{Name: "members", key: "segment_id, recipient_id"},
	{Name: "lists", key: "folded"},
	{Name: "approvals", key: "broadcast_id, openid"},
	{Name: "webhooks", key: "id", counted: true},
	{Name: "tokens", key: "id", counted: true},
	{Name: "api_requests", key: "token_id, key_hash"},
	// alive is the sign of life of this database's server: in another database it would
	// look like that of a backup.
	{Name: "facts", key: "name", where: " WHERE name NOT IN ('alive', '" + factIncomplete + "', '" + factCopiedTo +
		"', '" + factCopyProbe + "', '" + factBeat + "', '" + factWritten + "')"},
}

// CountRows counts the rows of a table that a copy takes.
func (s *Store) CountRows(ctx context.Context, t CopyTable) (n int64, err error) {
	err = s.r.WithContext(ctx).Raw("SELECT COUNT(*) FROM " + t.Name + t.where).Scan(&n).Error
	return n, wrap(err, "count the rows of "+t.Name)
}

// Columns returns the columns of a table.
func (s *Store) Columns(ctx context.Context, t CopyTable) ([]string, error) {
	rows, err := s.r.Statement.ConnPool.QueryContext(ctx, "SELECT * FROM "+t.Name+" LIMIT 0")
	if err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", t.Name, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err == nil {
		err = rows.Err()
	}
	return names, wrap(err, "read the columns of "+t.Name)
}

// EachRow hands the rows of a table that a copy takes to f, in the order of the primary
// key and one at a time: a value is an int64, a string or a []byte, the same on both
// databases. A row stays as it is after f returned.
func (s *Store) EachRow(ctx context.Context, t CopyTable, columns []string, f func(row []any) error) error {
	rows, err := s.r.Statement.ConnPool.QueryContext(ctx,
		"SELECT "+strings.Join(columns, ", ")+" FROM "+t.Name+t.where+" ORDER BY "+t.key)
	if err != nil {
		return fmt.Errorf("read %s: %w", t.Name, err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return fmt.Errorf("read %s: %w", t.Name, err)
	}
	into := make([]any, len(columns))
	for rows.Next() {
		row := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read %s: %w", t.Name, err)
		}
		for i, v := range row {
			if row[i], err = plainValue(v, types[i]); err != nil {
				return fmt.Errorf("read %s: %s: %w", t.Name, columns[i], err)
			}
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return wrap(rows.Err(), "read "+t.Name)
}

// plainValue returns a value as both databases store it.
func plainValue(v any, of *sql.ColumnType) (any, error) {
	blob := strings.HasSuffix(of.DatabaseTypeName(), "BLOB")
	switch v := v.(type) {
	case int64:
		return v, nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case string:
		if blob {
			return []byte(v), nil
		}
		return v, nil
	case []byte:
		if blob {
			return v, nil
		}
		return string(v), nil
	default:
		return nil, fmt.Errorf("unexpected %T", v)
	}
}

// maxParams is how many parameters one statement of AddRows has at most. MySQL takes
// 65,535. The SQLite driver looks for each parameter among all that it was handed: with
// 19,000 it takes nearly nine times as long to store the same rows.
var maxParams = map[string]int{MySQL: 30_000, SQLite: 500}

// AddRows stores rows, as EachRow hands them over, in one transaction.
func (s *Store) AddRows(ctx context.Context, t CopyTable, columns []string, rows [][]any) error {
	into := "INSERT INTO " + t.Name + " (" + strings.Join(columns, ", ") + ") VALUES "
	tuple := "(" + tuples("?", len(columns)) + ")"
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		for part := range slices.Chunk(rows, min(maxRows, maxParams[s.driver]/len(columns))) {
			args := make([]any, 0, len(part)*len(columns))
			for _, row := range part {
				args = append(args, row...)
			}
			if _, err := tx.Statement.ConnPool.ExecContext(ctx, into+tuples(tuple, len(part)), args...); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "store rows of "+t.Name)
}

// nextNumber is how MySQL says which number the next row of a table gets. It says
// nothing if that is 1.
var nextNumber = regexp.MustCompile(`\sAUTO_INCREMENT=(\d+)`)

// NextNumber returns the number that the next row of a table gets; 0 if the database
// gives it none.
func (s *Store) NextNumber(ctx context.Context, t CopyTable) (int64, error) {
	if !t.counted {
		return 0, nil
	}
	if s.driver == SQLite {
		var last int64
		err := s.r.WithContext(ctx).Raw("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = ?", t.Name).Scan(&last).Error
		return last + 1, wrap(err, "read the next number of "+t.Name)
	}
	var name, made string
	if err := s.r.Statement.ConnPool.QueryRowContext(ctx, "SHOW CREATE TABLE "+t.Name).Scan(&name, &made); err != nil {
		return 0, fmt.Errorf("read the next number of %s: %w", t.Name, err)
	}
	found := nextNumber.FindStringSubmatch(made)
	if found == nil {
		return 1, nil
	}
	return strconv.ParseInt(found[1], 10, 64)
}

// SetNextNumber sets the number that the next row of a table gets.
func (s *Store) SetNextNumber(ctx context.Context, t CopyTable, next int64) error {
	if !t.counted {
		return nil
	}
	if s.driver == MySQL {
		err := s.exec(ctx, "ALTER TABLE "+t.Name+" AUTO_INCREMENT = "+strconv.FormatInt(next, 10))
		return wrap(err, "set the next number of "+t.Name)
	}
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if err := tx.Exec("DELETE FROM sqlite_sequence WHERE name = ?", t.Name).Error; err != nil {
			return err
		}
		return tx.Exec("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", t.Name, next-1).Error
	})
	return wrap(err, "set the next number of "+t.Name)
}
