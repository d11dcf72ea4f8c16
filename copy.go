package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"wechat-broadcast/config"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/copying"
)

type copyCommand struct {
	To   string `placeholder:"DATABASE_URL" help:"${usage_copy_to}"`
	Undo bool   `help:"${usage_copy_undo}"`
}

// Run copies the database into another one, which then takes its place, or takes that
// back.
func (c copyCommand) Run(s *session) error {
	switch {
	case c.Undo && c.To != "":
		return usageError(s.words.Say("copy.both"))
	case c.Undo:
		return c.undo(s)
	case c.To == "":
		return usageError(s.words.Say("usage.missing", lang.Vars{"What": "--to=DATABASE_URL"}))
	}
	target, err := config.ParseDatabaseURL(c.To)
	if err != nil {
		return usageError(s.words.Say("copy.bad_url", lang.Vars{"Problem": problemIn(s.words, err), "Mend": s.words.Say("hint.DATABASE_URL")}))
	}
	a, err := s.open()
	if err != nil {
		return err
	}
	defer func() { _ = a.process.close() }()
	bar := copyBar{words: s.words, w: s.stderr}
	copier := &copying.Copier{
		From: copying.End{Store: a.store, Address: a.settings.Database.String()},
		To:   copying.End{Address: target.String()},
		Show: bar.show, Now: time.Now,
	}
	began := time.Now()
	tables, err := copyTo(s.ctx, copier, a, target)
	bar.end()
	if err != nil {
		return copyFault(s, err, copier)
	}
	return c.report(s, copier, tables, time.Since(began))
}

// copyTo opens the target once the source may be copied, and copies.
func copyTo(ctx context.Context, c *copying.Copier, a *account, target config.Database) (tables []copying.Table, err error) {
	lock, err := c.Check(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	store, err := models.Open(target.Driver, target.DSN, a.log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	c.To.Store = store
	return c.Copy(ctx, lock)
}

// undo lets servers use a database again although another one took its place.
func (c copyCommand) undo(s *session) error {
	a, err := s.wire()
	if err != nil {
		return err
	}
	defer func() { _ = a.process.close() }()
	other, err := a.store.UnmarkCopied(s.ctx)
	if err != nil {
		return err
	}
	id := "copy.undone"
	if other == "" {
		id = "copy.nothing_to_undo"
	}
	_, err = fmt.Fprintln(s.stdout, s.words.Say(id, lang.Vars{"From": a.settings.Database.String(), "To": other}))
	return err
}

// report says what was copied, and what to do now.
func (copyCommand) report(s *session, c *copying.Copier, tables []copying.Table, took time.Duration) error {
	rows, lines := int64(0), make([]string, 0, len(tables))
	for _, t := range tables {
		rows += t.Rows
		lines = append(lines, s.words.Say("copy.table", lang.Vars{
			"Name": fmt.Sprintf("%-12s", t.Name), "Rows": t.Rows, "Sum": fmt.Sprintf("%016x", t.Sum),
		}))
	}
	lines = append(lines, s.words.Say("copy.done", lang.Vars{
		"Tables": len(tables), "Rows": rows, "Took": took, "From": c.From.Address, "To": c.To.Address,
	}))
	_, err := fmt.Fprintln(s.stdout, strings.Join(lines, "\n"))
	return err
}

// copyFault words why nothing was copied, or not all.
func copyFault(s *session, err error, c *copying.Copier) error {
	vars := lang.Vars{"From": c.From.Address, "To": c.To.Address, "Reason": err.Error(), "Discarded": ""}
	if c.Discarded {
		vars["Discarded"] = c.To.Address
	}
	var e *models.Error
	var unusable *models.Unusable
	switch {
	case errors.As(err, &e) && s.words.Has("copy.error."+e.Code):
		for name, value := range e.Args {
			vars[name] = value
		}
		if ids, ok := e.Args["IDs"].([]int64); ok {
			vars["IDs"] = numbered(ids)
		}
		return errors.New(s.words.Say("copy.error."+e.Code, vars))
	case s.ctx.Err() != nil:
		return errors.New(s.words.Say("copy.interrupted", vars))
	case errors.As(err, &unusable):
		return usageError(s.words.Say("copy.bad_url", lang.Vars{
			"Problem": unusable.Problem.In(s.words), "Mend": unusable.Mend.In(s.words),
		}))
	case models.DiskFull(err):
		return errors.New(s.words.Say("copy.disk_full", vars))
	default:
		return errors.New(s.words.Say("copy.failed", vars))
	}
}

// problemIn says what is wrong with a value of a setting, in a language.
func problemIn(words *lang.Locale, err error) string {
	var problem interface {
		error
		In(words *lang.Locale) string
	}
	if errors.As(err, &problem) {
		return problem.In(words)
	}
	return err.Error()
}

// numbered returns the numbers of broadcasts as people write them.
func numbered(ids []int64) string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = "#" + strconv.FormatInt(id, 10)
	}
	return strings.Join(all, " ")
}

// copyBar shows how far a copy has got: one bar while it copies, and one while it
// compares.
type copyBar struct {
	words     *lang.Locale
	w         io.Writer
	bar       *progressbar.ProgressBar // nil before the first progress
	comparing bool
}

func (b *copyBar) show(p copying.Progress) {
	id, done, total := "copy.copying", p.Done, p.Total/2
	if p.Comparing {
		id, done = "copy.comparing", p.Done-total
	}
	if b.bar == nil || p.Comparing != b.comparing {
		b.end()
		b.bar = newBar(b.w, total)
	}
	b.comparing = p.Comparing
	b.bar.Describe(b.words.Say(id, lang.Vars{"Table": p.Table, "Done": done, "Total": total}))
	_ = b.bar.Set64(min(done, total))
}

func (b *copyBar) end() {
	if b.bar != nil {
		_ = b.bar.Exit()
	}
}
