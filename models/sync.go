package models

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"
)

// SyncState is where a sync of the follower list stands. It is stored with each
// page, so that a sync that ended early goes on where it stopped.
type SyncState struct {
	// Number counts the syncs.
	Number     int64 `json:"number"`
	StartedAt  Time  `json:"started_at"`
	TouchedAt  Time  `json:"touched_at"`  // when it last got on
	FinishedAt Time  `json:"finished_at"` // zero while it is under way
	// Next is the next_openid that asks for the next page, "" for the first.
	Next string `json:"next"`
	// Pulled says that the last page is stored.
	Pulled bool `json:"pulled"`
	Pages  int  `json:"pages"`
	// Announced is how many followers the platform says there are.
	Announced int64 `json:"announced"`
	Listed    int64 `json:"listed"`   // OpenIDs on the pages, repeated ones too
	Seen      int64 `json:"seen"`     // people listed, each once; known after MergeList
	Added     int64 `json:"added"`    // of these, who were unknown
	Returned  int64 `json:"returned"` // of these, who had left before
	Unlisted  int64 `json:"unlisted"` // followers who are not listed; known after MergeList
	Left      int64 `json:"left"`     // of these, who are marked as having left
	Skipped   int64 `json:"skipped"`  // what was listed and is no OpenID
	// ShortBefore is how many were seen by the sync before, if its list was short.
	ShortBefore int64 `json:"short_before"`
	// CompleteAt is when a sync last saw the whole list.
	CompleteAt Time `json:"complete_at"`
}

// Open tells whether it was begun and not finished.
func (st SyncState) Open() bool { return st.Number > 0 && st.FinishedAt.IsZero() }

// Missing tells whether some of the followers that the platform announced are
// not listed so far.
func (st SyncState) Missing() bool { return st.Listed+st.Skipped < st.Announced }

// Short tells whether the whole list lacks a good part of the followers that the
// platform announced. A list moves while it is read, but not by a tenth.
func (st SyncState) Short() bool { return (st.Seen+st.Skipped)*10 < st.Announced*9 }

// Suspicious tells whether the list must have been cut short: it is, and the one
// before did not say the same, or it lists nobody although there were followers.
// What two lists say, the platform means: its total also counts people whom it
// does not list.
func (st SyncState) Suspicious() bool {
	if st.Seen == 0 {
		return st.Short() || st.Unlisted > 0
	}
	off := st.Seen - st.ShortBefore
	return st.Short() && max(off, -off)*100 > st.ShortBefore
}

// AsOf is the moment whose truth the sync's pages tell: what an event says of a
// later one is newer.
func (st SyncState) AsOf() Time { return KnownAt(st.StartedAt.Time) }

// KnownAt is the moment to store in UpdatedAt for what is learnt at now other
// than by an event. Events carry whole seconds of the platform's clock, so that
// one of the same moment looks up to a second older, and a little more.
func KnownAt(now time.Time) Time { return At(now.Truncate(time.Second).Add(-time.Second)) }

// LastSync returns the state of the last sync, Number 0 if there was none.
func (s *Store) LastSync(ctx context.Context) (SyncState, error) {
	return readSync(s.r.WithContext(ctx))
}

// BeginSync begins a sync at the first page; one that is under way is dropped.
func (s *Store) BeginSync(ctx context.Context, now Time) (SyncState, error) {
	var st SyncState
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		last, err := readSync(forUpdate(tx))
		if err != nil {
			return err
		}
		st = SyncState{Number: last.Number + 1, StartedAt: now, TouchedAt: now, CompleteAt: last.CompleteAt}
		if !last.Open() && last.Pulled && last.Short() {
			st.ShortBefore = last.Seen
		}
		return endPages(tx, st)
	})
	return st, err
}

// StorePage stores a page of the follower list and next, the state after it, all
// or nothing, and returns that state. openIDs may repeat themselves. If the
// stored state is not was, another process syncs: ErrSyncRunning.
//
// The recipients are as before: a page says nothing of who left, and in the
// order of the list each of its OpenIDs touches another place of the table.
// MergeList takes them over when the list is whole.
func (s *Store) StorePage(ctx context.Context, was, next SyncState, openIDs []string) (SyncState, error) {
	openIDs = slices.Clone(openIDs)
	slices.Sort(openIDs)
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if err := checkSync(tx, was); err != nil {
			return err
		}
		if err := writeRun(tx, next.Pages, slices.Compact(openIDs)); err != nil {
			return err
		}
		return writeSync(tx, next)
	})
	if err != nil {
		return was, fmt.Errorf("store a page of followers: %w", err)
	}
	return next, nil
}

// FinishSync ends a sync; unless its list is suspicious, the follower list
// counts as complete from now on.
func (s *Store) FinishSync(ctx context.Context, was SyncState, now Time) (SyncState, error) {
	st := was
	st.FinishedAt, st.TouchedAt = now, now
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if err := checkSync(tx, was); err != nil {
			return err
		}
		if !st.Suspicious() {
			st.CompleteAt = now
			if err := writeFact(tx, FactPulled, strconv.FormatInt(now.UnixMilli(), 10)); err != nil {
				return err
			}
		}
		return endPages(tx, st)
	})
	if err != nil {
		return was, fmt.Errorf("finish the sync: %w", err)
	}
	return st, nil
}

// DropSync gives up a sync that can't go on; the next one begins anew.
func (s *Store) DropSync(ctx context.Context, was SyncState, now Time) error {
	st := was
	st.FinishedAt = now
	return s.inTx(ctx, func(tx *gorm.DB) error {
		if err := checkSync(tx, was); err != nil {
			return err
		}
		return endPages(tx, st)
	})
}

// endPages writes a state that needs no page read so far.
func endPages(tx *gorm.DB, st SyncState) error {
	if err := dropRuns(tx); err != nil {
		return err
	}
	return writeSync(tx, st)
}

func readSync(tx *gorm.DB) (SyncState, error) {
	var st SyncState
	value, err := readFact(tx, factSync)
	if err != nil || value == "" {
		return st, err
	}
	if err := json.Unmarshal([]byte(value), &st); err != nil {
		return st, fmt.Errorf("read the sync's state: %w", err)
	}
	return st, nil
}

func writeSync(tx *gorm.DB, st SyncState) error {
	value, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("write the sync's state: %w", err)
	}
	return writeFact(tx, factSync, string(value))
}

// checkSync fails if another sync has written since was became true of it.
func checkSync(tx *gorm.DB, was SyncState) error {
	stored, err := readSync(forUpdate(tx))
	if err != nil {
		return err
	}
	if stored != was {
		return NewError(Conflict, ErrSyncRunning)
	}
	return nil
}

// moveSync moves a sync's stored state on from was.
func moveSync(tx *gorm.DB, was, st SyncState) error {
	if err := checkSync(tx, was); err != nil {
		return err
	}
	return writeSync(tx, st)
}

// execIn runs a statement with very many values in a transaction, past GORM,
// which would copy and count each of them.
func execIn(tx *gorm.DB, query string, args ...any) error {
	_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, query, args...)
	return err
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}
