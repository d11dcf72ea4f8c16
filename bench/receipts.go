package main

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	receiptGroup   = 500 // receipts in a statement of the baseline
	receiptsAtOnce = 512 // on their way into the program: as many connections as it serves
	receiptBatches = 1000
)

// receiptResult is what counting the receipts took, by the program and by
// nothing but one UPDATE for every 500.
type receiptResult struct{ Program, Update sample }

// receipts compares how fast receipts are counted with the statement alone.
func (b *bench) receipts(ctx context.Context) error {
	for range b.Rounds {
		for _, driver := range b.dbs.drivers() {
			res, err := onFresh[receiptResult](ctx, b, "receipts", programTask{
				Driver: driver, Followers: b.Receipts, InFlight: inFlight,
			})
			if err != nil {
				return err
			}
			b.results.Receipts.of(driver).add(res.Program)
			b.results.Update.of(driver).add(res.Update)
		}
	}
	return nil
}

// receiptRounds counts a receipt for everyone, first by the baseline and then,
// with what it did undone, by the engine.
func receiptRounds(ctx context.Context, p *parts, task programTask) (res receiptResult, err error) {
	db, err := openRaw(task)
	if err != nil {
		return res, err
	}
	defer db.Close()
	ids := make([]int64, task.Followers)
	for i := range ids {
		ids[i] = int64(firstMsgID + i)
	}
	if err := acceptAll(ctx, db, ids); err != nil {
		return res, err
	}
	watch := start()
	for group := range slices.Chunk(ids, receiptGroup) {
		query := []byte("UPDATE deliveries SET state = 'delivered', updated_at = 1 WHERE state = 'accepted' AND msgid <> 0 AND msgid IN (")
		for i, id := range group {
			if i > 0 {
				query = append(query, ',')
			}
			query = strconv.AppendInt(query, id, 10)
		}
		_, err := db.ExecContext(ctx, string(append(query, ')')))
		if err != nil {
			return res, fmt.Errorf("count receipts: %w", err)
		}
	}
	res.Update = watch.stop(task.Followers)
	if _, err := db.ExecContext(ctx, "UPDATE deliveries SET state = 'accepted', updated_at = 0"); err != nil {
		return res, fmt.Errorf("undo the receipts: %w", err)
	}
	res.Program, err = everyone(ctx, task.Followers, receiptsAtOnce, func(ctx context.Context, i int) error {
		return p.engine.Receipt(ctx, int64(firstMsgID+i), "success")
	})
	if err != nil {
		return res, err
	}
	counts, err := p.store.CountDeliveries(ctx, 1)
	if err == nil && counts.Delivered != int64(task.Followers) {
		err = fmt.Errorf("%d of %d receipts counted", counts.Delivered, task.Followers)
	}
	return res, err
}

// acceptAll writes accepted deliveries with these msgids.
func acceptAll(ctx context.Context, db *sql.DB, ids []int64) error {
	recipient := 0
	for group := range slices.Chunk(ids, receiptBatches) {
		args := make([]any, 0, 2*len(group))
		for _, id := range group {
			recipient++
			args = append(args, recipient, id)
		}
		_, err := db.ExecContext(ctx, "INSERT INTO deliveries (broadcast_id, recipient_id, state, msgid, attempts) VALUES "+
			places("(1, ?, 'accepted', ?, 1)", len(group)), args...)
		if err != nil {
			return fmt.Errorf("write deliveries: %w", err)
		}
	}
	return nil
}

// places returns n comma-separated copies of a place.
func places(place string, n int) string { return strings.Repeat(place+",", n-1) + place }
