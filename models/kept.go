package models

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"
)

// What the deliveries of a broadcast come to is kept, so that nobody who asks waits until ten
// million are counted. A batch that is done has its deliveries counted in the transaction that
// says that it is done (FinishBatch), each as the call left it: whatever receipts made of it
// before, one that the platform took counts as accepted. What a receipt changes is counted in
// the transaction that changes the delivery, for every delivery: one accepted less, one
// delivered more. So it does not matter which of the two comes first. The deliveries of the
// batches that are begun and not done are counted when somebody asks.

// counting says what of a broadcast is in outcome_counts and send_counts, beside what receipts
// changed: it is in the row of the broadcast.
type counting int64

const (
	// countedNever: nothing. It was planned by an older version.
	countedNever counting = iota
	// countedByBatch: the batches whose row says so.
	countedByBatch
	// countedWhole: everything.
	countedWhole
)

// factCountsFrom is the moment, by the database's clock and in milliseconds since the Unix
// epoch, from which on no process of a version is there that keeps no counts.
const factCountsFrom = "counts_from"

// countsNow is the condition that counts may be kept.
func (s *Store) countsNow() string {
	return "NOT EXISTS (SELECT 1 FROM facts WHERE name = '" + factCountsFrom + "' AND value + 0 > " + s.clock() + ")"
}

// span is a part of a broadcast's recipients: those with after < id <= through who are in a
// segment, its canary; for 0 all others.
type span struct {
	after, through, segment int64
	claims                  Claims // of its batches
}

// joinSpans joins those that follow each other.
func joinSpans(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.segment, b.segment), cmp.Compare(a.after, b.after))
	})
	var joined []span
	for _, part := range spans {
		if last := len(joined) - 1; last >= 0 && joined[last].segment == part.segment && joined[last].through == part.after {
			joined[last].through = part.through
			joined[last].claims = slices.Concat(joined[last].claims, part.claims)
			continue
		}
		joined = append(joined, part)
	}
	return joined
}

// kept is what is kept of a broadcast, and what is not.
type kept struct {
	how     counting
	tallied bool
	final   bool  // it has ended
	canary  int64 // its canary's segment
	// fates or sends, by when a span of time begins, are what was asked for.
	fates map[fate]int64
	sends map[int64]int64
	// open are its begun batches that are not in there, if it is countedByBatch. Those that
	// follow each other are joined.
	open []span
}

// kept reads what is kept of a broadcast, which the statement ask selects with its args, and
// which batches are to be counted beside: all as of one moment, as it is one statement. A batch
// that is done a moment later is counted as it was then.
func (s *Store) kept(ctx context.Context, id int64, ask string, args ...any) (k kept, err error) {
	k = kept{fates: map[fate]int64{}, sends: map[int64]int64{}}
	args = slices.Concat([]any{id}, args, []any{id, id})
	rows, err := s.r.Statement.ConnPool.QueryContext(ctx, "SELECT 0, state, counted, '', tallied_at, canary_segment, 0, 0 FROM broadcasts WHERE id = ?"+
		" UNION ALL "+ask+
		" UNION ALL SELECT 2, '', 0, claims, 0, after_id, through_id, segment_id FROM batches"+
		" WHERE broadcast_id = ? AND "+begunBatch+" AND (SELECT b.counted FROM broadcasts b WHERE b.id = ?) = 1", args...)
	if err != nil {
		return k, err
	}
	defer rows.Close()
	for rows.Next() {
		var part, errCode, n, after, through, segment int64
		var state DeliveryState
		var detail string
		if err := rows.Scan(&part, &state, &errCode, &detail, &n, &after, &through, &segment); err != nil {
			return k, err
		}
		switch {
		case part == 0:
			k.how, k.tallied, k.canary = counting(errCode), n > 0, after
			k.final = BroadcastState(state).Final()
		case part == 2:
			open := span{after: after, through: through, segment: segment}
			if err := open.claims.Scan(detail); err != nil {
				return k, err
			}
			k.open = append(k.open, open)
		case state == "":
			k.sends[after] += n
		default:
			k.fates[fate{state, int(errCode), detail}] += n
		}
	}
	k.open = joinSpans(k.open)
	return k, rows.Err()
}

