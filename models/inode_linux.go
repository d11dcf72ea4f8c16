package models

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockInode takes a lock on an open file that no name of it, and no deleting of
// another file, gets round; false if another process has it. It ends with the
// process, or when the file is closed.
//
// It is a lock of the open file description, on a byte far behind all that
// SQLite locks or writes (fcntl(2), "Open file description locks"), so it is in
// nobody's way.
func lockInode(file *os.File) (bool, error) {
	err := setLock(file, unix.F_WRLCK)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return false, nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOSYS):
		return true, nil // a file system without them; the lock file is what is left
	}
	return err == nil, err
}

func unlockInode(file *os.File) error { return setLock(file, unix.F_UNLCK) }

func setLock(file *os.File, kind int16) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	lock := unix.Flock_t{Type: kind, Whence: unix.SEEK_SET, Start: 1 << 62, Len: 1}
	var lockErr error
	err = raw.Control(func(fd uintptr) { lockErr = unix.FcntlFlock(fd, unix.F_OFD_SETLK, &lock) })
	return errors.Join(err, lockErr)
}

func hardLinks(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink) //nolint:unconvert // it is 32 bits wide on some machines
	}
	return 1
}

// writable fails if this user may not read and write a file or a folder.
func writable(path string) error {
	if err := unix.Access(path, unix.R_OK|unix.W_OK); err != nil {
		return &fs.PathError{Op: "access", Path: path, Err: err}
	}
	return nil
}

func isReadOnly(err error) bool { return errors.Is(err, unix.EROFS) }

func isNoFolder(err error) bool {
	return errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ELOOP)
}

// disk returns the size of the file system that a folder is on, and what this user can
// still fill of it, in bytes.
func disk(folder string) (size, free uint64, ok bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(folder, &st); err != nil || st.Bsize <= 0 {
		return 0, 0, false
	}
	block := uint64(st.Bsize)
	return st.Blocks * block, st.Bavail * block, true
}

// madeAt returns when a file was made, in nanoseconds since the Unix epoch; 0 if the file
// system does not say. It is told apart from another by that: a number of an inode is
// soon used again.
func madeAt(path string) int64 {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BTIME, &st); err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return st.Btime.Sec*1_000_000_000 + int64(st.Btime.Nsec)
}
