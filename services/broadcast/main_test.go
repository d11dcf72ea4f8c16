package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"wechat-broadcast/models"
)

// migrated is an empty SQLite database with the schema. Nearly every test wants
// one, and a copy is had sooner than another migration.
var migrated []byte

func TestMain(m *testing.M) {
	var err error
	if migrated, err = migrate(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func migrate() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "broadcast-test-")
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
		return nil, err
	}
	// The last connection to close brings the log into the file.
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
