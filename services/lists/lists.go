// Package lists makes lists of people from files, and exports them.
package lists

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/people"
)

const (
	maxName = 64 // characters of a list's name
	// chunk is how many people are stored at once: more are stored faster, but hold up a
	// server that sends meanwhile for longer.
	chunk = 4000
	// breath is how long the database rests after each chunk: on SQLite a server that sends
	// meanwhile must get its turn.
	breath = 2 * time.Millisecond
)

// Service makes lists and removes them. All fields are required.
type Service struct {
	Store *models.Store
	Now   func() time.Time
	Log   *slog.Logger
}

// Name returns a list's name as it is kept, or an Error models.ErrListName: a command
// could not name it.
func Name(written string) (string, error) {
	name := strings.Join(strings.Fields(written), " ")
	forbidden := func(r rune) bool {
		return strings.ContainsRune(`,，、"“”「」『』'‘’`, r) || !unicode.IsPrint(r)
	}
	if name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, forbidden) {
		return "", models.NewError(models.Invalid, models.ErrListName, "Name", written, "Limit", int64(maxName))
	}
	return name, nil
}

// Find returns a list by the name that an admin writes, or an Error models.ErrListUnknown.
func (s *Service) Find(ctx context.Context, name string) (*models.ListInfo, error) {
	l, err := s.Store.FindList(ctx, fold(name))
	if err == nil && l == nil {
		err = models.NewError(models.NotFound, models.ErrListUnknown, "Name", name)
	}
	return l, err
}

func fold(name string) string { return message.Fold(strings.Join(strings.Fields(name), " ")) }

// Remove removes a list. One that is unknown is an Error models.ErrListUnknown.
func (s *Service) Remove(ctx context.Context, name string) (*models.List, error) {
	l, err := s.Store.RemoveList(ctx, fold(name))
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, models.NewError(models.NotFound, models.ErrListUnknown, "Name", name)
	}
	s.tidy(ctx)
	return l, nil
}

// tidy deletes what no list has any more. What is left is deleted hourly.
func (s *Service) tidy(ctx context.Context) {
	if err := s.Store.TidySegments(ctx, s.Now()); err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "delete the people of old lists", "err", err)
	}
}

// Looked is a file with how the people in it stand.
type Looked struct {
	people.File
	models.Standing
	// First are the first people of the file.
	First []models.Entry
}

// firstShown is how many people First has.
const firstShown = 5

// Look reads a file and changes nothing. progress gets how many people were read so far.
func (s *Service) Look(ctx context.Context, from io.ReadSeeker, o people.Options, progress func(rows int64)) (*Looked, error) {
	var found models.Standing
	var begin []models.Entry
	w := chunks{options: o, progress: progress, store: func(entries, _ []models.Entry) error {
		begin = append(begin, entries[:min(len(entries), firstShown-len(begin))]...)
		openIDs := make([]string, len(entries))
		for i, e := range entries {
			openIDs[i] = e.OpenID
		}
		n, err := s.Store.Standing(ctx, openIDs)
		found.Follow += n.Follow
		found.OptedOut += n.OptedOut
		found.Blacklisted += n.Blacklisted
		found.Away += n.Away
		found.Unknown += n.Unknown
		return cmp.Or(err, ctx.Err())
	}}
	file, err := w.read(from)
	if err != nil {
		return nil, err
	}
	return &Looked{*file, found, begin}, nil
}

// errChanged says that a file is not what it was when it was looked at.
var errChanged = errors.New("the file changed while it was read")

// Make makes or replaces a list with the people of a file that was looked at, and returns
// the list that it replaces, nil for none. Until the last of them is stored, the list is as
// it was.
func (s *Service) Make(ctx context.Context, l models.List, from io.ReadSeeker, o people.Options, looked *Looked, progress func(rows int64)) (before *models.List, err error) {
	l.Folded = fold(l.Name)
	now := s.Now()
	l.SegmentID, err = s.Store.AddSegment(ctx, models.Segment{
		Kind: string(models.GroupList), Name: l.Name, MadeBy: l.ChangedBy, MadeAt: models.At(now),
	})
	if err != nil {
		return nil, err
	}
	defer func() { s.settle(ctx, l.SegmentID, err) }()
	file, err := s.fill(ctx, l.SegmentID, from, o, looked, progress)
	if err != nil {
		return nil, err
	}
	l.ChangedAt = models.At(s.Now())
	return s.Store.PublishList(ctx, l, file.Rows, file.Fields)
}

