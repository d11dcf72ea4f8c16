package main

import (
	"io"

	"github.com/schollz/progressbar/v3"

	"wechat-broadcast/lang"
)

// importBar shows how far the reading of a file has got.
type importBar struct {
	words *lang.Locale
	w     io.Writer
	size  int64
	id    string
	read  int64
	bar   *progressbar.ProgressBar // nil before the first progress
}

// follow returns a reader of a file that the bar follows, under a sentence.
func (b *importBar) follow(id string, from io.ReadSeeker) io.ReadSeeker {
	b.id = id
	return &followed{b, from}
}

// followed is a file that a bar follows.
type followed struct {
	bar  *importBar
	from io.ReadSeeker
}

// Read implements io.Reader.
func (f *followed) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	f.bar.read += int64(n)
	return n, err
}

// Seek implements io.Seeker.
func (f *followed) Seek(offset int64, whence int) (int64, error) {
	at, err := f.from.Seek(offset, whence)
	f.bar.read = at
	return at, err
}

func (b *importBar) show(rows int64) {
	if b.bar == nil {
		b.bar = newBar(b.w, b.size)
	}
	b.bar.Describe(b.words.Say(b.id, lang.Vars{"Done": rows}))
	_ = b.bar.Set64(min(b.read, b.size))
}

func (b *importBar) end() {
	if b.bar != nil {
		_ = b.bar.Exit()
		b.bar = nil
	}
}
