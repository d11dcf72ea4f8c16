package message

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/width"

	"wechat-broadcast/textfile"
)

// ReadFile returns the messages of the file at a path. The error is Problems with
// everything that is wrong with the file, or says why it can't be read; it wraps
// fs.ErrNotExist if there is none.
func ReadFile(path string) (*File, error) {
	data, err := textfile.Read(path, textfile.MaxBytes)
	switch {
	case errors.Is(err, textfile.ErrNotRegular):
		return nil, unusable(words("problem.not_a_file", "Path", path))
	case errors.Is(err, textfile.ErrTooLarge):
		return nil, unusable(words("problem.big_file", "Path", path, "Max", textfile.MaxBytes))
	case err != nil:
		return nil, fmt.Errorf("read messages: %w", err)
	}
	return Parse(data)
}

func unusable(problem Words) Problems {
	return Problems{{Path: "MESSAGES_FILE", Problem: problem, Hint: words("hint.name_file")}}
}

// File is the content of a message file.
type File struct {
	// Default is the name of the message that is meant when none is given: the
	// one the file says, or the only one there is. Empty if neither holds.
	Default string

	// Named is true if the file says which one is the default.
	Named bool

	list []*Definition
}

// Messages returns the messages in the order of the file.
func (f *File) Messages() []*Definition { return f.list }

// Names returns the messages' names in the order of the file.
func (f *File) Names() []string {
	names := make([]string, len(f.list))
	for i, d := range f.list {
		names[i] = d.Name
	}
	return names
}

// Get returns the message of that name. Case, full-width letters and
// surrounding space do not matter; no two names in a file differ only in them.
func (f *File) Get(name string) (*Definition, bool) {
	wanted := Fold(name)
	i := slices.IndexFunc(f.list, func(d *Definition) bool { return Fold(d.Name) == wanted })
	if i < 0 {
		return nil, false
	}
	return f.list[i], true
}

// Fold brings the spellings of one name together.
func Fold(name string) string {
	return strings.ToLower(strings.TrimSpace(width.Fold.String(name)))
}
