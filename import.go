package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/people"
)

type importCommand struct {
	File    string  `arg:"" help:"${usage_import_file}"`
	List    *string `placeholder:"NAME" help:"${usage_import_list}"`
	Testers bool    `help:"${usage_import_testers}"`
	Table   string  `placeholder:"NAME" help:"${usage_import_table}"`
	DryRun  bool    `help:"${usage_import_dry_run}"`
	SkipBad bool    `help:"${usage_import_skip_bad}"`
}

// Run adds the people of a file to the followers, makes a list of them or puts them on the
// test list, also beside a running server.
func (c importCommand) Run(s *session) error {
	if c.Testers && c.List != nil {
		return usageError(s.words.Say("import.one_of_two"))
	}
	name := ""
	if c.List != nil {
		var err error
		if name, err = lists.Name(*c.List); err != nil {
			return listFault(s.words, err)
		}
	}
	file, size, err := openTwice(c.File, s.stdin)
	if err != nil {
		return errors.New(s.words.Say("import.unreadable", lang.Vars{"File": c.File, "Reason": lang.SystemFault(err)}))
	}
	defer file.close()
	a, err := s.open()
	if err != nil {
		return err
	}
	defer func() { _ = a.process.close() }()
	bar := &importBar{words: s.words, w: s.stderr, size: size}
	switch {
	case c.Testers:
		return c.testers(s, a, file, bar)
	case name == "":
		return c.followers(s, a, file, bar)
	}
	return c.list(s, a, name, file, bar)
}

func (c importCommand) options() people.Options { return people.Options{Table: c.Table} }

// list makes or replaces a list with the people of a file.
func (c importCommand) list(s *session, a *account, name string, file *twice, bar *importBar) error {
	service := &lists.Service{Store: a.store, Now: time.Now, Log: a.log}
	looked, err := service.Look(s.ctx, bar.follow("import.reading", file), c.options(), bar.show)
	bar.end()
	if s.ctx.Err() != nil {
		return errors.New(s.words.Say("import.interrupted"))
	}
	if err != nil {
		return err
	}
	if refused := c.faults(s.words, &looked.File); refused != "" {
		return errors.New(refused)
	}
	if !c.DryRun {
		_, err = service.Make(s.ctx, models.List{Name: name}, bar.follow("import.storing", file), c.options(), looked, bar.show)
		bar.end()
		if s.ctx.Err() != nil {
			return errors.New(s.words.Say("import.interrupted"))
		}
		if err != nil {
			return listFault(s.words, err)
		}
	}
	pulled, err := a.followers.EverPulled(s.ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.stdout, c.outcome(s.words, name, looked, pulled))
	return err
}

// listFault words what is wrong with a list; any other error stays as it is.
func listFault(words *lang.Locale, err error) error {
	var e *models.Error
	if !errors.As(err, &e) || !words.Has("import.error."+e.Code) {
		return err
	}
	return errors.New(words.Say("import.error."+e.Code, lang.Vars(e.Args)))
}

// faults says why a file is not taken: empty if it is.
func (c importCommand) faults(words *lang.Locale, f *people.File) string {
	switch {
	case f.Bad == 0 && f.Rows == 0:
		return words.Say("import.nobody")
	case f.Bad == 0, c.SkipBad && !f.Unreadable && f.Rows > 0:
		return ""
	}
	lines := []string{words.Say("import.refused", lang.Vars{"Count": f.Bad})}
	lines = append(lines, f.FaultLines(words)...)
	if !f.Unreadable && f.Rows > 0 {
		lines = append(lines, words.Say("import.skip_bad"))
	}
	return strings.Join(lines, "\n")
}

// outcome says what was done, or would be, and how the people on the list stand.
func (c importCommand) outcome(words *lang.Locale, name string, f *lists.Looked, pulled bool) string {
	id := "import.done"
	if c.DryRun {
		id = "import.would"
	}
	lines := []string{words.Say(id, lang.Vars{"Name": name, "Count": f.Rows})}
	lines = append(lines, f.Found(words)...)
	if pulled {
		lines = append(lines, f.StandingLine(words))
	} else {
		lines = append(lines, words.Say("import.never_synced"))
	}
	return strings.Join(append(lines, skipped(words, &f.File)...), "\n")
}

// skipped says which lines were left out.
func skipped(words *lang.Locale, f *people.File) []string {
	if f.Bad == 0 {
		return nil
	}
	return append([]string{words.Say("import.skipped", lang.Vars{"Count": f.Bad})}, f.FaultLines(words)...)
}

// twice is a file that can be read twice.
type twice struct {
	*os.File
	temporary bool
}

// openTwice opens a file, - for standard input, and returns its size. What can't be read
// twice is copied to a temporary file first.
func openTwice(path string, stdin io.Reader) (*twice, int64, error) {
	from := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, 0, err
		}
		info, err := file.Stat()
		switch {
		case err != nil:
			return nil, 0, errors.Join(err, file.Close())
		case info.Mode().IsRegular():
			return &twice{File: file}, info.Size(), nil
		case info.IsDir():
			return nil, 0, errors.Join(&os.PathError{Op: "read", Path: path, Err: syscall.EISDIR}, file.Close())
		}
		defer func() { _ = file.Close() }() // it was only read
		from = file
	}
	file, err := os.CreateTemp("", "wechat-broadcast-import-*")
	if err != nil {
		return nil, 0, err
	}
	copied := &twice{file, true}
	size, err := io.Copy(file, from)
	if err != nil {
		copied.close()
		return nil, 0, err
	}
	return copied, size, nil
}

func (f *twice) close() {
	_ = f.Close()
	if f.temporary {
		_ = os.Remove(f.Name())
	}
}
