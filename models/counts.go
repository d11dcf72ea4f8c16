package models

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Counts is how many deliveries of a broadcast are in each state; Sending counts
// those in state later too, since neither has an outcome, and Deferred these alone.
type Counts struct {
	Sending, Accepted, Delivered, Blocked, Failed, Uncertain int64
	// Skipped is how many were not tried because of a rule.
	Skipped  int64
	Deferred int64
	// DeferredSince is when the first of those who are put off was; zero if nobody is.
	DeferredSince Time
}

// Known is how many recipients have a row: those who were tried and those who were skipped.
func (c Counts) Known() int64 { return c.Tried() + c.Skipped }

// Tried is how many recipients were tried.
func (c Counts) Tried() int64 {
	return c.Sending + c.Accepted + c.Delivered + c.Blocked + c.Failed + c.Uncertain
}

// Taken is how many messages the platform took, whatever became of them.
func (c Counts) Taken() int64 { return c.Accepted + c.Delivered + c.Blocked }

// CountDeliveries counts the deliveries of a broadcast by state. It reads no more of them
// than those of the batches that are under way, whatever its size; see kept.
func (s *Store) CountDeliveries(ctx context.Context, id int64) (Counts, error) {
	fates, since, tallied, err := s.countFates(ctx, id)
	if err != nil {
		return Counts{}, fmt.Errorf("count deliveries: %w", err)
	}
	if tallied {
		return s.talliedCounts(ctx, id)
	}
	n := map[DeliveryState]int64{}
	for f, of := range fates {
		n[f.state] += of
	}
	return countsOf(n, since), nil
}

func countsOf(n map[DeliveryState]int64, since Time) Counts {
	return Counts{
		Sending: n[Sending] + n[Deferred], Accepted: n[Accepted], Delivered: n[Delivered], Blocked: n[Blocked],
		Failed: n[FailedFor], Uncertain: n[Uncertain], Skipped: n[Skipped], Deferred: n[Deferred], DeferredSince: since,
	}
}

// countFates counts the deliveries of a broadcast by their fates, and says since when the first of
// those who are put off is. Of a tallied broadcast it says so alone.
func (s *Store) countFates(ctx context.Context, id int64) (n map[fate]int64, since Time, tallied bool, err error) {
	k, err := s.kept(ctx, id, "SELECT 1, state, errcode, detail, n, 0, 0, 0 FROM outcome_counts WHERE broadcast_id = ?", id)
	switch {
	case err != nil || k.tallied:
		return nil, since, k.tallied, err
	case k.how == countedWhole || k.how == countedByBatch && len(k.open) == 0:
		return k.fates, since, false, nil
	case k.how == countedByBatch:
		n = k.fates
		for _, part := range k.open {
			c, err := s.countSpan(ctx, s.r, id, k.canary, part)
			if err != nil {
				return nil, since, false, err
			}
			for of, more := range c.fates {
				n[of] += more
			}
			since = earlier(since, c.since)
		}
	default:
		if n, since, err = s.countAll(ctx, id, k); err != nil {
			return nil, since, false, err
		}
	}
	// Looked at after they were counted: if it is not tallied, none was deleted meanwhile.
	gone, err := s.tallied(ctx, id)
	return n, since, gone != nil, err
}

// earlier returns the earlier of two moments that are not zero.
func earlier(a, b Time) Time {
	if a.IsZero() || !b.IsZero() && b.Before(a.Time) {
		return b
	}
	return a
}

// maxFailures is how many groups of failures are told apart; there are about
// fifty error codes, and a few more texts.
const maxFailures = 200

// Failures are deliveries of a broadcast that failed, are uncertain or were skipped for
// the same cause.
type Failures struct {
	State   DeliveryState
	ErrCode int `gorm:"column:errcode"`
	// Detail is the cause of failures without a code: the platform's status of a
	// receipt, or what could not be filled in. Empty for all others.
	Detail string
	N      int64
}

// CountFailures counts the deliveries of a broadcast that failed, are uncertain or were
// skipped by their cause, the most frequent first.
func (s *Store) CountFailures(ctx context.Context, id int64) ([]Failures, error) {
	fates, _, tallied, err := s.countFates(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("count failures: %w", err)
	}
	if tallied {
		return s.talliedFailures(ctx, id)
	}
	var list []Failures
	for of, n := range fates {
		if n > 0 && (of.state == FailedFor || of.state == Uncertain || of.state == Skipped) {
			list = append(list, Failures{State: of.state, ErrCode: of.errCode, Detail: of.detail, N: n})
		}
	}
	slices.SortFunc(list, func(a, b Failures) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.State, b.State), cmp.Compare(a.ErrCode, b.ErrCode), cmp.Compare(a.Detail, b.Detail))
	})
	return list[:min(len(list), maxFailures)], nil
}

// Sends are the sends of a broadcast that were begun in a span of time.
type Sends struct {
	At Time // when the span begins
	N  int64
}

