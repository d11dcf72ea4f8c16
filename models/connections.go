package models

import (
	"context"
	"fmt"

	mysqldriver "github.com/go-sql-driver/mysql"
)

// ServerOf returns the address of the MySQL server that a database is on, "" for SQLite and
// for a DSN that can't be read.
func ServerOf(driver, dsn string) string {
	if driver != MySQL {
		return ""
	}
	conf, err := mysqldriver.ParseDSN(dsn)
	if err != nil {
		return ""
	}
	return conf.Addr
}

// Connections returns how many connections the store opens to its MySQL server at most, and
// how many the server takes from a user, all programs together. Both are 0 on SQLite.
func (s *Store) Connections(ctx context.Context) (most, taken int, err error) {
	if s.driver != MySQL {
		return 0, 0, nil
	}
	db, err := s.w.DB()
	if err != nil {
		return 0, 0, err
	}
	var ofUser int // 0 for no limit
	if err := db.QueryRowContext(ctx, "SELECT @@max_connections, @@max_user_connections").Scan(&taken, &ofUser); err != nil {
		return 0, 0, fmt.Errorf("read how many connections the database server takes: %w", err)
	}
	if ofUser > 0 {
		taken = min(taken, ofUser)
	}
	return db.Stats().MaxOpenConnections, taken, nil
}
