package models

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"wechat-broadcast/lang"
)

// The facts about copies. Their values are a moment, in milliseconds since the Unix
// epoch, and after a space the address of the other database without its password.
const (
	// factIncomplete says that this database is a copy that has not ended.
	factIncomplete = "incomplete"
	// factCopiedTo says that another database took this one's place.
	factCopiedTo = "copied_to"
	// factCopyProbe shows whether two addresses lead to the same database.
	factCopyProbe = "copy_probe"
)

// CheckPlace fails with an *Unusable if nothing may be sent from this database: it is a
// copy that has not ended, or another database took its place.
func (s *Store) CheckPlace(ctx context.Context) error {
	for name, id := range map[string]string{factIncomplete: "incomplete", factCopiedTo: "copied_to"} {
		value, err := s.Fact(ctx, name)
		if err != nil {
			return err
		}
		if value == "" {
			continue
		}
		at, other, _ := strings.Cut(value, " ")
		ms, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return fmt.Errorf("read fact %s: %w", name, err)
		}
		return unusable(id, "Other", other, "Moment", lang.Moment(time.UnixMilli(ms)))
	}
	return nil
}

func placeFact(other string, now time.Time) string {
	return strconv.FormatInt(now.UnixMilli(), 10) + " " + other
}

// MarkIncomplete has every server refuse this database, until MarkComplete. from is the
// address of the database of which it becomes a copy.
func (s *Store) MarkIncomplete(ctx context.Context, from string, now time.Time) error {
	return s.SetFact(ctx, factIncomplete, placeFact(from, now))
}

// MarkComplete ends what MarkIncomplete began.
func (s *Store) MarkComplete(ctx context.Context) error { return s.dropFact(ctx, factIncomplete) }

// MarkCopied has every server refuse this database, until UnmarkCopied. to is the address
// of the one that took its place.
func (s *Store) MarkCopied(ctx context.Context, to string, now time.Time) error {
	return s.SetFact(ctx, factCopiedTo, placeFact(to, now))
}

// UnmarkCopied ends what MarkCopied began. What the other database sent is not known here, so
// that all that would send waits for an admin's word. It returns the address of the other database,
// empty if this one was not marked, also if it has no tables yet.
func (s *Store) UnmarkCopied(ctx context.Context) (other string, err error) {
	names, err := s.tableNames(ctx)
	if err != nil || !slices.Contains(names, "facts") {
		return "", err
	}
	value, err := s.Fact(ctx, factCopiedTo)
	if err != nil || value == "" {
		return "", err
	}
	at, other, _ := strings.Cut(value, " ")
	ms, _ := strconv.ParseInt(at, 10, 64)
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		if _, err := s.pauseUnknown(tx, &Gap{Since: time.UnixMilli(ms), Restored: true}, time.Now()); err != nil {
			return err
		}
		return tx.Delete(&fact{}, "name = ?", factCopiedTo).Error
	})
	return other, wrap(err, "end a mark")
}

// dropFact deletes a fact.
func (s *Store) dropFact(ctx context.Context, name string) error {
	return wrap(s.w.WithContext(ctx).Delete(&fact{}, "name = ?", name).Error, "delete fact "+name)
}

// SameDatabase tells whether two stores are on the same database, whatever their
// addresses. The first one must be migrated.
func SameDatabase(ctx context.Context, s, other *Store, probe string) (same bool, err error) {
	if s.driver != other.driver {
		return false, nil
	}
	names, err := other.tableNames(ctx)
	if err != nil || !slices.Contains(names, "facts") {
		return false, err
	}
	if err := s.SetFact(ctx, factCopyProbe, probe); err != nil {
		return false, err
	}
	found, err := other.Fact(ctx, factCopyProbe)
	return found == probe, errors.Join(err, s.dropFact(context.WithoutCancel(ctx), factCopyProbe))
}

// Holding says what is in a database that may become a copy.
type Holding struct {
	// Table is a table that has rows, or that is no table of this program in a database
	// without its tables; empty if there is none.
	Table string
	// Incomplete says that the rows are those of a copy that has not ended.
	Incomplete bool
}

// Holds returns what is in the database. It may have no tables yet.
func (s *Store) Holds(ctx context.Context) (Holding, error) {
	names, err := s.tableNames(ctx)
	if err != nil || len(names) == 0 {
		return Holding{}, err
	}
	if !slices.Contains(names, "schema_versions") {
		return Holding{Table: names[0]}, nil
	}
	if slices.Contains(names, "facts") {
		value, err := s.Fact(ctx, factIncomplete)
		if err != nil || value != "" {
			return Holding{Incomplete: value != ""}, err
		}
	}
	for _, t := range CopyTables {
		if t.Name == "facts" || !slices.Contains(names, t.Name) {
			continue
		}
		found, err := exists(ctx, s.r, "SELECT 1 FROM "+t.Name+" LIMIT 1")
		if err != nil || found {
			return Holding{Table: t.Name}, wrap(err, "look into "+t.Name)
		}
	}
	return Holding{}, nil
}

// tableNames returns the tables of the database, in the order of their names.
func (s *Store) tableNames(ctx context.Context) ([]string, error) {
	query := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
	if s.driver == MySQL {
		query = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME"
	}
	var names []string
	err := s.r.WithContext(ctx).Raw(query).Scan(&names).Error
	return names, wrap(err, "list the tables")
}

// Clear deletes all rows of a database that MarkIncomplete marked, and lets their numbers
// begin anew. A database that is not marked is an error.
func (s *Store) Clear(ctx context.Context) error {
	value, err := s.Fact(ctx, factIncomplete)
	if err != nil {
		return err
	}
	if value == "" {
		return errors.New("clear a database that is no copy under way")
	}
	if s.file != nil { // it tells of signs of life of the rows that go
		if err := os.Remove(s.file.path + witnessSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the witness: %w", err)
		}
	}
	for _, t := range CopyTables {
		query := "DELETE FROM " + t.Name
		switch {
		case t.Name == "facts":
			query += " WHERE name <> '" + factIncomplete + "'"
		case s.driver == MySQL:
			query = "TRUNCATE TABLE " + t.Name
		}
		if err := s.exec(ctx, query); err != nil {
			return fmt.Errorf("clear %s: %w", t.Name, err)
		}
	}
	if s.driver == MySQL {
		return nil
	}
	return wrap(s.w.WithContext(ctx).Exec("DELETE FROM sqlite_sequence").Error, "clear the numbers")
}

// Discard deletes the file of a SQLite database, and those beside it, if Open made it, and
// tells whether it did. The caller must have its lock, and must then close the store. Another
// database stays as it is.
func (s *Store) Discard() (discarded bool, err error) {
	if s.file == nil || !s.file.made {
		return false, nil
	}
	for _, suffix := range fileSuffixes {
		if err := os.Remove(s.file.path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return false, fmt.Errorf("delete half a copy: %w", err)
		}
	}
	return true, nil
}

// RunningIDs returns the numbers of the broadcasts that are running.
func (s *Store) RunningIDs(ctx context.Context) ([]int64, error) {
	var ids []int64
	err := s.r.WithContext(ctx).Model(&Broadcast{}).Where("state = ?", Running).Order("id").Pluck("id", &ids).Error
	return ids, wrap(err, "list running broadcasts")
}
