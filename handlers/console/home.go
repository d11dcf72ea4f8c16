package console

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/services/broadcast"
)

// homeRows is how many of the last broadcasts the first page looks at.
const homeRows = 20

// homePage is what the template "console_home" shows.
type homePage struct {
	// Open are the broadcasts that have not ended.
	Open []broadcast.Status
}

func (c *Console) home(g *gin.Context, s *visit) {
	all, err := c.config.Engine.List(g.Request.Context(), homeRows)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	var page homePage
	for _, st := range all {
		if !st.Broadcast.State.Final() {
			page.Open = append(page.Open, st)
		}
	}
	c.render(g, s, http.StatusOK, "console_home", page)
}
