// Package console is the pages on which an admin writes, chooses and looks. It has no
// powers of its own: every move is a command of the chat, and one that would send to more
// than the test list waits for the admin's word there.
package console

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/cache"
	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/admins"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/sessions"
	"wechat-broadcast/services/topics"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/web"
)

// maxForm is how large a form may be, in bytes, unless its route allows more.
const maxForm = 64 << 10

// Config is what a Console works with. All fields are required.
type Config struct {
	Sessions  *sessions.Service
	Chat      *chat.Chat
	Store     *models.Store
	Engine    *broadcast.Engine
	Messages  *messages.Source
	Followers *followers.Service
	Topics    *topics.Service
	Lists     *lists.Service
	Admins    *admins.Service
	Platform  *wechat.Client
	// Language is the account's: zh or en.
	Language string
	Now      func() time.Time
	Log      *slog.Logger
}

// Console is the console of one account.
type Console struct {
	config    Config
	words     map[string]*lang.Locale
	templates *template.Template
	assets    map[string]web.Asset // by the name that they are served as
	// groups are those that one can send to, with their numbers.
	groups *cache.Cache[struct{}, groups]
}

// New returns a Console.
func New(c Config) (*Console, error) {
	templates, assets, err := web.Pages()
	if err != nil {
		return nil, err
	}
	console := &Console{config: c, words: map[string]*lang.Locale{}, templates: templates, assets: assets}
	for _, language := range lang.Languages {
		console.words[language], err = lang.New(language, c.Log, lang.Platform, lang.Pages, lang.Console)
		if err != nil {
			return nil, err
		}
	}
	console.groups = cache.New(1, cache.For[groups](groupsLast), func(ctx context.Context, _ struct{}) (groups, error) {
		return console.readGroups(ctx)
	})
	return console, nil
}

// Route is an address of the console.
type Route struct {
	Method string
	// Path is below /console.
	Path string
	// Role is the least one that may use it; empty if it takes no session.
	Role models.Role
	// nav names the sentence for it in the navigation; empty if it is not there.
	nav string
	// body is how many bytes a form may have; 0 for maxForm.
	body  int64
	serve func(c *Console, g *gin.Context, s *visit)
}

// Routes are all addresses of the console.
func Routes() []Route {
	return []Route{
		{Method: http.MethodGet, Path: "/enter/:token", serve: (*Console).enter},
		{Method: http.MethodGet, Path: "/assets/:name", serve: (*Console).asset},
		{Method: http.MethodGet, Path: "/", Role: models.Viewer, nav: "nav.home", serve: (*Console).home},
		{Method: http.MethodGet, Path: "/write", Role: models.Editor, nav: "nav.write", serve: (*Console).write},
		{Method: http.MethodPost, Path: "/write", Role: models.Editor, serve: (*Console).saveMessage},
		{Method: http.MethodPost, Path: "/write/preview", Role: models.Editor, serve: (*Console).previewMessage},
		{Method: http.MethodPost, Path: "/write/remove", Role: models.Editor, serve: (*Console).removeMessage},
		{Method: http.MethodGet, Path: "/send", Role: models.Sender, nav: "nav.send", serve: (*Console).sendForm},
		{Method: http.MethodPost, Path: "/send", Role: models.Sender, serve: (*Console).send},
		{Method: http.MethodPost, Path: "/send/preview", Role: models.Sender, serve: (*Console).previewSending},
		{Method: http.MethodPost, Path: "/logout", Role: models.Viewer, serve: (*Console).logout},
	}
}

// MadeLink tells whether a token is that of a link of this account, also of one that was
// used or has expired.
func (c *Console) MadeLink(token string) bool { return c.config.Sessions.MadeLink(token) }

// MadeCookie tells whether a cookie is one that this account gave, also of a session that is
// over.
func (c *Console) MadeCookie(cookie string) bool { return c.config.Sessions.MadeCookie(cookie) }

// Guard sets the headers of every answer.
func Guard(g *gin.Context) {
	h := g.Writer.Header()
	web.Guard(h)
	h.Set("Content-Security-Policy", web.ConsolePolicy)
	// Without the address of the page a browser would not say where a form comes from.
	h.Set("Referrer-Policy", "same-origin")
}

// Serve answers a request for a route: it looks who asks, whether they may, and whether it
// was one of our own pages that asks to change something.
func (c *Console) Serve(r Route, g *gin.Context) {
	if r.Role == "" {
		r.serve(c, g, nil)
		return
	}
	s, ok := c.visitor(g)
	switch {
	case !ok:
	case !s.Role.May(r.Role):
		c.refuse(g, s, http.StatusForbidden, "role")
	case r.Method == http.MethodPost:
		size := r.body
		if size == 0 {
			size = maxForm
		}
		g.Request.Body = http.MaxBytesReader(g.Writer, g.Request.Body, size)
		if c.ours(g, s) {
			r.serve(c, g, s)
		}
	default:
		r.serve(c, g, s)
	}
}

// NotFound answers for an address that there is not.
func (c *Console) NotFound(g *gin.Context) { c.refuse(g, nil, http.StatusNotFound, "no_page") }

// NoMethod answers for a method that an address does not take.
func (c *Console) NoMethod(g *gin.Context) { c.refuse(g, nil, http.StatusMethodNotAllowed, "no_page") }

func (c *Console) asset(g *gin.Context, _ *visit) {
	a, ok := c.assets[g.Param("name")]
	if !ok {
		c.NotFound(g)
		return
	}
	g.Header("Cache-Control", "public, max-age=31536000, immutable")
	g.Data(http.StatusOK, a.Type, a.Content)
}
