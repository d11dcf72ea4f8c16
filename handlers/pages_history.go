package handlers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/lang"
)

// historyPage is what the template "history" shows.
type historyPage struct {
	frame
	Lead string
	Rows []historyRow
}

type historyRow struct {
	progress.Row
	Link string
}

func (p *Pages) serveHistory(g *gin.Context, to link) {
	list, err := p.config.Progress.Latest(g.Request.Context())
	if err != nil {
		p.fail(g, err)
		return
	}
	f := p.frame(g, p.words(g).Say("history"))
	f.Expires = f.Say("expires", lang.Vars{"At": to.expires})
	page := historyPage{frame: f, Lead: f.Say("history_lead", lang.Vars{"N": int64(len(list))})}
	for _, st := range list {
		row := historyRow{Row: f.Row(st, p.config.Now())}
		// A link expires with the link of the page that it is on.
		row.Link = p.config.Links.token(link{linkBroadcast, st.Broadcast.ID, to.expires}) + p.query(g)
		page.Rows = append(page.Rows, row)
	}
	p.render(g, http.StatusOK, "history", page)
}
