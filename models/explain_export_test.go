package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/glebarez/sqlite"
	"gorm.io/driver/mysql"
)

// Statements are those that reached the database through a Recorded store.
type Statements struct {
	mu   sync.Mutex
	list []Statement
}

// Statement is one of them.
type Statement struct {
	Query string
	Args  []driver.NamedValue
}

// Take returns what was recorded since the last call.
func (s *Statements) Take() []Statement {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list
	s.list = nil
	return list
}

func (s *Statements) add(query string, args []driver.NamedValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, Statement{query, args})
}

// Recorded returns a further store on the database of s that records every
// statement. Close must follow.
func Recorded(s *Store) (*Store, *Statements, error) {
	seen := &Statements{}
	again := &Store{driver: s.driver, dsn: s.dsn, log: s.log}
	base, dsn := s.w, s.dsn+"&interpolateParams=true"
	if s.driver == SQLite {
		dsn = "file:" + s.file.path + "?_txlock=immediate&_pragma=busy_timeout(10000)"
	}
	pool, err := base.DB()
	if err != nil {
		return nil, nil, err
	}
	db := sql.OpenDB(recordingConnector{pool.Driver(), dsn, seen})
	if s.driver == SQLite {
		again.w, err = s.gorm(sqlite.Dialector{Conn: db})
	} else {
		again.w, err = s.gorm(mysql.New(mysql.Config{Conn: db, SkipInitializeWithVersion: true}))
	}
	again.r = again.w
	return again, seen, err
}

// Explain returns one line for each table that a statement reads, as the
// database means to go about it.
func Explain(ctx context.Context, s *Store, st Statement) ([]string, error) {
	db, err := s.w.DB()
	if err != nil {
		return nil, err
	}
	query := "EXPLAIN " + st.Query
	if s.driver == SQLite {
		query = "EXPLAIN QUERY PLAN " + st.Query
	}
	args := make([]any, len(st.Args))
	for i, a := range st.Args {
		args[i] = a.Value
	}
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	var lines []string
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
		var words []string
		for i, c := range cells {
			words = append(words, columns[i]+"="+c.String)
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines, rows.Err()
}

// recordingConnector makes connections of another driver that record.
type recordingConnector struct {
	driver driver.Driver
	dsn    string
	seen   *Statements
}

func (c recordingConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return &recordingConn{conn, c.seen}, nil
}

func (c recordingConnector) Driver() driver.Driver { return c.driver }

type recordingConn struct {
	driver.Conn
	seen *Statements
}

var errNotOffered = errors.New("the driver does not offer it")

func (c *recordingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	execer, ok := c.Conn.(driver.ExecerContext)
	if !ok {
		return nil, errNotOffered
	}
	c.seen.add(query, args)
	return execer.ExecContext(ctx, query, args)
}

func (c *recordingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	queryer, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, errNotOffered
	}
	c.seen.add(query, args)
	return queryer.QueryContext(ctx, query, args)
}

func (c *recordingConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	beginner, ok := c.Conn.(driver.ConnBeginTx)
	if !ok {
		return nil, errNotOffered
	}
	return beginner.BeginTx(ctx, opts)
}

// Analyze has MySQL learn how its rows are spread, as it does by itself in time.
// SQLite would have to be told, which the program never does.
func Analyze(ctx context.Context, s *Store) error {
	if s.driver == SQLite {
		return nil
	}
	return s.exec(ctx, "ANALYZE TABLE recipients, deliveries, batches, receipts, inbound, broadcasts, consents, memberships, segments, members")
}
