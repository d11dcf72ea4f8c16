package models

import (
	"context"
	"maps"
	"slices"
	"time"
)

// CountPlainly is CountDeliveries, CountFailures and CountSends by seconds, all by reading every
// delivery of a broadcast.
func CountPlainly(ctx context.Context, s *Store, id int64) (c Counts, list []Failures, sends []Sends, err error) {
	var rows []Delivery
	if err := s.w.WithContext(ctx).Where("broadcast_id = ?", id).Find(&rows).Error; err != nil {
		return c, nil, nil, err
	}
	n := map[DeliveryState]int64{}
	causes, seconds := map[Failures]int64{}, map[int64]int64{}
	var since Time
	for _, d := range rows {
		n[d.State]++
		open := d.State == Sending || d.State == Deferred
		switch d.State {
		case Sending, Accepted, Delivered, Blocked:
		case Deferred:
			if since.IsZero() || d.UpdatedAt.Before(since.Time) {
				since = d.UpdatedAt
			}
		case FailedFor, Uncertain, Skipped:
			cause := Failures{State: d.State, ErrCode: d.ErrCode}
			if d.State == FailedFor && d.ErrCode == 0 {
				cause.Detail = d.Detail
			}
			causes[cause]++
		}
		if !open && !d.SentAt.IsZero() {
			seconds[d.SentAt.Unix()]++
		}
	}
	for cause, n := range causes {
		cause.N = n
		list = append(list, cause)
	}
	for _, at := range slices.Sorted(maps.Keys(seconds)) {
		sends = append(sends, Sends{At: At(time.Unix(at, 0)), N: seconds[at]})
	}
	return countsOf(n, since), list, sends, nil
}

// HowCounted returns what of a broadcast is kept: 0 for nothing, 1 for its batches that are done,
// 2 for everything.
func HowCounted(ctx context.Context, s *Store, id int64) (how int64, err error) {
	err = s.w.WithContext(ctx).Raw("SELECT counted FROM broadcasts WHERE id = ?", id).Scan(&how).Error
	return how, err
}
