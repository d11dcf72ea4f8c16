// Package importing adds the people of a file to the followers, as far as the platform
// confirms that they follow.
package importing

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/people"
	"wechat-broadcast/services/wechat"
)

const (
	// chunk is how many people are compared with those who are known at once, and first how
	// many before it is known that the file is of this account.
	chunk = 4000
	first = 200
	// group is how many are stored in one transaction.
	group = 1000
	// calls is how many calls are under way at once.
	calls = 8
	// breath is how long the database rests after each group: on SQLite a server that sends
	// meanwhile must get its turn.
	breath = 2 * time.Millisecond
)

var (
	// ErrOtherAccount says that the account knows nobody of the first people.
	ErrOtherAccount = errors.New("the account knows nobody of the file")
	// errChanged says that a file is not what it was when it was looked at.
	errChanged = errors.New("the file changed while it was read")
)

// Service adds followers. All fields are required.
type Service struct {
	Store    *models.Store
	Platform *wechat.Client
	Now      func() time.Time
	Log      *slog.Logger
}

// Counts says what became of people, each of whom is counted once.
type Counts struct {
	New          int64 // follow and were not known to
	Known        int64 // were known to follow
	NotFollowing int64
	NoSuch       int64 // the platform has no such person for this account (40003)
}

// Sum is how many people were looked at.
func (c Counts) Sum() int64 { return c.New + c.Known + c.NotFollowing + c.NoSuch }

// Look reads a file and changes nothing. progress gets how many people were read so far.
func Look(ctx context.Context, from io.ReadSeeker, o people.Options, progress func(rows int64)) (*people.File, error) {
	rows := int64(0)
	return people.Read(from, o, func(people.Row) error {
		if rows++; rows%chunk > 0 {
			return nil
		}
		progress(rows)
		return ctx.Err()
	})
}

// Add adds the people of a file that was looked at whom the platform confirms as followers,
// and keeps the fields that the file has of people who follow; with dry it stores nothing.
// Only those who are not known to follow are asked for, so after an error it can be called
// again and goes on where it stopped; the counts are then those of what was done. The error
// is ErrQuota, ErrOtherAccount, models.ErrImportLapsed after a time in which the process or
// the database stood still, or that of the database or the platform.
func (s *Service) Add(ctx context.Context, from io.ReadSeeker, o people.Options, looked *people.File, dry bool, progress func(rows int64)) (Counts, error) {
	a := adder{Service: s, dry: dry, most: first, place: map[string]int{}}
	if dry {
		err := a.all(ctx, from, o, looked, progress)
		return a.counts, err
	}
	err := s.whileOpen(ctx, func(ctx context.Context, number int64) error {
		a.number = number
		return a.all(ctx, from, o, looked, progress)
	})
	return a.counts, err
}

// all adds all people of the file.
func (a *adder) all(ctx context.Context, from io.ReadSeeker, o people.Options, looked *people.File, progress func(rows int64)) error {
	file, err := people.Read(from, o, func(row people.Row) error {
		a.take(row)
		if len(a.waiting)+len(a.more) < a.most {
			return nil
		}
		err := a.flush(ctx)
		progress(a.counts.Sum())
		return err
	})
	if err == nil {
		err = a.flush(ctx)
	}
	if err == nil && (file.Rows != looked.Rows || file.Bad != looked.Bad || !slices.Equal(file.Fields, looked.Fields)) {
		err = errChanged
	}
	return err
}

// adder is one call of Add.
type adder struct {
	*Service
	dry    bool
	number int64 // of the open import
	most   int
	counts Counts
	// waiting come for the first time; more came in an earlier chunk, with further fields.
	waiting, more []models.Entry
	place         map[string]int // in waiting
}

