package models

import "context"

// Following returns the OpenIDs of those who follow, in order.
func Following(ctx context.Context, s *Store) ([]string, error) {
	var openIDs []string
	err := s.r.WithContext(ctx).Model(&Recipient{}).Where("subscribed = 1").Order("openid").Pluck("openid", &openIDs).Error
	return openIDs, err
}

// CountRuns counts the parts of pages that are kept.
func CountRuns(ctx context.Context, s *Store) (int64, error) {
	var n int64
	err := s.r.WithContext(ctx).Table("sync_runs").Count(&n).Error
	return n, err
}
