// Package messagetest has message files, and messages that were written in the chat,
// for tests.
package messagetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
)

// File is a message file of a test, and a source that reads it and has no other
// messages.
type File struct {
	*messages.Source
	// Path is where it is.
	Path string
	tb   testing.TB
}

// New writes a message file with that content.
func New(tb testing.TB, content string) *File {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "messages.yaml")
	source := messages.NewSource(messages.SourceConfig{
		Path: path, Language: "zh", Store: &Store{}, Templates: Templates{nil, errors.New("no platform")}, Now: time.Now,
	})
	f := &File{source, path, tb}
	f.Set(content)
	return f
}

// Set replaces the content. Whoever reads meanwhile gets the old or the new one.
func (f *File) Set(content string) {
	f.tb.Helper()
	next := f.Path + ".next"
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		f.tb.Fatal(err)
	}
	if err := os.Rename(next, f.Path); err != nil {
		f.tb.Fatal(err)
	}
}

// Remove deletes the file.
func (f *File) Remove() {
	f.tb.Helper()
	if err := os.Remove(f.Path); err != nil {
		f.tb.Fatal(err)
	}
}

// Templates are the account's, or why they can't be read.
type Templates struct {
	List []wechat.Template
	Err  error
}

// KnownTemplates returns them.
func (t Templates) KnownTemplates(context.Context, time.Duration) ([]wechat.Template, time.Time, error) {
	return t.List, time.Time{}, t.Err
}

// Store keeps messages in memory.
type Store struct {
	mu   sync.Mutex
	list []models.Message
}

// Messages returns all of them.
func (s *Store) Messages(context.Context) ([]models.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list), nil
}

// SaveMessage stores m in place of was; nil stands for none.
func (s *Store) SaveMessage(_ context.Context, was *models.Message, m models.Message, limit int) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := slices.BinarySearchFunc(s.list, m.Folded, func(m models.Message, folded string) int { return strings.Compare(m.Folded, folded) })
	switch {
	case found != (was != nil), found && s.list[i] != *was:
		return false, nil
	case found:
		s.list[i] = m
	case len(s.list) >= limit:
		return false, models.NewError(models.Conflict, models.ErrMessagesFull, "Max", limit)
	default:
		s.list = slices.Insert(s.list, i, m)
	}
	return true, nil
}

// RemoveMessage deletes the message of a folded name.
func (s *Store) RemoveMessage(_ context.Context, folded string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.list)
	s.list = slices.DeleteFunc(s.list, func(m models.Message) bool { return m.Folded == folded })
	return len(s.list) < n, nil
}