// counted is what some deliveries come to.
type counted struct {
	fates map[fate]int64
	// sends are those with an outcome and begun all, by the second in which they began, in
	// milliseconds since the Unix epoch.
	sends, begun map[int64]int64
	since        Time // since when the first of those who are put off is
}

// settled tells whether all have an outcome.
func (c *counted) settled() bool {
	return c.fates[fate{state: Sending}] == 0 && c.fates[fate{state: Deferred}] == 0
}

// The columns by which deliveries are counted, beside their state.
const (
	codeNow  = "CASE WHEN state IN ('failed', 'uncertain', 'skipped') THEN errcode ELSE 0 END"
	wordsNow = "CASE WHEN state = 'failed' AND errcode = 0 THEN detail ELSE '' END"
)

// countSpan counts a part of the deliveries of a broadcast, each as its call left it. canary
// is the segment of the broadcast's canary.
func (s *Store) countSpan(ctx context.Context, db *gorm.DB, id, canary int64, part span) (counted, error) {
	from, where, args := "deliveries d", "d.broadcast_id = ? AND d.recipient_id > ? AND d.recipient_id <= ?", []any{id, part.after, part.through}
	switch {
	case part.segment != 0:
		from = s.first("members m", "deliveries d") + " ON d.broadcast_id = ? AND d.recipient_id = m.recipient_id"
		where, args = "m.segment_id = ? AND m.recipient_id > ? AND m.recipient_id <= ?", []any{id, part.segment, part.after, part.through}
	case canary != 0:
		where += " AND (SELECT x.segment_id FROM members x WHERE x.segment_id = ? AND x.recipient_id = d.recipient_id) IS NULL"
		args = append(args, canary)
	}
	c := counted{fates: map[fate]int64{}, sends: map[int64]int64{}, begun: map[int64]int64{}}
	// A message that has a number was accepted, whatever a receipt made of it. These are nearly
	// all, so they are counted by themselves: in half the time.
	query := "SELECT 'accepted', 0, '', sent_at - sent_at % 1000, COUNT(*), 0 FROM " + from + " WHERE " + where + " AND d.msgid <> 0 GROUP BY 4" +
		" UNION ALL SELECT state, " + codeNow + ", " + wordsNow +
		", sent_at - sent_at % 1000, COUNT(*), MIN(d.updated_at) FROM " + from + " WHERE " + where + " AND d.msgid = 0 GROUP BY 1, 2, 3, 4"
	args = slices.Concat(args, args)
	if claimed := part.claims.recipients(); len(claimed) > 0 {
		// With them, which of those who were claimed have a row: all as of one moment.
		query += " UNION ALL SELECT '', 0, '', recipient_id, 0, 0 FROM deliveries WHERE broadcast_id = ? AND recipient_id IN (" +
			string(appendInts(nil, claimed...)) + ")"
		args = append(args, id)
	}
	rows, err := db.Statement.ConnPool.QueryContext(ctx, query, args...)
	if err != nil {
		return c, err
	}
	defer rows.Close()
	recorded := map[int64]bool{}
	for rows.Next() {
		var of fate
		var at, n int64
		var updated Time
		if err := rows.Scan(&of.state, &of.errCode, &of.detail, &at, &n, &updated); err != nil {
			return c, err
		}
		if of.state == "" {
			recorded[at] = true
			continue
		}
		of = fateOf(of.state, of.errCode, of.detail)
		c.fates[of] += n
		switch {
		case of.state == Deferred:
			c.since = earlier(c.since, updated)
		case at > 0 && of.state != Sending:
			c.sends[at] += n
		}
		if at > 0 {
			c.begun[at] += n
		}
	}
	for _, claim := range part.claims {
		for _, id := range claim.Recipients {
			if !recorded[id] {
				c.fates[fate{state: Sending}]++
				c.begun[claim.At.Truncate(time.Second).UnixMilli()]++
			}
		}
	}
	return c, rows.Err()
}

