package handlers

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/services/broadcast"
)

const (
	listed      = 20 // broadcasts in the history
	historyLast = 2 * time.Second
)

// history is the last list of broadcasts. All open pages share it.
type history struct {
	turn  chan struct{} // holds a token while somebody reads the list
	list  []broadcast.Status
	until time.Time
}

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
	list, err := p.latest(g.Request.Context())
	if err != nil {
		p.fail(g, err)
		return
	}
	f := p.frame(g, p.words[p.language(g)].say("history"))
	f.Expires = f.say("expires", "at", minute(to.expires))
	page := historyPage{frame: f, Lead: f.say("history_lead", "n", int64(len(list)))}
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
		ID: strconv.FormatInt(b.ID, 10), Name: b.Name, Audience: w.audience(b), AskedAt: minute(b.AskedAt.Time),
		State: string(b.State), StateText: w.say("state." + string(b.State)),
		Taken: w.say("taken", "taken", st.Counts.Taken(), "total", b.Recipients), Bar: bar(st.Counts, b.Recipients),
	}
	if !b.StartedAt.IsZero() && b.State.Final() {
		row.Took = w.say("line.took", "took", w.took(b, now))
	}
	numbers := figures(&snapshot{Status: st})
	for _, kind := range kinds {
		if numbers[kind] > 0 {
			row.Counts = append(row.Counts, historyCount{w.say("count." + kind), number(numbers[kind])})
		}
	}
	return row
}

// latest returns the latest broadcasts. The list is at most historyLast old, or
// older after a slow query (readsShare).
func (p *Pages) latest(ctx context.Context) ([]broadcast.Status, error) {
	select {
	case p.history.turn <- struct{}{}:
		defer func() { <-p.history.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	began := p.config.Now()
	if p.history.list != nil && began.Before(p.history.until) {
		return p.history.list, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readWithin)
	defer cancel()
	list, err := p.config.Engine.List(ctx, listed)
	if err != nil {
		return nil, err
	}
	now := p.config.Now()
	p.history.list, p.history.until = list, now.Add(max(historyLast, readsShare*now.Sub(began)))
	return list, nil
}
