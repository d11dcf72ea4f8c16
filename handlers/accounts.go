package handlers

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/api"
	"wechat-broadcast/handlers/console"
)

// retryPlace is when whoever asks an account that can't be served may ask again, in
// seconds.
const retryPlace = "30"

// Account is what of an account is reached over HTTP. A nil part is not served.
type Account struct {
	Callback *Callback
	Pages    *Pages
	API      *api.API
	Console  *console.Console
	// Readiness is what /readyz asks; nil if there is nothing to ask.
	Readiness *Readiness
}

// Place is where an account is served, also while there is none in it.
type Place struct {
	// Name is the account's, empty if it is the only one and has none.
	Name string
	// Enter returns the account, and leave, which is called when the request is over.
	// The error says why the account can't be served.
	Enter func() (a *Account, leave func(), err error)
}

// Fixed returns the Place without a name of an account that is always served.
func Fixed(a *Account) Place {
	return Place{Enter: func() (*Account, func(), error) { return a, func() {}, nil }}
}

// places find the account of a request.
type places []Place

// several tells whether the accounts have names.
func (a places) several() bool { return len(a) > 0 && a[0].Name != "" }

func (a places) register(r *gin.Engine, now func() time.Time) {
	callback := "/wechat"
	if a.several() {
		callback += "/:account"
	}
	r.GET(callback, a.toCallback((*Callback).verify))
	r.POST(callback, a.toCallback((*Callback).receive))

	pages := r.Group("/b", guarded)
	pages.GET("/:token", a.toPages((*Pages).page))
	pages.GET("/:token/events", a.toPages((*Pages).events))
	pages.GET("/:token/failed.csv", a.toPages((*Pages).failedCSV))
	pages.GET("/assets/:name", a.toPages((*Pages).asset))
	a.registerConsole(r)
	a.registerAPI(r, now)
	a.registerOthers(r)
}

// registerOthers has what is no route answered by the part of the program under whose path
// it lies.
func (a places) registerOthers(r *gin.Engine) {
	noLink := a.toPages((*Pages).notFound)
	r.NoRoute(func(g *gin.Context) {
		switch path := g.Request.URL.Path; {
		case inConsole(g):
			a.toConsole((*console.Console).NotFound)(g)
		case strings.HasPrefix(path, "/b/"):
			guarded(g)
			noLink(g)
		case strings.HasPrefix(path, api.Root):
			a.refuseAPI(g, (*api.Strangers).NoRoute)
		default:
			noPage(g)
		}
	})
	r.NoMethod(func(g *gin.Context) { // what is not answered here is by Gin
		switch {
		case inConsole(g):
			a.toConsole((*console.Console).NoMethod)(g)
		case strings.HasPrefix(g.Request.URL.Path, api.Root):
			a.refuseAPI(g, (*api.Strangers).NoMethod)
		}
	})
}

// find returns the place of a name.
func (a places) find(name string) (Place, bool) {
	for _, p := range a {
		if p.Name == name {
			return p, true
		}
	}
	return Place{}, false
}

// toCallback has the account that the path names serve a request.
func (a places) toCallback(serve func(*Callback, *gin.Context)) gin.HandlerFunc {
	return func(g *gin.Context) {
		p, known := a.find(g.Param("account"))
		if !known {
			noPage(g)
			return
		}
		noteOf(g).account = p.Name
		account, leave, err := p.Enter()
		if err != nil {
			away(g)
			return
		}
		defer leave()
		if account.Callback == nil {
			noPage(g)
			return
		}
		serve(account.Callback, g)
	}
}

// away answers for an account that can't be served now. The log and /readyz say why.
func away(g *gin.Context) {
	noteOf(g).reason = "the account can't be served now"
	g.Header("Retry-After", retryPlace)
	g.String(http.StatusServiceUnavailable, "%s", http.StatusText(http.StatusServiceUnavailable))
}

// toPages has the account whose link the path holds serve a request. For a link of
// nobody, and for what has no link, it is the first that has pages: what they answer
// then is the same for all.
func (a places) toPages(serve func(*Pages, *gin.Context)) gin.HandlerFunc {
	return func(g *gin.Context) {
		token := g.Param("token")
		closed := false
		for _, p := range a {
			served, err := p.servePages(g, serve, func(pages *Pages) bool { return pages.config.Links.made(token) })
			if served {
				return
			}
			closed = closed || err != nil
		}
		if closed && token != "" { // it may be a link of an account that can't be served
			away(g)
			return
		}
		for _, p := range a {
			if served, _ := p.servePages(g, serve, func(*Pages) bool { return true }); served {
				return
			}
		}
		if closed {
			away(g)
			return
		}
		noPage(g)
	}
}

// servePages has the pages of a place serve a request, if they are those that are
// wanted.
func (p Place) servePages(g *gin.Context, serve func(*Pages, *gin.Context), wanted func(*Pages) bool) (served bool, err error) {
	account, leave, err := p.Enter()
	if err != nil {
		return false, err
	}
	defer leave()
	if account.Pages == nil || !wanted(account.Pages) {
		return false, nil
	}
	noteOf(g).account = p.Name
	serve(account.Pages, g)
	return true, nil
}
