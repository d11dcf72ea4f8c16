package models

import (
	"context"
	"fmt"
	"time"
)

// FillInbound stores n replies, all of the same moment.
func FillInbound(ctx context.Context, s *Store, n int, at time.Time) error {
	rows := make([]Inbound, n)
	for i := range rows {
		rows[i] = Inbound{MessageKey: fmt.Sprint("fill:", i), Reply: "r", ReceivedAt: At(at)}
	}
	return s.w.WithContext(ctx).CreateInBatches(rows, maxRows).Error
}
