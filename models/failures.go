package models

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync/atomic"

	"gorm.io/gorm"
)

// failures counts the statements that the database failed.
type failures struct{ n atomic.Uint64 }

// note counts an error that says that something is wrong with the database, and
// returns it. A row that is not there, a key that is taken, a caller that gave up and a
// lost deadlock, which is tried again, are no such errors.
func (f *failures) note(err error) error {
	switch {
	case err == nil, errors.Is(err, gorm.ErrRecordNotFound), errors.Is(err, sql.ErrNoRows), errors.Is(err, gorm.ErrDuplicatedKey),
		errors.Is(err, context.Canceled), KindOf(err) != "", isDeadlock(err):
	default:
		f.n.Add(1)
	}
	return err
}

// watch has the statements counted that go through GORM.
func (f *failures) watch(db *gorm.DB) error {
	const name = "count failures"
	note := func(tx *gorm.DB) { _ = f.note(tx.Error) }
	c := db.Callback()
	return errors.Join(c.Create().Register(name, note), c.Query().Register(name, note), c.Update().Register(name, note),
		c.Delete().Register(name, note), c.Row().Register(name, note), c.Raw().Register(name, note))
}

// Failures returns how many statements the database failed since the start.
func (s *Store) Failures() uint64 { return s.failures.n.Load() }

// Disk returns how large the disk under a SQLite database is and how much of it this
// user can still fill, in bytes; false for a database on a server, and where the system
// does not tell.
func (s *Store) Disk() (size, free uint64, ok bool) {
	if s.file == nil {
		return 0, 0, false
	}
	return disk(filepath.Dir(s.file.path))
}
