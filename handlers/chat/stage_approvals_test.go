package chat

import (
	"context"

	"wechat-broadcast/models"
)

// stageApprovals stands in for the approvals' service.
type stageApprovals struct{ *stage }

func (s stageApprovals) Approve(_ context.Context, id int64, by string) (*models.Approved, error) {
	s.record("approve %d by %s", id, by)
	return &models.Approved{Broadcast: s.status.Broadcast, By: s.status.Approved}, s.err
}

func (s stageApprovals) Reject(_ context.Context, id int64, by, why string) (*models.Broadcast, error) {
	s.record("reject %d by %s: %s", id, by, why)
	return &s.status.Broadcast, s.err
}
