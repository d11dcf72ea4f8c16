package config

import (
	"errors"
	"io"
	"os"
	"syscall"
)

const (
	// maxFileBytes bounds the settings file and the message file.
	maxFileBytes = 1 << 20
	// maxSecretBytes bounds the file of one secret.
	maxSecretBytes = 4 << 10
)

var (
	errNotFile = errors.New("not a regular file")
	errBigFile = errors.New("too large")
)

// readFile returns the content of a regular file of at most limit bytes. The
// error is errNotFile or errBigFile if it is none: a FIFO would be waited for
// without end, and a device fills the memory.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotFile
	}
	// Should a FIFO be there by now, it is not waited for.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotFile
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, errBigFile
	}
	return data, nil
}
