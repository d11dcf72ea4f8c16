package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// A claim is who was about to be sent to in a batch: a moment in milliseconds, the number of
// the first recipient, and then how far each is from the one before.
type claim []int64

func (c claim) recipients() []int64 {
	ids := slices.Clone(c[1:])
	for i := 1; i < len(ids); i++ {
		ids[i] += ids[i-1]
	}
	return ids
}

// claimed returns the claims of each batch that has some, by broadcast and batch.
func claimed(ctx context.Context, pool *sql.DB) (map[[2]int64][]claim, error) {
	rows, err := pool.QueryContext(ctx, "SELECT broadcast_id, seq, claims FROM batches WHERE claims <> ''")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	all := map[[2]int64][]claim{}
	for rows.Next() {
		var key [2]int64
		var text string
		if err := rows.Scan(&key[0], &key[1], &text); err != nil {
			return nil, err
		}
		var list []claim
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, err
		}
		all[key] = list
	}
	return all, rows.Err()
}

// inDoubt returns the recipients of broadcasts who were being sent to when the program died:
// whom a claim names, or whose delivery says so, and who have no outcome.
func inDoubt(ctx context.Context, pool *sql.DB) ([]int64, error) {
	begun, err := numbers(ctx, pool, "SELECT recipient_id FROM deliveries WHERE state = 'sending'")
	if err != nil {
		return nil, err
	}
	batches, err := claimed(ctx, pool)
	if err != nil {
		return nil, err
	}
	for key, list := range batches {
		have, err := numbers(ctx, pool, fmt.Sprintf("SELECT recipient_id FROM deliveries WHERE broadcast_id = %d", key[0]))
		if err != nil {
			return nil, err
		}
		known := map[int64]bool{}
		for _, id := range have {
			known[id] = true
		}
		for _, c := range list {
			begun = append(begun, slices.DeleteFunc(c.recipients(), func(id int64) bool { return known[id] })...)
		}
	}
	return begun, nil
}

func numbers(ctx context.Context, pool *sql.DB, query string) (list []int64, err error) {
	rows, err := pool.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, rows.Err()
}

// shiftClaims sets when those in doubt were begun, as if the clock had been set since.
func shiftClaims(ctx context.Context, pool *sql.DB, by time.Duration) error {
	_, err := pool.ExecContext(ctx, "UPDATE deliveries SET sent_at = sent_at + ?, updated_at = updated_at + ? WHERE state = 'sending'",
		by.Milliseconds(), by.Milliseconds())
	if err != nil {
		return err
	}
	batches, err := claimed(ctx, pool)
	if err != nil {
		return err
	}
	for key, list := range batches {
		for _, c := range list {
			c[0] += by.Milliseconds()
		}
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		if _, err := pool.ExecContext(ctx, "UPDATE batches SET claims = ? WHERE broadcast_id = ? AND seq = ?", string(text), key[0], key[1]); err != nil {
			return err
		}
	}
	return nil
}
