package console

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/cache"
	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/services/broadcast"
)

const (
	historyRows = 20 // broadcasts on a page of the history
	// historyPages is how many of its pages are kept, each for a moment: counting the
	// outcomes of large broadcasts takes a while.
	historyPages = 32
	historyLasts = 2 * time.Second
)

// historyPage is what the template "console_broadcasts" shows.
type historyPage struct {
	Kinds []string
	Rows  []openRow
	// Older is the page of those before, below Root; empty if there are none. Newest says
	// that these are the latest.
	Older  string
	Newest bool
}

// newHistory keeps pages of the history, by the id before which they begin.
func newHistory(before func(ctx context.Context, id int64, n int) ([]broadcast.Status, error)) *cache.Cache[int64, []broadcast.Status] {
	ttl := func(_ []broadcast.Status, took time.Duration) time.Duration {
		return max(historyLasts, overviewShare*took)
	}
	return cache.New(historyPages, ttl, func(ctx context.Context, id int64) ([]broadcast.Status, error) {
		ctx, cancel := context.WithTimeout(ctx, overviewWithin)
		defer cancel()
		return before(ctx, id, historyRows+1) // one more tells whether there are others
	})
}

func (c *Console) broadcasts(g *gin.Context, s *visit) {
	before, err := strconv.ParseInt(g.DefaultQuery("before", "0"), 10, 64)
	if err != nil || before < 0 {
		c.NotFound(g)
		return
	}
	list, err := c.history.Get(g.Request.Context(), before)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	w := &progress.Words{Locale: s.words}
	page := historyPage{Kinds: progress.Kinds, Newest: before == 0}
	for i, st := range list {
		if i == historyRows {
			page.Older = "broadcasts?before=" + page.Rows[i-1].ID
			break
		}
		page.Rows = append(page.Rows, openRow{Row: w.Row(st, c.config.Now()), Path: broadcastPath(st.Broadcast.ID)})
	}
	c.render(g, s, http.StatusOK, "console_broadcasts", page)
}