// begunBatch is the condition on a row of batches under which it was leased and is not counted:
// an index leads to those of a broadcast.
const begunBatch = "batches.counted = 0 AND batches.times_leased > 0"

// keepAtLeast is how many deliveries a broadcast has of which the counts are kept that were
// counted one by one: fewer are counted soon enough.
const keepAtLeast = 10_000

// countAll counts the deliveries of a broadcast one by one. If it has ended, this is kept: it
// is not counted so again.
func (s *Store) countAll(ctx context.Context, id int64, k kept) (n map[fate]int64, since Time, err error) {
	keeps := false
	if k.final && k.how == countedNever {
		leased, err := s.Leased(ctx, id) // before it is counted: nobody takes a lease on it any more
		if err != nil {
			return nil, since, err
		}
		keeps = !leased
	}
	// With what receipts changed until then: all as of one moment, as it is one statement.
	rows, err := s.r.Statement.ConnPool.QueryContext(ctx, "SELECT 0, state, "+codeNow+", "+wordsNow+", COUNT(*), MIN(updated_at)"+
		" FROM deliveries WHERE broadcast_id = ? GROUP BY 2, 3, 4"+
		" UNION ALL SELECT 1, state, errcode, detail, n, 0 FROM outcome_counts WHERE broadcast_id = ?", id, id)
	if err != nil {
		return nil, since, err
	}
	defer rows.Close()
	n = map[fate]int64{}
	lacking, total := map[fate]int64{}, int64(0)
	for rows.Next() {
		var of fate
		var part, m int64
		var updated Time
		if err := rows.Scan(&part, &of.state, &of.errCode, &of.detail, &m, &updated); err != nil {
			return nil, since, err
		}
		of = fateOf(of.state, of.errCode, of.detail)
		if part == 1 {
			lacking[of] -= m
			continue
		}
		n[of] += m
		lacking[of] += m
		total += m
		if of.state == Deferred {
			since = earlier(since, updated)
		}
	}
	if err := rows.Close(); err != nil {
		return nil, since, err
	}
	open, err := unrecorded(s.r.WithContext(ctx), id)
	if err != nil {
		return nil, since, err
	}
	if open > 0 {
		n[fate{state: Sending}] += open
	}
	if err := rows.Err(); err != nil || !keeps || total < keepAtLeast || !(&counted{fates: n}).settled() {
		return n, since, err
	}
	if err := s.keepWhole(ctx, id, lacking); err != nil { // the next one to ask keeps it
		s.log.WarnContext(ctx, "keep the counts of a broadcast", "broadcast", id, "err", err)
	}
	return n, since, nil
}

// keepWhole keeps the counts of a broadcast that has ended: what they lack is what they came
// to at a moment, less what receipts had changed until then.
func (s *Store) keepWhole(ctx context.Context, id int64, lacking map[fate]int64) error {
	sends, err := s.allSends(ctx, id, time.Second.Milliseconds())
	if err != nil {
		return err
	}
	begun := map[int64]int64{}
	for _, of := range sends {
		begun[of.At.UnixMilli()] = of.N
	}
	return s.inTx(ctx, func(tx *gorm.DB) error {
		res := tx.Exec("UPDATE broadcasts SET counted = ? WHERE id = ? AND counted = ? AND tallied_at = 0 AND "+s.countsNow(), countedWhole, id, countedNever)
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error
		}
		if err := s.addSends(tx, id, begun); err != nil {
			return err
		}
		return s.addFates(tx, map[int64]map[fate]int64{id: lacking})
	})
}

