package handlers

import (
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/api"
)

// registerAPI adds the routes of the API. Their paths are the same for all accounts: the
// token says which is meant.
func (a places) registerAPI(r *gin.Engine, now func() time.Time) {
	gate := api.NewGate(now)
	for _, route := range api.Routes {
		path := strings.NewReplacer("{", ":", "}", "").Replace(route.Path)
		r.Handle(route.Method, path, a.toAPI(gate, route))
	}
	r.GET(api.SpecPath, api.Spec)
}

// toAPI has the account whose token a request shows serve it.
func (a places) toAPI(gate *api.Gate, route api.Route) gin.HandlerFunc {
	return func(g *gin.Context) {
		secret, name, known := api.Secret(g.Request)
		p, found := a.find(name)
		if !known || !found {
			a.refuseAPI(g, func(s *api.Strangers, g *gin.Context) api.Outcome { return s.Unauthorized(g, gate, secret) })
			return
		}
		noteOf(g).account = p.Name
		account, leave, err := p.Enter()
		if err != nil {
			noteOf(g).reason = "the account can't be served now"
			a.refuseAPI(g, (*api.Strangers).Away)
			return
		}
		defer leave()
		if account.API == nil {
			a.refuseAPI(g, (*api.Strangers).NoRoute)
			return
		}
		noteOf(g).api(account.API.Serve(g, gate, secret, route))
	}
}

// refuseAPI refuses a request of which no account is known: in the language of the first
// account that is served, and in all languages while none is.
func (a places) refuseAPI(g *gin.Context, refuse func(*api.Strangers, *gin.Context) api.Outcome) {
	for _, p := range a {
		account, leave, err := p.Enter()
		if err != nil {
			continue
		}
		if account.API != nil {
			noteOf(g).api(refuse(account.API.Strangers(), g))
			leave()
			return
		}
		leave()
	}
	noteOf(g).api(refuse(api.AnyLanguage(), g))
}

// api notes what came of a request of the API.
func (n *note) api(o api.Outcome) {
	if o.Reason != "" {
		n.reason = o.Reason
	}
	n.err = o.Err
}
