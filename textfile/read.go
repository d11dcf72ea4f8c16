// Package textfile reads the files that the operator writes by hand. It imports
// no other package of this module.
package textfile

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// MaxBytes is the greatest size of a settings file and of a message file.
const MaxBytes = 1 << 20

// The errors of Read for a path that is no such file.
var (
	ErrNotRegular = errors.New("not a regular file")
	ErrTooLarge   = errors.New("too large")
)

// Read returns the content of a regular file of at most limit bytes. The error is
// ErrNotRegular or ErrTooLarge for anything else: reading a FIFO could block
// forever, and a device could fill the memory.
func Read(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotRegular
	}
	// The file may have been replaced by a FIFO since: O_NONBLOCK keeps the open
	// from blocking.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotRegular
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, ErrTooLarge
	}
	return data, nil
}
