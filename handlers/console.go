package handlers

import (
	"strings"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/console"
)

// inConsole tells whether an address is one below that of the console.
func inConsole(g *gin.Context) bool {
	return g.Request.URL.Path == "/console" || strings.HasPrefix(g.Request.URL.Path, "/console/")
}

func (a places) registerConsole(r *gin.Engine) {
	for _, route := range console.Routes() {
		r.Handle(route.Method, "/console"+route.Path, a.toConsole(func(c *console.Console, g *gin.Context) { c.Serve(route, g) }))
	}
}

// toConsole has the account whose link the path holds, or whose cookie came along, serve a
// request. For whoever has neither it is the first that has a console: what they answer then
// is the same for all.
func (a places) toConsole(serve func(*console.Console, *gin.Context)) gin.HandlerFunc {
	return func(g *gin.Context) {
		console.Guard(g)
		token, cookie := g.Param("token"), console.Cookie(g.Request)
		closed := false
		for _, p := range a {
			served, err := p.serveConsole(g, serve, func(c *console.Console) bool {
				return token != "" && c.MadeLink(token) || token == "" && c.MadeCookie(cookie)
			})
			if served {
				return
			}
			// It may be a link or a cookie of an account that can't be served.
			closed = closed || err != nil && (token != "" || cookie != "")
		}
		if closed {
			away(g)
			return
		}
		for _, p := range a {
			if served, _ := p.serveConsole(g, serve, func(*console.Console) bool { return true }); served {
				return
			}
		}
		noPage(g)
	}
}

// serveConsole has the console of a place serve a request, if it is the one that is wanted.
func (p Place) serveConsole(g *gin.Context, serve func(*console.Console, *gin.Context), wanted func(*console.Console) bool) (served bool, err error) {
	account, leave, err := p.Enter()
	if err != nil {
		return false, err
	}
	defer leave()
	if account.Console == nil || !wanted(account.Console) {
		return false, nil
	}
	n := noteOf(g)
	n.account = p.Name
	serve(account.Console, g)
	for _, e := range g.Errors {
		if e.IsType(gin.ErrorTypePublic) {
			n.reason = e.Error()
		} else {
			n.err = e.Err
		}
	}
	return true, nil
}
