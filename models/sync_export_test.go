package models

import (
	"context"
	"time"

	"gorm.io/gorm"
)

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

// HeldOfRuns stores so many pages with these OpenIDs, begins to read them side by side, and
// returns how many bytes of them are in memory then.
func HeldOfRuns(ctx context.Context, s *Store, pages int, openIDs []string) (held int, err error) {
	for page := 1; page <= pages && err == nil; page++ {
		err = s.inTx(ctx, func(tx *gorm.DB) error { return writeRun(tx, page, openIDs) })
	}
	if err != nil {
		return 0, err
	}
	l, err := openList(ctx, s.r.WithContext(ctx).Statement.ConnPool, pages)
	if err != nil {
		return 0, err
	}
	for _, r := range l.runs {
		held += len(r.head) + cap(r.rest)
	}
	return held, nil
}

// CountWithin sets how long all followers are counted.
func CountWithin(s *Store, d time.Duration) { s.countWithin = d }