// settle tidies after a segment was filled, and drops one that could not be.
func (s *Service) settle(ctx context.Context, segment int64, err error) {
	if err == nil {
		s.tidy(ctx)
		return
	}
	left := s.Store.DropSegment(context.WithoutCancel(ctx), segment)
	if left != nil {
		s.Log.WarnContext(ctx, "the people of a list that was not made are left for later", "err", left)
	}
}

// fill puts the people of a file that was looked at into a segment.
func (s *Service) fill(ctx context.Context, segment int64, from io.ReadSeeker, o people.Options, looked *Looked, progress func(rows int64)) (*people.File, error) {
	w := chunks{options: o, progress: progress, store: func(entries, more []models.Entry) error {
		if err := s.Store.AddEntries(ctx, segment, entries, s.Now()); err != nil {
			return err
		}
		if err := s.Store.FillEntries(ctx, segment, more); err != nil {
			return err
		}
		return loop.Sleep(ctx, breath)
	}}
	file, err := w.read(from)
	if err != nil {
		return nil, err
	}
	if file.Rows != looked.Rows || file.Bad != looked.Bad || !slices.Equal(file.Fields, looked.Fields) {
		return nil, errChanged
	}
	return file, nil
}

// chunks hands on the people of a file, many at a time.
type chunks struct {
	options people.Options
	// store gets people who come for the first time, and people who came in an earlier
	// chunk, with further fields.
	store    func(entries, more []models.Entry) error
	progress func(rows int64)

	rows          int64
	entries, more []models.Entry
	// place is where in entries or more somebody is.
	place map[string]*models.Entry
}

func (w *chunks) read(from io.ReadSeeker) (*people.File, error) {
	w.entries, w.more, w.place = make([]models.Entry, 0, chunk), make([]models.Entry, 0, chunk), map[string]*models.Entry{}
	file, err := people.Read(from, w.options, func(row people.Row) error {
		w.add(row)
		if len(w.entries) < chunk && len(w.more) < chunk {
			return nil
		}
		return w.flush()
	})
	if err == nil {
		err = w.flush()
	}
	return file, err
}

// add adds a row of a file; one of somebody who has one in this chunk becomes part of that.
func (w *chunks) add(row people.Row) {
	into := &w.entries
	if row.Again {
		if before := w.place[row.OpenID]; before != nil {
			before.Fields = models.JoinFields(before.Fields, row.Fields)
			return
		}
		into = &w.more
	}
	*into = append(*into, row.Entry) // there is room: a pointer into it stays good
	w.place[row.OpenID] = &(*into)[len(*into)-1]
}

func (w *chunks) flush() error {
	if len(w.entries)+len(w.more) == 0 {
		return nil
	}
	if err := w.store(w.entries, w.more); err != nil {
		return fmt.Errorf("after %d people: %w", w.rows, err)
	}
	w.rows += int64(len(w.entries))
	w.entries, w.more = w.entries[:0], w.more[:0]
	clear(w.place)
	w.progress(w.rows)
	return nil
}

// countWithin is how long All counts who can be written to.
const countWithin = 2 * time.Second

// Shown is a list as admins are shown it.
type Shown struct {
	models.ListInfo
	// Follow is how many on it can be written to; Counted is false if there was no time to
	// count them.
	Follow  int64
	Counted bool
}

// All returns the lists by name.
func (s *Service) All(ctx context.Context) ([]Shown, error) {
	known, err := s.Store.Lists(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Shown, len(known))
	counting, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	for i, l := range known {
		all[i].ListInfo = l
		if counting.Err() != nil {
			continue
		}
		n, err := s.Store.CountReachable(counting, l.SegmentID)
		if err != nil && counting.Err() == nil {
			return nil, err
		}
		all[i].Follow, all[i].Counted = n, err == nil
	}
	return all, nil
}
