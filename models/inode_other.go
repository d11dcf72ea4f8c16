//go:build !linux

package models

import (
	"io/fs"
	"os"
)

// Elsewhere the lock file alone says who sends, and SQLite what it can't open.

func lockInode(*os.File) (bool, error) { return true, nil }

func unlockInode(*os.File) error { return nil }

func hardLinks(fs.FileInfo) uint64 { return 1 }

func writable(string) error { return nil }

func isReadOnly(error) bool { return false }

func isNoFolder(error) bool { return false }

func disk(string) (size, free uint64, ok bool) { return 0, 0, false }

func madeAt(string) int64 { return 0 }
