package modelstest

import (
	"context"
	"time"

	"wechat-broadcast/models"
)

// Claim leaves recipients of a broadcast as a crash does: claimed at a moment, each with a
// row and no outcome.
func Claim(ctx context.Context, s *models.Store, id int64, recipients []int64, at time.Time) error {
	never := models.Cap{Max: 1 << 30, Within: time.Hour}
	_, _, err := s.ClaimUnderCap(ctx, &models.Broadcast{ID: id}, models.ClaimKnown, recipients, never, at)
	return err
}
