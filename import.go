package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/lists"
)

type importCommand struct {
	File    string `arg:"" help:"${usage_import_file}"`
	List    string `required:"" placeholder:"NAME" help:"${usage_import_list}"`
	DryRun  bool   `help:"${usage_import_dry_run}"`
	SkipBad bool   `help:"${usage_import_skip_bad}"`
}

// Run makes or replaces a list with the people of a file, also beside a running server.
func (c importCommand) Run(s *session) error {
	name, err := lists.Name(c.List)
	if err != nil {
		return listFault(s.words, err)
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
	store := a.store
	service := &lists.Service{Store: store, Now: time.Now, Log: a.log}
	bar := importBar{words: s.words, w: s.stderr, size: size}
	looked, err := service.Look(s.ctx, bar.follow("import.reading", file), bar.show)
	bar.end()
	if s.ctx.Err() != nil {
		return errors.New(s.words.Say("import.interrupted"))
	}
	if err != nil {
		return err
	}
	if refused := c.faults(s.words, looked); refused != "" {
		return errors.New(refused)
	}
	if !c.DryRun {
		if err := file.rewind(); err != nil {
			return err
		}
		_, err = service.Make(s.ctx, models.List{Name: name}, bar.follow("import.storing", file), looked, bar.show)
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
func (c importCommand) faults(words *lang.Locale, f *lists.Looked) string {
	switch {
	case f.Bad == 0 && f.Rows == 0:
		return words.Say("import.nobody")
	case f.Bad == 0, c.SkipBad && !f.Unreadable && f.Rows > 0:
		return ""
	}
	lines := []string{words.Say("import.refused", lang.Vars{"Count": f.Bad})}
	lines = append(lines, faultLines(words, &f.File)...)
	if !f.Unreadable && f.Rows > 0 {
		lines = append(lines, words.Say("import.skip_bad"))
	}
	return strings.Join(lines, "\n")
}

// faultLines names the faults of a file, and how many more rows have one.
func faultLines(words *lang.Locale, f *lists.File) []string {
	var lines []string
	var named, last int64
	for _, fault := range f.Faults {
		if int64(fault.Line) != last {
			last = int64(fault.Line)
			named++
		}
		v := lang.Vars(fault.Args)
		for key, arg := range v {
			if text, is := arg.(string); is {
				v[key] = shown(text)
			}
		}
		what := words.Say("import.fault."+fault.Code, v)
		lines = append(lines, words.Say("import.line", lang.Vars{"Line": last, "What": what}))
	}
	if more := f.Bad - named; more > 0 {
		lines = append(lines, words.Say("import.more", lang.Vars{"Count": more}))
	}
	return lines
}

// shown is a text of a file as it is shown: short, and on one line.
func shown(text string) string {
	r := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "))
	if len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return string(r)
}

// outcome says what was done, or would be, and how the people on the list stand.
func (c importCommand) outcome(words *lang.Locale, name string, f *lists.Looked, pulled bool) string {
	id := "import.done"
	if c.DryRun {
		id = "import.would"
	}
	lines := []string{words.Say(id, lang.Vars{"Name": name, "Count": f.Rows})}
	if len(f.Fields) > 0 {
		lines = append(lines, words.Say("import.fields", lang.Vars{"Fields": strings.Join(f.Fields, words.Say("import.and"))}))
	}
	if pulled {
		parts := []string{words.Say("import.follow", lang.Vars{"Count": f.Follow})}
		for _, n := range []struct {
			id    string
			count int64
		}{{"opted_out", f.OptedOut}, {"blacklisted", f.Blacklisted}, {"away", f.Away}, {"unknown", f.Unknown}} {
			if n.count > 0 {
				parts = append(parts, words.Say("import."+n.id, lang.Vars{"Count": n.count}))
			}
		}
		lines = append(lines, strings.Join(parts, words.Say("import.dot")))
	} else {
		lines = append(lines, words.Say("import.never_synced"))
	}
	if f.Bad > 0 {
		lines = append(lines, words.Say("import.skipped", lang.Vars{"Count": f.Bad}))
		lines = append(lines, faultLines(words, &f.File)...)
	}
	return strings.Join(lines, "\n")
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
	if err = cmp.Or(err, copied.rewind()); err != nil {
		copied.close()
		return nil, 0, err
	}
	return copied, size, nil
}

func (f *twice) rewind() error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

func (f *twice) close() {
	_ = f.Close()
	if f.temporary {
		_ = os.Remove(f.Name())
	}
}

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
func (b *importBar) follow(id string, from io.Reader) io.Reader {
	b.id, b.read = id, 0
	return io.TeeReader(from, b)
}

// Write counts what was read.
func (b *importBar) Write(p []byte) (int, error) {
	b.read += int64(len(p))
	return len(p), nil
}

func (b *importBar) show(rows int64) {
	if b.bar == nil {
		b.bar = progressbar.NewOptions64(max(1, b.size), progressbar.OptionSetWriter(b.w), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
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
