package models

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// The names of the facts.
const (
	// FactPulled says that the follower list was once complete: when it was, in
	// milliseconds since the Unix epoch.
	FactPulled = "followers_pulled"

	// factApp is the AppID of the account whose people the database has.
	factApp = "app_id"

	factSync = "sync"
	// factWritten is written to see whether the database can be.
	factWritten = "written"
)

// fact is a row of the table of single facts.
type fact struct {
	Name  string `gorm:"primaryKey"`
	Value string
}

// Fact returns the value of a fact, "" if it was never set.
func (s *Store) Fact(ctx context.Context, name string) (string, error) {
	return readFact(s.r.WithContext(ctx), name)
}

// SetFact sets the value of a fact.
func (s *Store) SetFact(ctx context.Context, name, value string) error {
	return writeFact(s.w.WithContext(ctx), name, value)
}

// Belong makes the database that of an account, by its AppID, if it is nobody's yet. For
// one of another account it returns an *Unusable: OpenIDs are other ones in each account.
func (s *Store) Belong(ctx context.Context, appID string) error {
	owner, err := s.Fact(ctx, factApp)
	if err == nil && owner == "" {
		// Of two processes that start at the same moment one writes it.
		err = s.w.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&fact{Name: factApp, Value: appID}).Error
		if err == nil {
			owner, err = readFact(s.w.WithContext(ctx), factApp)
		}
	}
	if err != nil {
		return fmt.Errorf("read whose database it is: %w", err)
	}
	if owner != appID {
		return unusable("other_app", "Owner", owner, "App", appID)
	}
	return nil
}

// CheckWrite writes a few bytes and returns why they could not be stored: a
// database that can be read may stand on a full disk.
func (s *Store) CheckWrite(ctx context.Context, now time.Time) error {
	return s.SetFact(ctx, factWritten, strconv.FormatInt(now.UnixMilli(), 10))
}

// TakeFromDay counts one use of something that has a limit for a day, which is
// any name of one ("2026-11-24"): false if the day's limit is already reached.
// The count survives a restart.
func (s *Store) TakeFromDay(ctx context.Context, name, day string, limit int) (bool, error) {
	taken := false
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		value, err := readFact(forUpdate(tx), name)
		if err != nil {
			return err
		}
		used := 0
		if on, n, ok := strings.Cut(value, " "); ok && on == day {
			if used, err = strconv.Atoi(n); err != nil {
				return fmt.Errorf("read fact %s: %w", name, err)
			}
		}
		if taken = used < limit; !taken {
			return nil
		}
		return writeFact(tx, name, day+" "+strconv.Itoa(used+1))
	})
	return taken && err == nil, err
}

func readFact(tx *gorm.DB, name string) (string, error) {
	var f fact
	err := tx.Take(&f, "name = ?", name).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = nil
	}
	return f.Value, wrap(err, "read fact "+name)
}

func writeFact(tx *gorm.DB, name, value string) error {
	err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&fact{Name: name, Value: value}).Error
	return wrap(err, "write fact "+name)
}

// forUpdate makes the next query of a transaction lock what it reads, so that
// of two that read in order to write the second waits for the first. SQLite
// ignores it: its writing transactions follow one another anyway.
func forUpdate(tx *gorm.DB) *gorm.DB {
	return tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
}
