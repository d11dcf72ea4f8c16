package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"wechat-broadcast/config"
)

// databases makes fresh databases: SQLite files in a folder, and databases on a
// MySQL or MariaDB server if there is one.
type databases struct {
	folder string
	server *url.URL // nil without a server
}

// database is one that a round works on.
type database struct {
	Driver, DSN string
	URL         string // as an operator would set it
	drop        func() error
}

func newDatabases(folder, server string) (*databases, error) {
	d := &databases{folder: folder}
	if server == "" {
		return d, nil
	}
	var err error
	if d.server, err = url.Parse(server); err != nil {
		return nil, fmt.Errorf("read TEST_MYSQL_URL: %w", err)
	}
	return d, nil
}

// drivers are those that can be measured.
func (d *databases) drivers() []string {
	if d.server == nil {
		return []string{config.SQLite}
	}
	return []string{config.SQLite, config.MySQL}
}

// fresh makes an empty database; drop must follow.
func (d *databases) fresh(ctx context.Context, driver string) (*database, error) {
	name := "bench_" + strings.ToLower(rand.Text()[:12])
	if driver == config.SQLite {
		folder := filepath.Join(d.folder, name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("make a folder: %w", err)
		}
		file := filepath.Join(folder, "broadcast.db")
		return &database{
			Driver: driver, DSN: file, URL: "sqlite://" + file,
			drop: func() error { return os.RemoveAll(folder) },
		}, nil
	}
	u := *d.server
	u.Path = "/" + name
	parsed, err := config.ParseDatabaseURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("read TEST_MYSQL_URL: %w", err)
	}
	if err := d.exec(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, err
	}
	return &database{
		Driver: driver, DSN: parsed.DSN, URL: u.String(),
		drop: func() error { return d.exec(context.WithoutCancel(ctx), "DROP DATABASE "+name) },
	}, nil
}

// open connects to the server. Close must follow.
func (d *databases) open() (*sql.DB, error) {
	u := *d.server
	u.Path = "/mysql"
	parsed, err := config.ParseDatabaseURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("read TEST_MYSQL_URL: %w", err)
	}
	db, err := sql.Open("mysql", parsed.DSN)
	if err != nil {
		return nil, fmt.Errorf("reach the database server: %w", err)
	}
	return db, nil
}

func (d *databases) exec(ctx context.Context, statement string) error {
	db, err := d.open()
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
