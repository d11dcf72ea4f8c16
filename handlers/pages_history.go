package handlers

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/cache"
	"wechat-broadcast/lang"
	"wechat-broadcast/services/broadcast"
)

const (
	listed      = 20 // broadcasts in the history
	historyLast = 2 * time.Second
)

// historyPage is what the template "history" shows.
type historyPage struct {
	frame
	Lead string
	Rows []historyRow
}

type historyRow struct {
	ID, Name, Audience, AskedAt, Took string
	State, StateText                  string
	Link, Taken                       string
	Bar                               []barPart
	Counts                            []historyCount
}

type historyCount struct{ Word, N string }

func (p *Pages) serveHistory(g *gin.Context, to link) {
	list, err := p.history.Get(g.Request.Context(), struct{}{})
	if err != nil {
		p.fail(g, err)
		return
	}
	f := p.frame(g, p.words[p.language(g)].Say("history"))
	f.Expires = f.Say("expires", lang.Vars{"At": to.expires})
	page := historyPage{frame: f, Lead: f.Say("history_lead", lang.Vars{"N": int64(len(list))})}
	for _, st := range list {
		row := f.row(st, p.config.Now())
		// A link expires with the link of the page that it is on.
		row.Link = p.config.Links.token(link{linkBroadcast, st.Broadcast.ID, to.expires}) + p.query(g)
		page.Rows = append(page.Rows, row)
	}
	p.render(g, http.StatusOK, "history", page)
}

func (w *words) row(st broadcast.Status, now time.Time) historyRow {
	b := st.Broadcast
	row := historyRow{
		ID: strconv.FormatInt(b.ID, 10), Name: b.Name, Audience: w.audience(b), AskedAt: lang.Minute(b.AskedAt.Time),
		State: string(b.State), StateText: w.Say("state." + string(b.State)),
		Taken: w.Say("taken", lang.Vars{"Taken": st.Counts.Taken(), "Total": b.Recipients}), Bar: bar(st),
	}
	if !b.StartedAt.IsZero() && b.State.Final() {
		row.Took = w.Say("line.took", lang.Vars{"Took": w.took(b, now)})
	}
	numbers := figures(st)
	for _, kind := range kinds {
		if numbers[kind] > 0 {
			row.Counts = append(row.Counts, historyCount{w.Say("count." + kind), w.Number(numbers[kind])})
		}
	}
	return row
}

// newHistory keeps the latest broadcasts for a moment, so that all who look share
// one query. One that takes long is made less often.
func newHistory(list func(ctx context.Context, n int) ([]broadcast.Status, error)) *cache.Cache[struct{}, []broadcast.Status] {
	ttl := func(_ []broadcast.Status, took time.Duration) time.Duration { return max(historyLast, readsShare*took) }
	return cache.New(1, ttl, func(ctx context.Context, _ struct{}) ([]broadcast.Status, error) {
		ctx, cancel := context.WithTimeout(ctx, readWithin)
		defer cancel()
		return list(ctx, listed)
	})
}