// keepsCounts has the counts of a broadcast kept whose first batch is being stored. It has no
// deliveries yet, so that none is missed.
func (s *Store) keepsCounts(tx *gorm.DB, id int64) error {
	return tx.Exec("UPDATE broadcasts SET counted = ? WHERE id = ? AND counted = ? AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.broadcast_id = ?) AND "+
		s.countsNow(), countedByBatch, id, countedNever, id).Error
}

// FinishBatch records that every recipient of a leased batch has its outcome, keeps what
// these come to, and ends the lease.
func (s *Store) FinishBatch(ctx context.Context, b Batch) error {
	k := kept{}
	err := s.r.WithContext(ctx).Raw("SELECT counted, canary_segment FROM broadcasts WHERE id = ?", b.BroadcastID).Row().Scan(&k.how, &k.canary)
	if err != nil {
		return wrap(err, "finish batch")
	}
	var c counted
	keeps := k.how == countedByBatch
	if keeps {
		// Nothing but receipts changes them any more, as long as the lease is its owner's.
		if c, err = s.countSpan(ctx, s.r, b.BroadcastID, k.canary, span{after: b.AfterID, through: b.ThroughID, segment: b.SegmentID}); err != nil {
			return fmt.Errorf("count batch: %w", err)
		}
		keeps = c.settled() // whatever happened: it goes on being counted
	}
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		res := tx.Exec("UPDATE batches SET owner = '', lease_until = 0, claims = '', state = ?, counted = ? WHERE broadcast_id = ? AND seq = ? AND owner = ?",
			BatchDone, keeps, b.BroadcastID, b.Seq, b.Owner)
		if res.Error != nil || res.RowsAffected == 0 || !keeps {
			return res.Error
		}
		if err := s.addSends(tx, b.BroadcastID, c.sends); err != nil {
			return err
		}
		return s.addFates(tx, map[int64]map[fate]int64{b.BroadcastID: c.fates})
	})
	return wrap(err, "finish batch")
}

// addFates adds to what is kept of broadcasts, by their numbers. It is the last that a
// transaction does, and always in one order: whoever waits for it waits for no one else's.
func (s *Store) addFates(tx *gorm.DB, of map[int64]map[fate]int64) error {
	type row struct {
		id int64
		fate
	}
	var rows []row
	for id, fates := range of {
		for f, n := range fates {
			if n != 0 {
				rows = append(rows, row{id, f})
			}
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.state, b.state), cmp.Compare(a.errCode, b.errCode), cmp.Compare(a.detail, b.detail))
	})
	return s.addTo(tx, "outcome_counts", "broadcast_id, state, errcode, detail", len(rows), func(i int) []any {
		r := rows[i]
		return []any{r.id, r.state, r.errCode, r.detail, of[r.id][r.fate]}
	})
}

// addSends adds sends, by the second in which they began, to those kept of a broadcast.
func (s *Store) addSends(tx *gorm.DB, id int64, begun map[int64]int64) error {
	seconds := slices.Sorted(maps.Keys(begun))
	return s.addTo(tx, "send_counts", "broadcast_id, at", len(seconds), func(i int) []any {
		return []any{id, seconds[i], begun[seconds[i]]}
	})
}

// addTo adds so many rows to the numbers n of a table that are there under their keys, or
// stores them.
func (s *Store) addTo(tx *gorm.DB, table, key string, rows int, row func(i int) []any) error {
	for from := 0; from < rows; from += maxRows {
		n := min(maxRows, rows-from)
		var args []any
		for i := range n {
			args = append(args, row(from+i)...)
		}
		query := "INSERT INTO " + table + " (" + key + ", n) VALUES " + tuples("("+tuples("?", len(args)/n)+")", n)
		if s.driver == SQLite {
			query += " ON CONFLICT (" + key + ") DO UPDATE SET n = n + excluded.n"
		} else {
			query += " ON DUPLICATE KEY UPDATE n = n + VALUES(n)"
		}
		if err := execIn(tx, query, args...); err != nil {
			return err
		}
	}
	return nil
}
