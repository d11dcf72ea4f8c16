package models

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

const (
	// factImport holds the number of an open import and until when it is open, in
	// milliseconds by the database's clock.
	factImport = "import_open"
	// storeWithin is how much longer an import must be open for what it stores: longer than
	// the transaction takes.
	storeWithin = 10 * time.Second
)

// ErrImportLapsed says that an import was not open all the time since it asked about people.
var ErrImportLapsed = errors.New("the import was not kept open")

// OpenImport has an import count as open for a while from now on, and not for less than
// others on the database want it. Meanwhile a person who is unknown and leaves is kept as
// one who left, so that an older answer of the platform does not make them a follower. It
// returns a number that stays the same for as long as an import is open without a break.
func (s *Store) OpenImport(ctx context.Context, lasts time.Duration) (number int64, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		// With the row there, of two who read it in order to write one waits.
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&fact{Name: factImport}).Error; err != nil {
			return err
		}
		var left time.Duration
		if number, left, err = s.openImport(forUpdate(tx)); err != nil {
			return err
		}
		if left <= 0 {
			number++
		}
		now, err := s.databaseNow(tx)
		if err != nil {
			return err
		}
		return writeFact(tx, factImport, fmt.Sprint(number, " ", now+max(left, lasts).Milliseconds()))
	})
	return number, wrap(err, "open an import")
}

// ImportOpen tells whether an import is open.
func (s *Store) ImportOpen(ctx context.Context) (bool, error) {
	_, left, err := s.openImport(s.r.WithContext(ctx))
	return left > 0, err
}

// openImport returns the number of the last import that was open, and for how long it still
// is from now on.
func (s *Store) openImport(tx *gorm.DB) (number int64, left time.Duration, err error) {
	value, err := readFact(tx, factImport)
	if err != nil || value == "" {
		return 0, 0, err
	}
	var until int64
	if _, err := fmt.Sscan(value, &number, &until); err != nil {
		return 0, 0, fmt.Errorf("read how long an import is open: %w", err)
	}
	now, err := s.databaseNow(tx)
	return number, time.Duration(until-now) * time.Millisecond, err
}

// checkImport returns ErrImportLapsed unless the import of a number is open, and stays it
// until a transaction is over.
func (s *Store) checkImport(tx *gorm.DB, number int64) error {
	is, left, err := s.openImport(forUpdate(tx))
	if err == nil && (is != number || left < storeWithin) {
		err = ErrImportLapsed
	}
	return err
}