// CountSends counts the sends of a broadcast that have an outcome by when they
// were begun, in spans of that length (whole seconds, at least one), the
// earliest first. Spans without a send are left out.
func (s *Store) CountSends(ctx context.Context, id int64, span time.Duration) ([]Sends, error) {
	ms := max(1000, span.Milliseconds())
	list, gone, err := s.countSends(ctx, id, ms)
	if err != nil {
		return nil, fmt.Errorf("count sends by time: %w", err)
	}
	if gone {
		return s.talliedSends(ctx, id, ms)
	}
	return list, nil
}

func (s *Store) countSends(ctx context.Context, id, ms int64) (list []Sends, tallied bool, err error) {
	k, err := s.kept(ctx, id, "SELECT 1, '', 0, '', SUM(n), at - at % ?, 0, 0 FROM send_counts WHERE broadcast_id = ? GROUP BY at - at % ?", ms, id, ms)
	switch {
	case err != nil || k.tallied:
		return nil, k.tallied, err
	case k.how == countedNever:
		if list, err = s.allSends(ctx, id, ms); err != nil {
			return nil, false, err
		}
	default:
		for _, part := range k.open {
			c, err := s.countSpan(ctx, s.r, id, k.canary, part)
			if err != nil {
				return nil, false, err
			}
			for at, n := range c.sends {
				k.sends[at-at%ms] += n
			}
		}
		for _, at := range slices.Sorted(maps.Keys(k.sends)) {
			list = append(list, Sends{At: At(time.UnixMilli(at)), N: k.sends[at]})
		}
	}
	gone, err := s.tallied(ctx, id)
	return list, gone != nil, err
}

// allSends is CountSends by reading all deliveries.
func (s *Store) allSends(ctx context.Context, id, ms int64) (list []Sends, err error) {
	err = s.r.WithContext(ctx).Raw(`SELECT sent_at - sent_at % ? AS at, COUNT(*) AS n FROM deliveries
		WHERE broadcast_id = ? AND sent_at > 0 AND state NOT IN ('sending', 'later') GROUP BY at ORDER BY at`, ms, id).Scan(&list).Error
	return list, err
}

// CountSince counts the recipients that were tried since a moment, a whole second, in every
// broadcast.
func (s *Store) CountSince(ctx context.Context, since time.Time) (int64, error) {
	n, err := s.countSince(ctx, since.UnixMilli())
	return n, wrap(err, "count sends")
}

func (s *Store) countSince(ctx context.Context, since int64) (n int64, err error) {
	const recent = "(SELECT id FROM broadcasts WHERE started_at > 0 AND (finished_at = 0 OR finished_at >= ?) AND counted "
	r := s.r.WithContext(ctx)
	err = r.Raw("SELECT COUNT(*) FROM deliveries WHERE broadcast_id IN "+recent+"= 0) AND sent_at >= ?", since, since).Scan(&n).Error
	if err != nil {
		return 0, err
	}
	rows, err := r.Statement.ConnPool.QueryContext(ctx, "SELECT 0, COALESCE(SUM(n), 0), 0, 0, 0, '' FROM send_counts WHERE broadcast_id IN "+recent+"> 0) AND at >= ?"+
		" UNION ALL SELECT batches.broadcast_id, b.canary_segment, batches.after_id, batches.through_id, batches.segment_id, batches.claims"+
		" FROM "+s.first("broadcasts b", "batches")+" ON batches.broadcast_id = b.id AND "+begunBatch+
		" WHERE b.id IN "+recent+"= 1)", since, since, since)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	type open struct{ broadcast, canary int64 }
	under := map[open][]span{}
	for rows.Next() {
		var of open
		var part span
		if err := rows.Scan(&of.broadcast, &of.canary, &part.after, &part.through, &part.segment, &part.claims); err != nil {
			return 0, err
		}
		if of.broadcast == 0 {
			n += of.canary
			continue
		}
		under[of] = append(under[of], part)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	for of, parts := range under {
		for _, part := range joinSpans(parts) {
			c, err := s.countSpan(ctx, s.r, of.broadcast, of.canary, part)
			if err != nil {
				return 0, err
			}
			for at, more := range c.begun {
				if at >= since {
					n += more
				}
			}
		}
	}
	return n, nil
}

// first is two tables, joined, of which one is read first.
func (s *Store) first(table, other string) string {
	if s.driver == SQLite {
		return table + " CROSS JOIN " + other
	}
	return table + " STRAIGHT_JOIN " + other
}

// fate is what deliveries have in common that are counted together: errCode and detail are
// those of Failures, and of other states they are empty.
type fate struct {
	state   DeliveryState
	errCode int
	detail  string
}

// fateOf makes the fate of a row. By trailing spaces not every database tells texts apart.
func fateOf(state DeliveryState, errCode int, detail string) fate {
	return fate{state, errCode, strings.TrimRight(detail, " ")}
}
