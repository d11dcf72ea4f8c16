package models

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"
)

// A sync's pages are kept as sorted runs until the list is whole, and then read
// side by side, which puts the whole list in order with little of it in memory.

const (
	// runPart is how many OpenIDs of a run are read at once. Of ten million followers there
	// are 1,000 runs, of each of which so many are in memory: 6 MB.
	runPart = 200
	// partsPerPage is above the parts that a page can have.
	partsPerPage = 1 << 16
)

// writeRun stores the OpenIDs of a page, which are in order; of an empty one an
// empty part, so that a page that is missing is noticed.
func writeRun(tx *gorm.DB, page int, openIDs []string) error {
	var args []any
	id := int64(page) * partsPerPage
	for part := range slices.Chunk(openIDs, runPart) {
		var lines []byte
		for _, openID := range part {
			lines = append(append(lines, openID...), '\n')
		}
		args = append(args, id, lines)
		id++
	}
	if len(args) == 0 {
		args = []any{id, []byte{}}
	}
	err := execIn(tx, "INSERT INTO sync_runs (id, openids) VALUES "+tuples("(?, ?)", len(args)/2), args...)
	return wrap(err, "write a run")
}

// list reads the followers that a sync's pages list, in order, each once.
type list struct {
	db   gorm.ConnPool
	runs []*run // in the order of their heads
	last []byte
}

// openList begins to read the runs of so many pages.
func openList(ctx context.Context, db gorm.ConnPool, pages int) (*list, error) {
	l := &list{db: db}
	for page := 1; page <= pages; page++ {
		r := &run{next: int64(page) * partsPerPage}
		ok, err := l.advance(ctx, r)
		if err != nil {
			return nil, err
		}
		if ok {
			l.runs = append(l.runs, r)
		}
	}
	slices.SortFunc(l.runs, byHead)
	return l, nil
}

func (l *list) ended() bool { return len(l.runs) == 0 }

// take returns the next followers, at most n, none at the end.
func (l *list) take(ctx context.Context, n int) ([]string, error) {
	openIDs := make([]string, 0, n)
	for len(openIDs) < n && !l.ended() {
		r := l.runs[0]
		if !bytes.Equal(r.head, l.last) {
			openIDs = append(openIDs, string(r.head))
			l.last = append(l.last[:0], r.head...)
		}
		ok, err := l.advance(ctx, r)
		if err != nil {
			return nil, err
		}
		rest := l.runs[1:]
		if !ok {
			l.runs = rest
			continue
		}
		at, _ := slices.BinarySearchFunc(rest, r, byHead)
		copy(l.runs, rest[:at])
		l.runs[at] = r
	}
	return openIDs, nil
}

// advance moves a run to its next OpenID, false if it has none.
func (l *list) advance(ctx context.Context, r *run) (bool, error) {
	if len(r.rest) == 0 {
		err := l.db.QueryRowContext(ctx, "SELECT openids FROM sync_runs WHERE id = ?", r.next).Scan(&r.rest)
		if errors.Is(err, sql.ErrNoRows) && r.next%partsPerPage != 0 {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read page %d: %w", r.next/partsPerPage, err)
		}
		r.next++
		if len(r.rest) == 0 {
			return false, nil
		}
	}
	r.head, r.rest, _ = bytes.Cut(r.rest, []byte{'\n'})
	return true, nil
}

// run is the rest of a page.
type run struct {
	head []byte // its first OpenID
	rest []byte // those behind it that are read
	next int64  // the part behind them
}

func byHead(a, b *run) int { return bytes.Compare(a.head, b.head) }
