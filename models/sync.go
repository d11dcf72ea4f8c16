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
	// Doubted is how many the last list that was not believed had, 0 if every list
	// since was.
	Doubted int64 `json:"doubted"`
	// Believed is how many the last short list had that an admin confirmed, 0 if
	// the last list was not short. The platform's total can count people whom it
	// never lists.
	Believed int64 `json:"believed"`
	// Confirmed says that an admin wants a list like the doubted one to be believed.
	Confirmed bool `json:"confirmed"`
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

// Known is how many followers were known before the list; right after MergeList.
func (st SyncState) Known() int64 { return st.Seen - st.Added - st.Returned + st.Unlisted }

// shrunk tells whether the list would take away more than half of the followers,
// or all but one.
func (st SyncState) shrunk() bool {
	return st.Unlisted > 0 && (st.Seen == 1 || st.Seen*2 < st.Known())
}

// Suspicious tells whether the list is too short to be believed, so that nobody
// is marked as having left for it; right after MergeList. Only an admin's word
// makes such a list believed, and then the next like it. A list of nobody never is.
func (st SyncState) Suspicious() bool {
	if st.Seen == 0 {
		return st.Short() || st.Unlisted > 0
	}
	if !st.shrunk() && (!st.Short() || near(st.Seen, st.Believed)) {
		return false
	}
	return !st.Confirmed || !near(st.Seen, st.Doubted)
}

// near tells whether a list is as long as another one (0 for none), but for a few
// who came or left between them.
func near(n, of int64) bool { return of > 0 && max(n-of, of-n) <= max(2, of/100) }

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
// confirmed says that an admin wants a list like the last doubted one believed.
func (s *Store) BeginSync(ctx context.Context, now Time, confirmed bool) (SyncState, error) {
	var st SyncState
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		last, err := readSync(forUpdate(tx))
		if err != nil {
			return err
		}
		st = SyncState{
			Number: last.Number + 1, StartedAt: now, TouchedAt: now, CompleteAt: last.CompleteAt,
			Doubted: last.Doubted, Believed: last.Believed, Confirmed: confirmed || last.Open() && last.Confirmed,
		}
		return endPages(tx, st)
	})
	return st, err
}

// ConfirmSync has the list of a sync that is under way believed if it is like the
// last doubted one.
func (s *Store) ConfirmSync(ctx context.Context, was SyncState) (SyncState, error) {
	st := was
	st.Confirmed = true
	if err := s.inTx(ctx, func(tx *gorm.DB) error { return moveSync(tx, was, st) }); err != nil {
		return was, fmt.Errorf("confirm the sync: %w", err)
	}
	return st, nil
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
	doubted := st.Suspicious()
	switch {
	case doubted && st.Seen > 0:
		st.Doubted = st.Seen
	case doubted: // nobody is listed, which no word confirms
	case st.Short():
		st.Doubted, st.Believed = 0, st.Seen
	default:
		st.Doubted, st.Believed = 0, 0
	}
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if err := checkSync(tx, was); err != nil {
			return err
		}
		if !doubted {
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
	if err := execIn(tx, "DELETE FROM sync_runs"); err != nil {
		return fmt.Errorf("drop the runs: %w", err)
	}
	return writeSync(tx, st)
}

func readSync(tx *gorm.DB) (SyncState, error) {
	var st SyncState
	value, err := readFact(tx, factSync)
	if err != nil || value == "" {
		return st, err
	}
	err = json.Unmarshal([]byte(value), &st)
	return st, wrap(err, "read the sync's state")
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
