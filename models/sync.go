package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"
)

// SyncState is where a sync of the follower list stands. It is stored with each
// page, so that a sync that ended early goes on where it stopped.
type SyncState struct {
	// Number counts the syncs; a recipient keeps that of the last that listed it.
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
	Seen      int64 `json:"seen"`     // people listed, each once
	Added     int64 `json:"added"`    // of these, who were unknown
	Returned  int64 `json:"returned"` // of these, who had left before
	Left      int64 `json:"left"`     // followers who are not listed any more
	Skipped   int64 `json:"skipped"`  // what was listed and is no OpenID
	// CompleteAt is when a sync last saw the whole list.
	CompleteAt Time `json:"complete_at"`
}

// Open tells whether it was begun and not finished.
func (st SyncState) Open() bool { return st.Number > 0 && st.FinishedAt.IsZero() }

// Short tells whether a good part of the followers that the platform announced
// was not listed. A list moves while it is read, but not by a tenth.
func (st SyncState) Short() bool { return (st.Seen+st.Skipped)*10 < st.Announced*9 }

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
		return writeSync(tx, st)
	})
	return st, err
}

// StorePage stores a page of the follower list and the state after it, all or
// nothing: was is the state before, next the one after, but for the counts of
// people, which StorePage adds and returns. openIDs may repeat themselves. If
// the stored state is not was, another process syncs: ErrSyncRunning.
//
// An unfollow that is newer than the sync's start stays, whatever the page says.
func (s *Store) StorePage(ctx context.Context, was, next SyncState, openIDs []string) (SyncState, error) {
	// In order the index is walked rather than jumped about in.
	openIDs = slices.Clone(openIDs)
	slices.Sort(openIDs)
	openIDs = slices.Compact(openIDs)
	st := next
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if err := checkSync(tx, was); err != nil {
			return err
		}
		p, err := comparePage(tx, next, openIDs)
		if err != nil {
			return err
		}
		if err := p.store(tx, s.driver, next); err != nil {
			return err
		}
		st = next
		st.Seen += int64(len(p.seen) + len(p.returned) + len(p.added))
		st.Returned += int64(len(p.returned))
		st.Added += int64(len(p.added))
		return writeSync(tx, st)
	})
	if err != nil {
		return was, fmt.Errorf("store a page of followers: %w", err)
	}
	return st, nil
}

// page is what a page of the list means for the table.
type page struct {
	seen     []int64 // nothing changes for them
	returned []int64
	added    []string
}

func comparePage(tx *gorm.DB, st SyncState, openIDs []string) (page, error) {
	var p page
	known := make(map[string]struct{}, maxRows)
	var r Recipient
	for chunk := range slices.Chunk(openIDs, maxRows) {
		clear(known)
		rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context,
			"SELECT id, openid, subscribed, updated_at, seen_sync FROM recipients WHERE openid IN "+
				places(len(chunk)), anys(chunk)...)
		if err != nil {
			return p, fmt.Errorf("look up followers: %w", err)
		}
		for rows.Next() {
			if err := rows.Scan(&r.ID, &r.OpenID, &r.Subscribed, &r.UpdatedAt, &r.SeenSync); err != nil {
				return p, fmt.Errorf("look up followers: %w", errors.Join(err, rows.Close())) //nolint:sqlclosecheck // once for each chunk
			}
			known[r.OpenID] = struct{}{}
			switch {
			case r.SeenSync == st.Number: // an earlier page had it
			case !r.Subscribed && !r.UpdatedAt.After(st.AsOf().Time):
				p.returned = append(p.returned, r.ID)
			default:
				p.seen = append(p.seen, r.ID)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return p, fmt.Errorf("look up followers: %w", err)
		}
		for _, openID := range chunk {
			if _, ok := known[openID]; !ok {
				p.added = append(p.added, openID)
			}
		}
	}
	// Whoever locks rows in the order of their ids can't deadlock with another
	// who does.
	slices.Sort(p.seen)
	slices.Sort(p.returned)
	return p, nil
}

