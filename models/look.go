package models

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"gorm.io/gorm"
)

// What follows is for whoever looks at a database and must leave it as it is.

// roomToWrite is how much of a disk must be free for the journal of a SQLite file, in bytes.
const roomToWrite = 1 << 20

// OpenToLook is Open for reading only. A SQLite file must be there; it keeps its journal
// mode, and nothing can be written to it. If its disk has no room for its journal, without
// which it can't be read either, DiskFull holds for the error.
func OpenToLook(driver, dsn string, log *slog.Logger) (*Store, error) {
	if driver != SQLite {
		return Open(driver, dsn, log)
	}
	path, err := filepath.EvalSymlinks(dsn)
	if err != nil {
		return nil, unusableFile(dsn, err)
	}
	if _, free, ok := disk(filepath.Dir(path)); ok && free < roomToWrite {
		return nil, &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
	}
	s := &Store{driver: driver, log: log}
	if err := s.openSQLite(dsn, "query_only(1)"); err != nil {
		return nil, err
	}
	return s, nil
}

// CheckFolder returns why no SQLite file could be made at a path, at which none is: an
// *Unusable. Folders that are not there would be made.
func CheckFolder(path string) error {
	path, err := absolute(path)
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	for {
		_, err := os.Stat(folder)
		if !errors.Is(err, fs.ErrNotExist) || folder == filepath.Dir(folder) {
			break
		}
		folder = filepath.Dir(folder)
	}
	if folder == filepath.Dir(path) { // else a symlink at the path would lead nowhere
		if path, err = follow(path); err != nil {
			return err
		}
		folder = filepath.Dir(path)
	}
	switch info, err := os.Stat(folder); {
	case err != nil:
		return unusableFile(folder, err)
	case !info.IsDir():
		return unusableFile(folder, syscall.ENOTDIR)
	}
	if err := writable(folder); err != nil {
		return unusableFile(folder, err)
	}
	return nil
}

// errLooked ends a transaction whose writes are taken back.
var errLooked = errors.New("this was only a look")

// CheckWritable returns why MySQL takes no writes, without one that lasts. The schema must be
// up to date. Of a SQLite file OpenToLook has told that.
func (s *Store) CheckWritable(ctx context.Context) error {
	if s.driver == SQLite {
		return nil
	}
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if err := writeFact(tx, factWritten, ""); err != nil {
			return err
		}
		return errLooked
	})
	if errors.Is(err, errLooked) {
		return nil
	}
	return err
}

// CheckOwner returns an *Unusable if the database is that of another account than the one of
// an AppID. One that is nobody's yet stays so.
func (s *Store) CheckOwner(ctx context.Context, appID string) error {
	owner, err := s.Fact(ctx, factApp)
	if err == nil && owner != "" && owner != appID {
		err = unusable("other_app", "Owner", owner, "App", appID)
	}
	return err
}
