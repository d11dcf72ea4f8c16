package console

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/models"
	"wechat-broadcast/services/sessions"
)

// enter uses a link and gives the browser its cookie. The page goes on to the console by
// itself: a redirect would be a part of the navigation from the chat, which brings no cookie
// along that is for our own pages alone.
func (c *Console) enter(g *gin.Context, _ *visit) {
	g.Header("Referrer-Policy", "no-referrer") // the address is the key
	token := g.Param("token")
	switch {
	case prefetched(g.Request):
		c.refuse(g, nil, http.StatusTooEarly, "early")
		return
	case !c.MadeLink(token) && c.strange(g):
		return
	}
	cookie, _, err := c.config.Sessions.Enter(g.Request.Context(), token)
	switch {
	case models.KindOf(err) == models.Conflict:
		c.refuse(g, nil, http.StatusForbidden, "link")
	case err != nil:
		c.fail(g, nil, err)
	default:
		setCookie(g, cookie, sessions.SessionLasts)
		c.render(g, nil, http.StatusOK, "console_enter", nil)
	}
}

// logout ends the session.
func (c *Console) logout(g *gin.Context, s *visit) {
	if err := c.config.Sessions.End(g.Request.Context(), s.ID); err != nil {
		c.fail(g, s, err)
		return
	}
	setCookie(g, "", 0)
	c.refuse(g, nil, http.StatusOK, "left")
}
