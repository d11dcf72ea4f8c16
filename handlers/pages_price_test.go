package handlers

import (
	"strings"
	"testing"

	"wechat-broadcast/models"
)

// The page says how many left because of the broadcast, once somebody may have got it.
func TestAPageTellsThePriceOfABroadcast(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	for _, tt := range []struct {
		counts models.Counts
		price  models.Price
		query  string
		want   string
	}{
		{models.Counts{Delivered: 90, Blocked: 1}, models.Price{Left: 1_200, OptedOut: 3}, "", `<p class="hint" data-t="price">Within 24 hours of it: 1,200 unfollowed, 3 opted out</p>`},
		{models.Counts{Uncertain: 1}, models.Price{}, "?lang=zh", `<p class="hint" data-t="price">收到后 24 小时内：取消关注 0 人，退订 0 人</p>`},
		{models.Counts{Failed: 5}, models.Price{}, "", `<p class="hint" data-t="price" hidden></p>`},
		{models.Counts{}, models.Price{}, "", `<p class="hint" data-t="price" hidden></p>`},
	} {
		g.expire()
		// Counts that fall would be those of an older state, so each is a broadcast of its own.
		g.change(func() { g.status.Counts, g.status.Price = tt.counts, tt.price; g.status.Broadcast.ID++ })
		if page := g.get("/b/" + g.token(g.status.Broadcast.ID) + tt.query).Body.String(); !strings.Contains(page, tt.want) {
			t.Errorf("%+v, %+v: the page lacks %s", tt.counts, tt.price, tt.want)
		}
	}
}
