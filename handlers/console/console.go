// Package console is the pages on which an admin writes, chooses and looks. It has no
// powers of its own: every move is a command of the chat, and one that would send to more
// than the test list waits for the admin's word there.
package console

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/cache"
	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/admins"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/diagnosis"
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
	// Progress has the live state of broadcasts, which the pages behind links share.
	Progress *progress.Feeds
	// Examine tells point by point whether the installation is in order, as the command
	// check does; nil if that can't be told.
	Examine func(ctx context.Context) ([]diagnosis.Point, error)
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

	overviews    *cache.Cache[struct{}, *overview]
	history      *cache.Cache[int64, []broadcast.Status]
	quotas       *quotas
	examinations *examinations // nil without Config.Examine
	csvs         chan struct{}
	uploads      chan struct{} // has one for each file that is being read
	// groups are those that one can send to, with their numbers.
	groups *cache.Cache[struct{}, groups]
}

// New returns a Console.
func New(c Config) (*Console, error) {
	templates, assets, err := web.Pages()
	if err != nil {
		return nil, err
	}
	console := &Console{config: c, words: map[string]*lang.Locale{}, templates: templates, assets: assets, uploads: make(chan struct{}, maxUploads)}
	console.overviews = newOverviews(c.Engine, c.Followers, c.Topics, c.Now)
	console.history = newHistory(c.Engine.Before)
	console.quotas = newQuotas(c.Platform, c.Log)
	console.csvs = make(chan struct{}, maxCSVs)
	if c.Examine != nil {
		console.examinations = newExaminations(c.Examine, c.Now, c.Log)
	}
	for _, language := range lang.Languages {
		console.words[language], err = lang.New(language, c.Log, lang.Platform, lang.Pages, lang.People, lang.Console)
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
	return slices.Concat([]Route{
		{Method: http.MethodGet, Path: "/enter/:token", serve: (*Console).enter},
		{Method: http.MethodGet, Path: "/assets/:name", serve: (*Console).asset},
		{Method: http.MethodGet, Path: "/", Role: models.Viewer, nav: "nav.home", serve: (*Console).home},
		{Method: http.MethodPost, Path: "/check", Role: models.Viewer, serve: (*Console).check},
		{Method: http.MethodGet, Path: "/broadcasts", Role: models.Viewer, nav: "nav.broadcasts", serve: (*Console).broadcasts},
		{Method: http.MethodGet, Path: "/broadcasts/:id", Role: models.Viewer, serve: (*Console).broadcast},
		{Method: http.MethodGet, Path: "/broadcasts/:id/events", Role: models.Viewer, serve: (*Console).broadcastEvents},
		{Method: http.MethodGet, Path: "/broadcasts/:id/deliveries.csv", Role: models.Viewer, serve: (*Console).deliveriesCSV},
		{Method: http.MethodPost, Path: "/broadcasts/:id/pause", Role: models.Sender, serve: (*Console).pause},
		{Method: http.MethodPost, Path: "/broadcasts/:id/cancel", Role: models.Sender, serve: (*Console).cancel},
		{Method: http.MethodPost, Path: "/broadcasts/:id/resume", Role: models.Sender, serve: (*Console).resume},
		{Method: http.MethodPost, Path: "/broadcasts/:id/approve", Role: models.Sender, serve: (*Console).approve},
		{Method: http.MethodPost, Path: "/broadcasts/:id/reject", Role: models.Sender, serve: (*Console).reject},
		{Method: http.MethodPost, Path: "/broadcasts/:id/reschedule", Role: models.Sender, serve: (*Console).reschedule},
		{Method: http.MethodPost, Path: "/broadcasts/:id/retry", Role: models.Sender, serve: (*Console).retry},
		{Method: http.MethodGet, Path: "/write", Role: models.Editor, nav: "nav.write", serve: (*Console).write},
		{Method: http.MethodPost, Path: "/write", Role: models.Editor, serve: (*Console).saveMessage},
		{Method: http.MethodPost, Path: "/write/preview", Role: models.Editor, serve: (*Console).previewMessage},
		{Method: http.MethodPost, Path: "/write/remove", Role: models.Editor, serve: (*Console).removeMessage},
		{Method: http.MethodGet, Path: "/send", Role: models.Sender, nav: "nav.send", serve: (*Console).sendForm},
		{Method: http.MethodPost, Path: "/send", Role: models.Sender, serve: (*Console).send},
		{Method: http.MethodPost, Path: "/send/preview", Role: models.Sender, serve: (*Console).previewSending},
		{Method: http.MethodPost, Path: "/logout", Role: models.Viewer, serve: (*Console).logout},
	}, peopleRoutes())
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
		if r.body > 0 {
			unhurried(g)
		}
		if g.Request.ContentLength > size {
			c.tooLarge(g, s, r.body > 0)
			return
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
