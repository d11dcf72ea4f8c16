package console

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/models"
)

// Trying is a route whose form asks for a command, for tests of what every such form has in
// common.
func Trying(cmd chat.Command) Route {
	return Route{Method: http.MethodPost, Path: "/try", Role: models.Viewer, serve: func(c *Console, g *gin.Context, s *visit) {
		c.act(g, s, cmd, "", "A detail <b>.")
	}}
}
