// Package copying copies a database into another one, of either kind, and sees that both
// hold the same before the copy may be used.
package copying

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
)

// The codes of the faults that a person is to read.
const (
	ErrSourceInUse = "source_in_use" // a server uses the source
	ErrTargetInUse = "target_in_use" // a server or another copy uses the target
	ErrRunning     = "running"       // IDs: broadcasts are running in the source
	ErrSame        = "same"          // the target is the source
	ErrNotEmpty    = "not_empty"     // Table: the target has rows in it
	ErrDiffers     = "differs"       // Table: the source changed meanwhile, or the target stored something else
	ErrUnconfirmed = "unconfirmed"   // Reason: the target did not say whether it is complete now
)

// keepLock is how often the locks are checked, which is the sign of life of who has them.
const keepLock = 2 * time.Second

// End is a database and its address without the password.
type End struct {
	Store   *models.Store
	Address string
}

// Progress says how far a copy has got. Rows are counted twice: as they are copied, and
// as they are compared.
type Progress struct {
	Comparing   bool
	Table       string
	Done, Total int64
}

// Table is what was copied of a table.
type Table struct {
	Name string
	Rows int64
	// Sum is of all its values, the same on both databases.
	Sum uint64
}

// Copier copies a database.
type Copier struct {
	From, To End
	Show     func(Progress)
	Now      func() time.Time
	// Discarded is set if the target was deleted again: its file was made for a copy that
	// failed.
	Discarded bool
}

