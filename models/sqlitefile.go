package models

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"wechat-broadcast/lang"
)

// Unusable says that the database can't be used before the operator mends it:
// to wait is no use. The words are of lang.Terminal.
type Unusable struct{ Problem, Mend lang.Words }

// unusable returns an *Unusable with the sentences database.id and mend.id. Both are
// filled by args, alternating names and values.
func unusable(id string, args ...any) error {
	return &Unusable{lang.Sentence("database."+id, args...), lang.Sentence("mend."+id, args...)}
}

// Error says it in English, for the log.
func (e *Unusable) Error() string { return e.Problem.String() + "; " + e.Mend.String() }

// sqliteFile is the file of a SQLite database, whatever name led to it.
type sqliteFile struct {
	// path is absolute and has no symlink in it, so that everyone who opens the
	// database finds the same lock files beside it.
	path string
	// file carries the lock on the file itself. It is closed after the database:
	// to close any descriptor of a file takes all of SQLite's own locks on it away
	// from the process (POSIX fcntl; see "How To Corrupt An SQLite Database File").
	file *os.File
	// made says that the file was not there when it was opened.
	made bool

	mu     sync.Mutex
	locked bool

	// unwitnessed is whether the last write of the witness failed.
	unwitnessed atomic.Bool
}

// fileSuffixes are what the names of a database's files have behind its path.
var fileSuffixes = []string{"", "-wal", "-shm", ".lock", ".migrate.lock", witnessSuffix}

// openFile finds the file of a database and makes it, and its folder, if they are
// not there. What the operator must mend is an *Unusable.
func openFile(path string, log *slog.Logger) (*sqliteFile, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	absent := errors.Is(err, fs.ErrNotExist)
	if err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return nil, unusable("folder", "Path", path)
		}
		return nil, unusable("no_file", "Path", path)
	}
	if err := makePrivate(path); err != nil {
		return nil, unusableFile(path, err)
	}
	for _, suffix := range fileSuffixes {
		if err := writable(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, unusableFile(path+suffix, err)
		}
	}
	if err := writable(filepath.Dir(path)); err != nil {
		return nil, unusableFile(filepath.Dir(path), err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, unusableFile(path, err)
	}
	f := &sqliteFile{path: path, file: file, made: absent}
	if err := f.inspect(log); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return f, nil
}

// inspect refuses a file that has several names, and warns of one that others
// can read.
func (f *sqliteFile) inspect(log *slog.Logger) error {
	info, err := f.file.Stat()
	if err != nil {
		return unusableFile(f.path, err)
	}
	if n := hardLinks(info); n > 1 {
		return unusable("hard_links", "Path", f.path, "N", strconv.FormatUint(n, 10))
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		log.Warn("others on this machine may read or write the database file, which holds OpenIDs",
			"file", f.path, "mode", fmt.Sprintf("%04o", mode), "mend", "chmod 600 "+f.path)
	}
	return nil
}

// resolve returns the path to a file without symlinks, also if the file is not
// there yet. Its folder is made, but not the one to which a symlink leads: that
// one may be of a disk that is not mounted.
func resolve(path string) (string, error) {
	path, err := absolute(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", unusableFile(filepath.Dir(path), err)
	}
	return follow(path)
}

// follow returns an absolute path without symlinks. All folders of it must be there.
func follow(path string) (string, error) {
	for range 40 { // as many symlinks as Linux follows
		dir, base := filepath.Split(path)
		dir, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return "", unusableFile(path, err)
		}
		path = filepath.Join(dir, base)
		target, err := os.Readlink(path)
		if err != nil { // no symlink, or not there
			return path, nil
		}
		if !filepath.IsAbs(target) {
			target = dir + string(filepath.Separator) + target
		}
		path = target
	}
	return "", unusable("symlinks", "Path", path)
}

func absolute(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", unusableFile(path, err)
	}
	return here + string(filepath.Separator) + path, nil // not cleaned: a/.. is elsewhere if a is a symlink
}

// makePrivate makes an empty file that only its owner can use, whatever the
// umask. One that is there stays as it is.
func makePrivate(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(file.Chmod(0o600), file.Close())
}

// unusableFile words an error of a file or a folder that the database needs. One
// that may pass, such as a full disk, is no *Unusable.
func unusableFile(path string, err error) error {
	reason := lang.SystemFault(err)
	switch {
	case errors.Is(err, fs.ErrPermission), isReadOnly(err):
		return unusable("not_writable", "Path", path, "Reason", reason, "User", strconv.Itoa(os.Getuid()))
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist), isNoFolder(err):
		return unusable("not_opened", "Path", path, "Reason", reason)
	default:
		return fmt.Errorf("open the database: %w", err)
	}
}

// unmoved fails with an *Unusable if the path leads to another file by now, or to
// none: what is written then, nobody would find.
func (f *sqliteFile) unmoved() error {
	if f.leadsTo(f.path, f.file.Stat) {
		return nil
	}
	return unusable("moved", "Path", f.path)
}

// leadsTo tells whether a path still leads to an open file. In doubt it does: an
// error that says neither that it is gone nor that it is another may pass.
func (f *sqliteFile) leadsTo(path string, open func() (fs.FileInfo, error)) bool {
	now, err := os.Stat(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	was, err := open()
	return err != nil || os.SameFile(was, now)
}

// take takes the lock of the file itself, false if somebody else has it.
func (f *sqliteFile) take() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.locked {
		return false, nil
	}
	ok, err := lockInode(f.file)
	f.locked = ok && err == nil
	return f.locked, err
}

func (f *sqliteFile) give() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.locked = false
	return unlockInode(f.file)
}

// stillThere fails if a SQLite database was taken away, and from then on nothing
// can be written to it.
func (s *Store) stillThere(ctx context.Context) error {
	if s.file == nil {
		return nil
	}
	err := s.file.unmoved()
	if err == nil {
		return nil
	}
	s.retired.Do(func() {
		s.log.ErrorContext(ctx, "the database is gone: nothing is sent or stored until it is mended", "err", err)
		if db, dbErr := s.w.DB(); dbErr == nil {
			_ = db.Close()
		}
	})
	return err
}
