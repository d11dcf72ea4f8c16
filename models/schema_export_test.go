package models

import "context"

// PretendVersion has the database say that its schema is of a version.
func PretendVersion(ctx context.Context, s *Store, version int64) error {
	return s.w.WithContext(ctx).Table(versionsTable).
		Create(map[string]any{"version_id": version, "is_applied": true}).Error
}
