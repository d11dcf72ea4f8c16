package main

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// insertGroup is how many rows a statement of the baseline has.
const insertGroup = 1000

// inserts is what storing everyone costs the database alone: the rows that a
// first sync writes, known beforehand, in the order that is cheapest for it.
// The parts are there for the tables.
func inserts(ctx context.Context, _ *parts, task programTask) (taken sample, err error) {
	db, err := openRaw(task)
	if err != nil {
		return taken, err
	}
	defer db.Close()
	openIDs := make([]string, task.Followers)
	for i := range openIDs {
		openIDs[i] = string(appendOpenID(nil, i))
	}
	slices.Sort(openIDs)
	watch := start()
	for group := range slices.Chunk(openIDs, insertGroup) {
		args := make([]any, len(group))
		for i, openID := range group {
			args[i] = openID
		}
		_, err := db.ExecContext(ctx, "INSERT INTO recipients (openid, subscribed, fields, created_at, updated_at) VALUES "+
			places("(?, 1, '', 1, 1)", len(group)), args...)
		if err != nil {
			return taken, fmt.Errorf("write recipients: %w", err)
		}
	}
	return watch.stop(task.Followers), nil
}

// openRaw opens the program's database past the program.
func openRaw(task programTask) (*sql.DB, error) {
	db, err := sql.Open(task.Driver, task.DSN)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return db, nil
}