// Check returns why the source can't be copied now, or its lock: while that is held no
// server can send from it. The source must be migrated.
func (c *Copier) Check(ctx context.Context) (lock *models.SendLock, err error) {
	lock, err = c.From.Store.TakeSendLock(ctx)
	if errors.Is(err, models.ErrLocked) {
		return nil, models.NewError(models.Conflict, ErrSourceInUse)
	}
	if err != nil {
		return nil, err
	}
	// What was sent since a backup is not known in the copy either: it pauses first.
	if _, _, err = c.From.Store.SignOfLife(ctx, 0, false); err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	ids, err := c.From.Store.RunningIDs(ctx)
	if err == nil && len(ids) > 0 {
		err = models.NewError(models.Conflict, ErrRunning, "IDs", ids)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	return lock, nil
}

// Copy copies everything while from, the lock that Check returned, is held. It returns
// what it copied. Until it returns without an error every server refuses the target, and
// from then on the source.
func (c *Copier) Copy(ctx context.Context, from *models.SendLock) (tables []Table, err error) {
	same, err := models.SameDatabase(ctx, c.From.Store, c.To.Store, rand.Text())
	if err != nil {
		return nil, err
	}
	if same {
		return nil, models.NewError(models.Invalid, ErrSame)
	}
	to, err := c.To.Store.TakeCopyLock(ctx)
	if errors.Is(err, models.ErrLocked) {
		return nil, models.NewError(models.Conflict, ErrTargetInUse)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.Release()) }()
	holds, err := c.To.Store.Holds(ctx)
	if err != nil {
		return nil, err
	}
	if holds.Table != "" {
		return nil, models.NewError(models.Conflict, ErrNotEmpty, "Table", holds.Table)
	}
	locks := []*models.SendLock{from, to}
	ctx, stop := keep(ctx, locks)
	defer stop()
	err = c.prepare(ctx)
	if err == nil {
		tables, err = c.carry(ctx)
	}
	if err != nil {
		err = errors.Join(context.Cause(ctx), err)
		stop() // it would miss the file
		return nil, errors.Join(err, c.discard(ctx, to))
	}
	for _, lock := range locks { // the last look is up to keepLock ago
		if err := lock.Check(ctx); err != nil {
			return nil, errors.Join(context.Cause(ctx), lost(err))
		}
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return tables, c.finish(ctx)
}

// discard deletes a target that was made for this copy, unless its lock may be lost.
func (c *Copier) discard(ctx context.Context, lock *models.SendLock) (err error) {
	if lock.Check(context.WithoutCancel(ctx)) != nil {
		return nil // the failure says more
	}
	c.Discarded, err = c.To.Store.Discard()
	return err
}

// keep checks locks every few seconds, until stop is called. The context that it returns
// ends with the first that may be lost.
func keep(ctx context.Context, locks []*models.SendLock) (kept context.Context, stop func()) {
	ctx, end := context.WithCancelCause(ctx)
	var keeping sync.WaitGroup
	for _, lock := range locks {
		keeping.Go(func() {
			loop.Every(ctx, keepLock, func() {
				if err := lock.Check(ctx); err != nil && ctx.Err() == nil {
					end(lost(err))
				}
			})
		})
	}
	return ctx, func() {
		end(nil)
		keeping.Wait()
	}
}

func lost(err error) error { return fmt.Errorf("a lock may be lost: %w", err) }

// prepare gives the target, in which nothing is, the tables, and has every server refuse it.
func (c *Copier) prepare(ctx context.Context) error {
	if err := c.To.Store.MigrateSchema(ctx); err != nil {
		return err
	}
	if err := c.To.Store.MarkIncomplete(ctx, c.From.Address, c.Now()); err != nil {
		return err
	}
	return c.To.Store.Clear(ctx)
}

// carry copies the rows and compares both databases.
func (c *Copier) carry(ctx context.Context) ([]Table, error) {
	p := Progress{}
	for _, t := range models.CopyTables {
		n, err := c.From.Store.CountRows(ctx, t)
		if err != nil {
			return nil, err
		}
		p.Total += 2 * n
	}
	for _, t := range models.CopyTables {
		p.Table = t.Name
		if err := c.copyTable(ctx, t, &p); err != nil {
			return nil, err
		}
	}
	p.Comparing = true
	var tables []Table
	for _, t := range models.CopyTables {
		p.Table = t.Name
		compared, err := c.compare(ctx, t, &p)
		if err != nil {
			return nil, err
		}
		tables = append(tables, compared)
	}
	return tables, nil
}

const (
	// maxGroup and maxBytes bound the rows that are stored in one transaction: a copy
	// needs the same memory whatever the size of the database.
	maxGroup = 5000
	maxBytes = 1 << 20
)

// copyTable copies the rows of a table, and the number that its next row gets.
func (c *Copier) copyTable(ctx context.Context, t models.CopyTable, p *Progress) error {
	columns, err := c.From.Store.Columns(ctx, t)
	if err != nil {
		return err
	}
	var group [][]any
	size := 0
	store := func() error {
		if len(group) == 0 {
			return nil
		}
		if err := c.To.Store.AddRows(ctx, t, columns, group); err != nil {
			return err
		}
		p.Done += int64(len(group))
		c.Show(*p)
		group, size = group[:0], 0
		return nil
	}
	err = c.From.Store.EachRow(ctx, t, columns, func(row []any) error {
		group = append(group, row)
		for _, v := range row {
			size += length(v)
		}
		if len(group) < maxGroup && size < maxBytes {
			return nil
		}
		return store()
	})
	if err != nil {
		return err
	}
	if err := store(); err != nil {
		return err
	}
	next, err := c.From.Store.NextNumber(ctx, t)
	if err != nil {
		return err
	}
	return c.To.Store.SetNextNumber(ctx, t, next)
}

// length returns about how many bytes a value takes in a statement.
func length(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []byte:
		return len(v)
	default:
		return 8
	}
}

// compare reads a table of both databases at the same time, as they are now, and returns
// what is in it.
func (c *Copier) compare(ctx context.Context, t models.CopyTable, p *Progress) (Table, error) {
	columns, err := c.From.Store.Columns(ctx, t)
	if err != nil {
		return Table{}, err
	}
	var from, to contents
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return from.read(ctx, c.From.Store, t, columns, func() {
			p.Done++
			if p.Done%1000 == 0 {
				c.Show(*p)
			}
		})
	})
	g.Go(func() error { return to.read(ctx, c.To.Store, t, columns, func() {}) })
	if err := g.Wait(); err != nil {
		return Table{}, err
	}
	c.Show(*p)
	if from != to {
		return Table{}, models.NewError(models.Conflict, ErrDiffers, "Table", t.Name)
	}
	return Table{Name: t.Name, Rows: from.rows, Sum: from.sum}, nil
}

// finish has servers refuse the source from now on, and then use the target: at no
// moment do they use both.
func (c *Copier) finish(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if err := c.From.Store.MarkCopied(ctx, c.To.Address, c.Now()); err != nil {
		return err
	}
	// The source stays marked: the target may have become complete all the same.
	if err := c.To.Store.MarkComplete(ctx); err != nil {
		return models.NewError(models.Unavailable, ErrUnconfirmed, "Reason", err)
	}
	return nil
}
