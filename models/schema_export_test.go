package models

import "context"

// PretendVersion has the database say that its schema is of a version.
func PretendVersion(ctx context.Context, s *Store, version int64) error {
	return s.w.WithContext(ctx).Table(versionsTable).
		Create(map[string]any{"version_id": version, "is_applied": true}).Error
}

// ForgetVersion has the database say that its schema is of the version before the latest.
func ForgetVersion(ctx context.Context, s *Store) error {
	var last int64
	if err := s.w.WithContext(ctx).Table(versionsTable).Select("MAX(version_id)").Scan(&last).Error; err != nil {
		return err
	}
	return s.w.WithContext(ctx).Exec("DELETE FROM "+versionsTable+" WHERE version_id = ?", last).Error
}