// take adds a row of a file; one of somebody who has one in this chunk becomes part of that.
func (a *adder) take(row people.Row) {
	if i, here := a.place[row.OpenID]; here && row.Again {
		a.waiting[i].Fields = models.JoinFields(a.waiting[i].Fields, row.Fields)
		return
	}
	if row.Again {
		a.more = append(a.more, row.Entry)
		return
	}
	a.place[row.OpenID] = len(a.waiting)
	a.waiting = append(a.waiting, row.Entry)
}

// flush does what is to be done with those who wait.
func (a *adder) flush(ctx context.Context) error {
	openIDs := make([]string, len(a.waiting))
	for i, e := range a.waiting {
		openIDs[i] = e.OpenID
	}
	following, err := a.Store.Following(ctx, openIDs)
	if err != nil {
		return err
	}
	var known, unknown []models.Entry
	for _, e := range a.waiting {
		if following[e.OpenID] {
			known = append(known, e)
		} else {
			unknown = append(unknown, e)
		}
	}
	a.counts.Known += int64(len(known))
	if err := a.save(ctx, known, true); err != nil {
		return err
	}
	if err := a.confirm(ctx, unknown); err != nil {
		return err
	}
	if err := a.save(ctx, a.more, false); err != nil {
		return err
	}
	if a.counts.NoSuch >= first && a.counts.NoSuch == a.counts.Sum() {
		return ErrOtherAccount
	}
	a.most = chunk
	a.waiting, a.more = a.waiting[:0], a.more[:0]
	clear(a.place)
	return ctx.Err()
}

// save keeps the fields of people who follow.
func (a *adder) save(ctx context.Context, entries []models.Entry, over bool) error {
	if a.dry {
		return nil
	}
	for part := range slices.Chunk(entries, group) {
		if err := a.Store.SaveFields(ctx, part, over); err != nil {
			return err
		}
		if err := loop.Sleep(ctx, breath); err != nil {
			return err
		}
	}
	return nil
}

// confirm asks the platform for people and adds those who follow. What is known when a call
// fails is stored.
func (a *adder) confirm(ctx context.Context, entries []models.Entry) error {
	said := a.Now() // an event of a later moment wins
	parts := slices.Collect(slices.Chunk(entries, wechat.PeopleAtMost))
	answers := make([][]wechat.Person, len(parts))
	asked := make([]bool, len(parts))
	var asking errgroup.Group
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	asking.SetLimit(calls)
	for i, part := range parts {
		asking.Go(func() (err error) {
			openIDs := make([]string, len(part))
			for j, e := range part {
				openIDs[j] = e.OpenID
			}
			if answers[i], err = Ask(stopping, a.Platform, a.Log, openIDs); err != nil {
				stop()
				return err
			}
			asked[i] = true
			return nil
		})
	}
	failed := asking.Wait()
	var confirmed []models.Confirmed
	for i, part := range parts {
		if asked[i] {
			confirmed = append(confirmed, a.sort(part, answers[i])...)
		}
	}
	if a.dry {
		a.counts.New += int64(len(confirmed))
		return failed
	}
	for some := range slices.Chunk(confirmed, group) {
		if err := a.Store.AddConfirmed(context.WithoutCancel(ctx), some, said, a.number); err != nil {
			return errors.Join(failed, err)
		}
		a.counts.New += int64(len(some))
		if err := loop.Sleep(ctx, breath); err != nil {
			return err
		}
	}
	return failed
}

// sort returns those of some people who follow, and counts the others.
func (a *adder) sort(entries []models.Entry, answers []wechat.Person) (confirmed []models.Confirmed) {
	told := make(map[string]wechat.Person, len(answers))
	for _, p := range answers {
		told[p.OpenID] = p
	}
	for _, e := range entries {
		switch p, known := told[e.OpenID]; {
		case !known:
			a.counts.NoSuch++
		case !p.Follows:
			a.counts.NotFollowing++
		default:
			confirmed = append(confirmed, models.Confirmed{
				OpenID: e.OpenID, SubscribedAt: models.At(p.SubscribedAt), Scene: p.Scene, Remark: p.Remark, Fields: e.Fields,
			})
		}
	}
	return confirmed
}