func (p page) store(tx *gorm.DB, driver string, st SyncState) error {
	number, asOf := strconv.FormatInt(st.Number, 10), strconv.FormatInt(st.AsOf().UnixMilli(), 10)
	// No index has seen_sync, so that this touches the rows alone.
	for chunk := range slices.Chunk(p.seen, maxRows) {
		err := execIn(tx, "UPDATE recipients SET seen_sync = "+number+" WHERE id IN ("+string(appendInts(nil, chunk...))+")")
		if err != nil {
			return fmt.Errorf("mark followers as seen: %w", err)
		}
	}
	for chunk := range slices.Chunk(p.returned, maxRows) {
		err := execIn(tx, "UPDATE recipients SET subscribed = 1, seen_sync = "+number+", updated_at = "+asOf+
			" WHERE updated_at <= "+asOf+" AND id IN ("+string(appendInts(nil, chunk...))+")")
		if err != nil {
			return fmt.Errorf("mark followers as returned: %w", err)
		}
	}
	row := "(?, 1, '', " + number + ", " + strconv.FormatInt(st.TouchedAt.UnixMilli(), 10) + ", " + asOf + ")"
	// One who was added by an event since the look-up is only marked as seen.
	conflict := " ON CONFLICT (openid) DO UPDATE SET seen_sync = excluded.seen_sync"
	if driver == MySQL {
		conflict = " ON DUPLICATE KEY UPDATE seen_sync = VALUES(seen_sync)"
	}
	for chunk := range slices.Chunk(p.added, maxRows) {
		err := execIn(tx, "INSERT INTO recipients (openid, subscribed, fields, seen_sync, created_at, updated_at) VALUES "+
			tuples(row, len(chunk))+conflict, anys(chunk)...)
		if err != nil {
			return fmt.Errorf("add followers: %w", err)
		}
	}
	return nil
}

// MarkLeft marks the followers that the sync's pages did not list as having
// left, and returns the state with their number. Whoever followed after the
// sync's start stays. It can be called again after an error.
func (s *Store) MarkLeft(ctx context.Context, st SyncState) (SyncState, error) {
	const unseen = "subscribed = 1 AND seen_sync < ? AND updated_at <= ?"
	after := int64(0)
	for {
		var ids []int64
		err := s.r.WithContext(ctx).Model(&Recipient{}).Where("id > ? AND "+unseen, after, st.Number, st.AsOf()).
			Order("id").Limit(maxRows).Pluck("id", &ids).Error
		if err != nil {
			return st, fmt.Errorf("look for who left: %w", err)
		}
		if len(ids) == 0 {
			return st, nil
		}
		after = ids[len(ids)-1]
		next := st
		err = s.inTx(ctx, func(tx *gorm.DB) error {
			if err := checkSync(tx, st); err != nil {
				return err
			}
			args := append([]any{st.AsOf(), st.Number, st.AsOf()}, anys(ids)...)
			res := tx.Exec("UPDATE recipients SET "+erased+", updated_at = ? WHERE "+unseen+
				" AND id IN "+places(len(ids)), args...)
			if res.Error != nil {
				return res.Error
			}
			next.Left = st.Left + res.RowsAffected
			return writeSync(tx, next)
		})
		if err != nil {
			return st, fmt.Errorf("mark who left: %w", err)
		}
		st = next
	}
}

// FinishSync ends a sync; unless its list was cut short, the follower list
// counts as complete from now on.
func (s *Store) FinishSync(ctx context.Context, was SyncState, now Time) (SyncState, error) {
	st := was
	st.FinishedAt, st.TouchedAt = now, now
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if err := checkSync(tx, was); err != nil {
			return err
		}
		if !st.Short() {
			st.CompleteAt = now
			if err := writeFact(tx, FactPulled, strconv.FormatInt(now.UnixMilli(), 10)); err != nil {
				return err
			}
		}
		return writeSync(tx, st)
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
		return writeSync(tx, st)
	})
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

// execIn runs a statement with very many values in a transaction, past GORM,
// which would copy and count each of them.
func execIn(tx *gorm.DB, query string, args ...any) error {
	_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, query, args...)
	return err
}

// places returns the list of n places that follows an IN.
func places(n int) string { return "(" + tuples("?", n) + ")" }

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}
