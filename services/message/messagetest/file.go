// Package messagetest writes message files for tests.
package messagetest

import (
	"os"
	"path/filepath"
	"testing"

	"wechat-broadcast/services/message"
)

// File is a message file of a test, and the source that reads it.
type File struct {
	*message.Source
	tb   testing.TB
	path string
}

// New writes a message file with that content.
func New(tb testing.TB, content string) *File {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "messages.yaml")
	f := &File{message.NewSource(path), tb, path}
	f.Set(content)
	return f
}

// Set replaces the content. Whoever reads meanwhile gets the old or the new one.
func (f *File) Set(content string) {
	f.tb.Helper()
	next := f.path + ".next"
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		f.tb.Fatal(err)
	}
	if err := os.Rename(next, f.path); err != nil {
		f.tb.Fatal(err)
	}
}
