package broadcast_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

func TestCutBatches(t *testing.T) {
	t.Parallel()
	ids := make([]int64, 0, 2*broadcast.BatchSize+1)
	for i := range 2*broadcast.BatchSize + 1 {
		ids = append(ids, int64(10+3*i))
	}
	last := models.Batch{BroadcastID: 7, Seq: 4, AfterID: 1, ThroughID: 9, Size: 5, State: models.BatchDone}
	want := []models.Batch{
		{BroadcastID: 7, Seq: 5, AfterID: 9, ThroughID: ids[broadcast.BatchSize-1], Size: broadcast.BatchSize, State: models.BatchTodo},
		{BroadcastID: 7, Seq: 6, AfterID: ids[broadcast.BatchSize-1], ThroughID: ids[2*broadcast.BatchSize-1], Size: broadcast.BatchSize, State: models.BatchTodo},
		{BroadcastID: 7, Seq: 7, AfterID: ids[2*broadcast.BatchSize-1], ThroughID: ids[2*broadcast.BatchSize], Size: 1, State: models.BatchTodo},
	}
	if diff := cmp.Diff(want, broadcast.CutBatches(last, ids)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := broadcast.CutBatches(last, nil); len(got) != 0 {
		t.Errorf("of nobody: %v", got)
	}
}
