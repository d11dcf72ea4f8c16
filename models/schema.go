package models

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Schema returns the version of the database's schema, 0 for a database without one, and
// the latest that this program knows. It changes nothing.
func (s *Store) Schema(ctx context.Context) (found, known int64, err error) {
	files, err := fs.Glob(migrations, "migrations/"+s.driver+"/*.sql")
	if err != nil {
		return 0, 0, err
	}
	for _, file := range files {
		number, _, _ := strings.Cut(file[strings.LastIndex(file, "/")+1:], "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read the migrations: %w", err)
		}
		known = max(known, version)
	}
	if err := s.Ping(ctx); err != nil {
		return 0, known, err
	}
	r := s.r.WithContext(ctx)
	if !r.Migrator().HasTable(versionsTable) {
		return 0, known, nil
	}
	err = r.Table(versionsTable).Select("COALESCE(MAX(version_id), 0)").Scan(&found).Error
	if err == nil && found > known {
		err = newerSchema(found, known)
	}
	return found, known, wrap(err, "read the database's version")
}

// newerSchema is the *Unusable of a database of a later version of the program.
func newerSchema(found, known int64) error {
	return unusable("newer", "Found", strconv.FormatInt(found, 10), "Known", strconv.FormatInt(known, 10))
}
