package models

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"
)

// clock is the database's time in milliseconds since the Unix epoch. Leases are
// measured by it, so that the clocks of those who take them need not agree. Those
// who use a SQLite file share the machine's.
func (s *Store) clock() string {
	if s.driver == SQLite {
		return strconv.FormatInt(time.Now().UnixMilli(), 10)
	}
	return "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"
}

// longestRest is longer than any rest of a batch: one that lasts longer was left
// before the clock was set back, and is over.
const longestRest = 10 * time.Minute

// idle is the condition on a row of batches under which anybody may take it now.
func (s *Store) idle() string {
	now := s.clock()
	return fmt.Sprintf("(batches.lease_until <= %s OR batches.owner = '' AND batches.lease_until > %s + %d)", now, now, longestRest.Milliseconds())
}

// LeaseBatch takes a batch for the owner, a name that no other lease has, and
// returns it; nil if it is done, or another's, or left for later, or if its broadcast
// does not run. Of two that try at the same moment one gets it. Whom the lease before left
// begun has a delivery then.
func (s *Store) LeaseBatch(ctx context.Context, broadcastID, seq int64, owner string, lasts time.Duration) (leased *Batch, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		leased = nil
		res := tx.Exec("UPDATE batches SET owner = ?, lease_until = "+s.clock()+" + ?, times_leased = times_leased + 1"+
			" WHERE broadcast_id = ? AND seq = ? AND state = ? AND "+s.idle()+
			" AND EXISTS (SELECT 1 FROM broadcasts b WHERE b.id = batches.broadcast_id AND b.state = ?)",
			owner, lasts.Milliseconds(), broadcastID, seq, BatchTodo, Running)
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error
		}
		var b Batch
		if err := tx.Where("broadcast_id = ? AND seq = ?", broadcastID, seq).Take(&b).Error; err != nil {
			return err
		}
		leased = &b
		return settle(tx, leased)
	})
	if err != nil {
		return nil, fmt.Errorf("lease batch: %w", err)
	}
	return leased, nil
}

// RenewBatch makes the lease of a batch's owner last anew from now on and tells
// whether it is still the owner's.
func (s *Store) RenewBatch(ctx context.Context, b Batch, lasts time.Duration) (bool, error) {
	return s.setLease(ctx, b, "renew lease", map[string]any{
		"lease_until": gorm.Expr(s.clock()+" + ?", lasts.Milliseconds()),
	})
}

// LeaveBatch ends the lease of a batch's owner: what is left of it may be taken
// after a while, 0 for at once. Who has lost the lease changes nothing.
func (s *Store) LeaveBatch(ctx context.Context, b Batch, after time.Duration) error {
	_, err := s.setLease(ctx, b, "end lease", map[string]any{
		"owner": "", "lease_until": gorm.Expr("CASE WHEN ? <= 0 THEN 0 ELSE "+s.clock()+" + ? END", after.Milliseconds(), after.Milliseconds()),
	})
	return err
}

// setLease changes a batch if it is still its owner's, and tells whether it is.
func (s *Store) setLease(ctx context.Context, b Batch, what string, set map[string]any) (bool, error) {
	res := s.w.WithContext(ctx).Model(&Batch{}).
		Where("broadcast_id = ? AND seq = ? AND owner = ?", b.BroadcastID, b.Seq, b.Owner).Updates(set)
	return res.RowsAffected == 1, wrap(res.Error, what)
}

// EndLeases ends the leases whose owners' names begin so, and has what was left for
// later be taken at once: for whoever knows that these owners are dead.
func (s *Store) EndLeases(ctx context.Context, owners string) error {
	err := s.w.WithContext(ctx).Model(&Batch{}).
		Where("state = ? AND lease_until > 0 AND (owner = '' OR SUBSTR(owner, 1, ?) = ?)", BatchTodo, len(owners), owners).
		Updates(map[string]any{"owner": "", "lease_until": 0}).Error
	return wrap(err, "end leases")
}

// IdleBatches returns the next n batches of a broadcast that are not done and
// that anybody may take now, in order, and how many are not done at all: these,
// those that are leased, and those left for later.
func (s *Store) IdleBatches(ctx context.Context, id int64, n int) (idle []Batch, left int64, err error) {
	todo := s.r.WithContext(ctx).Where("broadcast_id = ? AND state = ?", id, BatchTodo).Session(&gorm.Session{})
	if err := todo.Where(s.idle()).Order("seq").Limit(n).Find(&idle).Error; err != nil {
		return nil, 0, fmt.Errorf("list idle batches: %w", err)
	}
	// Whatever the clock says: a lease may run out between the two.
	err = todo.Model(&Batch{}).Count(&left).Error
	return idle, left, wrap(err, "count batches")
}

// Leased tells whether a batch of the broadcast is leased: somebody sends it, or
// did until lately.
func (s *Store) Leased(ctx context.Context, id int64) (bool, error) {
	var n int64
	err := s.r.WithContext(ctx).Model(&Batch{}).
		Where("broadcast_id = ? AND state = ? AND owner <> '' AND lease_until > "+s.clock(), id, BatchTodo).Count(&n).Error
	return n > 0, wrap(err, "look for leases")
}
