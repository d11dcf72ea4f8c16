package handlers

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
)

// The page of a broadcast whose deliveries are deleted says so, and its list of failures
// has how many there were for each cause, not nobody.
func TestThePageOfDeletedDeliveries(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	ctx := t.Context()
	of := &models.Broadcast{RequestKey: "7", Message: "{}", Audience: models.AudienceAll, State: models.Scheduled, AskedAt: models.At(testNow)}
	for of.ID != 7 { // the failures of the gallery are those of #7
		of.RequestKey += "x"
		if _, err := g.store.CreateBroadcast(ctx, of, models.Asked{Again: true}); err != nil {
			t.Fatal(err)
		}
	}
	if moved, err := g.store.MoveBroadcast(ctx, 7, models.Move{Event: models.EventCancel}, testNow); !moved || err != nil {
		t.Fatal(moved, err)
	}
	deleted := `<p class="hint" data-t="deleted" hidden></p>`
	if page := g.get("/b/" + g.token(7)).Body.String(); !strings.Contains(page, deleted) {
		t.Error("the page of deliveries that are there does not hide that they are deleted")
	}
	if kept, err := g.store.TallyBroadcast(ctx, 7, testNow.Add(time.Hour)); !kept || err != nil {
		t.Fatal(kept, err)
	}
	if _, err := g.store.DropDeliveries(ctx, 7, 0, 500); err != nil {
		t.Fatal(err)
	}
	g.expire()
	g.change(func() {
		g.status.Broadcast.State, g.status.Broadcast.TalliedAt = models.Finished, models.At(testNow.Add(time.Hour))
	})
	for query, want := range map[string][]string{
		"":         {"What became of each recipient was deleted on", "No longer follows"},
		"?lang=zh": {"发送明细已于", "失败名单里只剩人数"},
	} {
		page := g.get("/b/" + g.token(7) + query).Body.String()
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("the page lacks %q", w)
			}
		}
		if strings.Contains(page, "retry #7") || strings.Contains(page, "重发 #7") {
			t.Error("the page offers a retry")
		}
	}
	text, _ := strings.CutPrefix(g.get("/b/"+g.token(7)+"/failed.csv").Body.String(), byteOrderMark)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"State", "Error code", "Cause", "WeChat's words", "Recipients"},
		{"failed", "", "WeChat failed to deliver it", "failed: system failed", "1"},
		{"failed", "43004", "No longer follows", "", "1"},
		{"uncertain", "-1", "The outcome was lost", "", "1"},
		{"", "", "Who they were was deleted on 2026-11-24 18:00:00", "", ""},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
}

// A list of failures that is being read when their deletion begins is cut off, so that
// nobody takes it for whole.
func TestAListThatIsDeletedMeanwhileIsCutOff(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	ctx := t.Context()
	of := &models.Broadcast{RequestKey: "1", Message: "{}", Audience: models.AudienceAll, State: models.Scheduled, AskedAt: models.At(testNow)}
	if _, err := g.store.CreateBroadcast(ctx, of, models.Asked{}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.pages.moreUnreached(ctx, of.ID, 0); err != nil {
		t.Fatal(err)
	}
	if moved, err := g.store.MoveBroadcast(ctx, of.ID, models.Move{Event: models.EventCancel}, testNow); !moved || err != nil {
		t.Fatal(moved, err)
	}
	if kept, err := g.store.TallyBroadcast(ctx, of.ID, testNow); !kept || err != nil {
		t.Fatal(kept, err)
	}
	if _, err := g.pages.moreUnreached(ctx, of.ID, 0); err == nil {
		t.Error("a page of deleted deliveries is taken for whole")
	}
}
