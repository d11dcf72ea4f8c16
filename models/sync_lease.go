package models

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// factSyncLease holds the owner of the lease on the follower list and when it
// ends, in milliseconds by the database's clock.
const factSyncLease = "sync_lease"

// TakeSyncLease lets the owner, a name that no other has, be the only one to pull
// the follower list for a while: false if another is. Who has the lease makes it
// last anew. One that ended, because its owner died, is free.
func (s *Store) TakeSyncLease(ctx context.Context, owner string, lasts time.Duration) (bool, error) {
	taken := false
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		// With the row there, of two who read it in order to write one waits.
		err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&fact{Name: factSyncLease}).Error
		if err != nil {
			return err
		}
		holder, left, err := s.syncLease(forUpdate(tx))
		if err != nil {
			return err
		}
		if taken = holder == owner || left <= 0; !taken {
			return nil
		}
		now, err := s.databaseNow(tx)
		if err != nil {
			return err
		}
		return writeFact(tx, factSyncLease, owner+" "+strconv.FormatInt(now+lasts.Milliseconds(), 10))
	})
	return taken && err == nil, wrap(err, "take the lease on the follower list")
}

// EndSyncLease ends the owner's lease on the follower list, if it still has it.
func (s *Store) EndSyncLease(ctx context.Context, owner string) error {
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		holder, _, err := s.syncLease(forUpdate(tx))
		if err != nil || holder != owner {
			return err
		}
		return writeFact(tx, factSyncLease, "")
	})
	return wrap(err, "end the lease on the follower list")
}

// SyncLeased tells whether somebody has the lease on the follower list.
func (s *Store) SyncLeased(ctx context.Context) (bool, error) {
	_, left, err := s.syncLease(s.r.WithContext(ctx))
	return left > 0, err
}

// syncLease returns who has the lease and for how long from now on.
func (s *Store) syncLease(tx *gorm.DB) (owner string, left time.Duration, err error) {
	value, err := readFact(tx, factSyncLease)
	if err != nil || value == "" {
		return "", 0, err
	}
	owner, end, _ := strings.Cut(value, " ")
	until, err := strconv.ParseInt(end, 10, 64)
	if err != nil {
		return "", 0, fmt.Errorf("read the lease on the follower list: %w", err)
	}
	now, err := s.databaseNow(tx)
	return owner, time.Duration(until-now) * time.Millisecond, err
}

// databaseNow reads the database's clock, in milliseconds since the Unix epoch.
func (s *Store) databaseNow(tx *gorm.DB) (ms int64, err error) {
	err = tx.Session(&gorm.Session{NewDB: true}).Raw("SELECT " + s.clock()).Scan(&ms).Error
	return ms, wrap(err, "read the database's clock")
}
