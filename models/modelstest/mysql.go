package modelstest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"wechat-broadcast/models"
)

// MySQL returns a fresh, migrated database on the server that TEST_MYSQL_URL
// (mysql://user:password@host:port/) names, or skips the test, aloud.
func MySQL(tb testing.TB) *models.Store {
	tb.Helper()
	return open(tb, models.MySQL, MigratedDSN(tb))
}

// MySQLDSN makes a fresh, empty database on the server that TEST_MYSQL_URL
// names, dropped when the test ends, and returns its DSN; or it skips the test.
func MySQLDSN(tb testing.TB) string {
	tb.Helper()
	if os.Getenv("TEST_MYSQL_URL") == "" {
		tb.Skip("skipped on MySQL: set TEST_MYSQL_URL=mysql://user:password@127.0.0.1:3306/ to run it")
	}
	dsn, drop, err := makeDatabase(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := drop(); err != nil {
			tb.Errorf("drop the database: %v", err)
		}
	})
	return dsn
}

// MigratedDSN is MySQLDSN with the schema in the database: the statements that make its
// tables as they are now are run sooner than every migration.
func MigratedDSN(tb testing.TB) string {
	tb.Helper()
	dsn := MySQLDSN(tb)
	statements, err := schema()
	if err == nil {
		err = run(context.Background(), dsn, statements)
	}
	if err != nil {
		tb.Fatalf("make the tables: %v", err)
	}
	return dsn
}

// makeDatabase makes an empty database; drop removes it.
func makeDatabase(ctx context.Context) (dsn string, drop func() error, err error) {
	u, err := url.Parse(os.Getenv("TEST_MYSQL_URL"))
	if err != nil {
		return "", nil, fmt.Errorf("TEST_MYSQL_URL: %w", err)
	}
	conf := mysql.NewConfig()
	conf.Net, conf.Addr = "tcp", u.Host
	conf.User = u.User.Username()
	conf.Passwd, _ = u.User.Password()
	conf.ParseTime, conf.Loc = true, time.UTC
	conf.Timeout = 5 * time.Second
	server := conf.FormatDSN()
	conf.DBName = "test_" + strings.ToLower(rand.Text()[:16])
	if err := run(ctx, server, []string{"CREATE DATABASE " + conf.DBName}); err != nil {
		return "", nil, fmt.Errorf("make a database: %w", err)
	}
	return conf.FormatDSN(), func() error { return run(ctx, server, []string{"DROP DATABASE " + conf.DBName}) }, nil
}

// run runs statements on a database, one after the other.
func run(ctx context.Context, dsn string, statements []string) (err error) {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return nil
}

// schema returns the statements that make a migrated database of an empty one.
var schema = sync.OnceValues(func() (statements []string, err error) {
	ctx := context.Background()
	dsn, drop, err := makeDatabase(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	s, err := models.Open(models.MySQL, dsn, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.Migrate(ctx), s.Close()); err != nil {
		return nil, err
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tables, err := strs(ctx, db, "SHOW TABLES")
	if err != nil {
		return nil, err
	}
	for _, table := range tables {
		var name, create string
		if err := db.QueryRowContext(ctx, "SHOW CREATE TABLE "+table).Scan(&name, &create); err != nil {
			return nil, err
		}
		statements = append(statements, create)
	}
	// The only rows of an empty database are the versions that it has.
	versions, err := strs(ctx, db, "SELECT version_id FROM schema_versions ORDER BY id")
	if err != nil {
		return nil, err
	}
	statements = append(statements, "INSERT INTO schema_versions (version_id, is_applied) VALUES ("+strings.Join(versions, ", 1), (")+", 1)")
	return statements, nil
})

// strs returns the first column of a query's rows.
func strs(ctx context.Context, db *sql.DB, query string) (list []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}
