// Package modelstest opens fresh databases for tests: SQLite always, and MySQL
// or MariaDB as well when TEST_MYSQL_URL names a server.
package modelstest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"wechat-broadcast/models"
)

// Each runs f once for each database, with a fresh, migrated one.
func Each(t *testing.T, f func(t *testing.T, s *models.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, SQLite(t))
	})
	t.Run("mysql", func(t *testing.T) {
		t.Parallel()
		f(t, MySQL(t))
	})
}

// SQLite returns a fresh, migrated SQLite database.
func SQLite(tb testing.TB) *models.Store {
	tb.Helper()
	return open(tb, models.SQLite, SQLiteFile(tb))
}

// SQLiteFile makes a fresh, migrated SQLite database and returns its path.
func SQLiteFile(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "broadcast.db")
	file, err := Migrated()
	if err != nil {
		tb.Fatalf("migrate a database: %v", err)
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Migrated returns an empty SQLite database with the schema, as a file. Nearly every test wants
// one, and a copy is had sooner than another migration.
var Migrated = sync.OnceValues(migrate)

func migrate() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "modelstest-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "broadcast.db")
	s, err := models.Open(models.SQLite, path, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := s.Migrate(context.Background()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	// The last connection to close brings the log into the file.
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func open(tb testing.TB, driver, dsn string) *models.Store {
	tb.Helper()
	ctx := context.Background()
	s, err := models.Open(driver, dsn, Log(tb))
	if err != nil {
		tb.Fatalf("open the store: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close the store: %v", err)
		}
	})
	if err := s.Migrate(ctx); err != nil {
		tb.Fatal(err)
	}
	return s
}

// Log returns a logger that writes to the test's log.
func Log(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// OpenID returns the i-th of a row of OpenIDs shaped like real ones.
func OpenID(i int) string { return fmt.Sprintf("oTest%023d", i) }
