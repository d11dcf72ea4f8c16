package models

import (
	"errors"

	"gorm.io/gorm"
)

// FailWrites has every write to the table that is named at the time fail with fault.
func FailWrites(s *Store, table *string, fault error) error {
	fail := func(tx *gorm.DB) {
		if tx.Statement.Table == *table {
			_ = tx.AddError(fault)
		}
	}
	return errors.Join(
		s.w.Callback().Create().Before("gorm:create").Register("test:create", fail),
		s.w.Callback().Update().Before("gorm:update").Register("test:update", fail),
	)
}
