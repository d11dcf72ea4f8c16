package planning_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/planning"
)

func TestCutBatches(t *testing.T) {
	t.Parallel()
	ids := make([]int64, 0, 2*planning.BatchSize+1)
	for i := range 2*planning.BatchSize + 1 {
		ids = append(ids, int64(10+3*i))
	}
	last := models.Batch{BroadcastID: 7, Seq: 4, AfterID: 1, ThroughID: 9, Size: 5, State: models.BatchDone}
	want := []models.Batch{
		{BroadcastID: 7, Seq: 5, AfterID: 9, ThroughID: ids[planning.BatchSize-1], Size: planning.BatchSize, State: models.BatchTodo},
		{BroadcastID: 7, Seq: 6, AfterID: ids[planning.BatchSize-1], ThroughID: ids[2*planning.BatchSize-1], Size: planning.BatchSize, State: models.BatchTodo},
		{BroadcastID: 7, Seq: 7, AfterID: ids[2*planning.BatchSize-1], ThroughID: ids[2*planning.BatchSize], Size: 1, State: models.BatchTodo},
	}
	if diff := cmp.Diff(want, planning.Cut(last, ids)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := planning.Cut(last, nil); len(got) != 0 {
		t.Errorf("of nobody: %v", got)
	}
}
