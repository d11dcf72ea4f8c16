package models_test

import (
	"slices"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// While the pages of a sync are read side by side, so little of each is in memory that the
// 1,000 of ten million followers take 8 MB.
func TestWhatIsHeldOfRuns(t *testing.T) {
	t.Parallel()
	const pages = 3
	openIDs := make([]string, 10_000)
	for i := range openIDs {
		openIDs[i] = modelstest.OpenID(i)
	}
	slices.Sort(openIDs)
	held, err := models.HeldOfRuns(t.Context(), modelstest.SQLite(t), pages, openIDs)
	if err != nil {
		t.Fatal(err)
	}
	if held == 0 || held > pages*8_000 {
		t.Errorf("%d bytes of %d pages are in memory", held, pages)
	}
}
