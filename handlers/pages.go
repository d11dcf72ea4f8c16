package handlers

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/cache"
	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/web"
)

// broadcasts is what the pages ask of a *broadcast.Engine.
type broadcasts interface {
	Status(ctx context.Context, id int64) (*broadcast.Status, error)
	List(ctx context.Context, n int) ([]broadcast.Status, error)
	Preview(ctx context.Context, b models.Broadcast) (wechat.Message, error)
}

// templateList is what the pages ask of a *wechat.Client.
type templateList interface {
	KnownTemplates(ctx context.Context, age time.Duration) ([]wechat.Template, time.Time, error)
}

// PagesConfig is what Pages work with. All fields are required.
type PagesConfig struct {
	// Links reads the links that it made.
	Links    *Links
	Store    *models.Store
	Engine   broadcasts
	Platform templateList
	// Language is that of a page whose address does not ask for another: zh or en.
	Language string
	Now      func() time.Time
	Log      *slog.Logger
}

// Pages are the pages for people: a broadcast's progress and the history, each
// for whoever holds a signed link.
type Pages struct {
	config    PagesConfig
	words     map[string]*words
	templates *template.Template
	assets    map[string]web.Asset // by the name that they are served as
	titles    *titles
	tag       string // of this process, in the ids of events
	streams   atomic.Int64
	csvs      chan struct{}

	ctx     context.Context
	cancel  context.CancelFunc
	pollers sync.WaitGroup

	mu      sync.Mutex
	feeds   map[int64]*feed
	history *cache.Cache[struct{}, []broadcast.Status]
}

// NewPages returns Pages. Close must follow.
func NewPages(c PagesConfig) (*Pages, error) {
	templates, assets, err := web.Pages()
	if err != nil {
		return nil, err
	}
	p := &Pages{
		config: c, words: map[string]*words{}, templates: templates, assets: assets, feeds: map[int64]*feed{},
		titles: newTitles(c.Platform, c.Log), history: newHistory(c.Engine.List),
		tag: rand.Text()[:8], csvs: make(chan struct{}, maxCSVs),
	}
	for _, language := range lang.Languages {
		if p.words[language], err = newWords(language, c.Log); err != nil {
			return nil, err
		}
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// Close ends the event streams and what keeps them up to date. It can be called
// again.
func (p *Pages) Close() {
	p.mu.Lock()
	p.cancel()
	p.mu.Unlock()
	p.pollers.Wait()
}

// begin runs f in the background. Its ctx ends with Close.
func (p *Pages) begin(f func(ctx context.Context)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() == nil {
		p.pollers.Go(func() { f(p.ctx) })
	}
}

func guarded(g *gin.Context) {
	web.Guard(g.Writer.Header())
}

func (p *Pages) asset(g *gin.Context) {
	a, ok := p.assets[g.Param("name")]
	if !ok {
		p.notFound(g)
		return
	}
	g.Header("Cache-Control", "public, max-age=31536000, immutable")
	g.Data(http.StatusOK, a.Type, a.Content)
}

// language returns the language that the address asks for, or the server's.
func (p *Pages) language(g *gin.Context) string {
	if asked := g.Query("lang"); p.words[asked] != nil {
		return asked
	}
	return p.config.Language
}

// query returns what an address of ours needs to keep a chosen language.
func (p *Pages) query(g *gin.Context) string {
	if language := p.language(g); language != p.config.Language {
		return "?lang=" + language
	}
	return ""
}

// read returns what the address's token stands for. If that is none of these
// kinds, it answers with notFound and ok is false.
func (p *Pages) read(g *gin.Context, kinds ...linkKind) (to link, ok bool) {
	if to, ok = p.config.Links.read(g.Param("token")); ok && slices.Contains(kinds, to.kind) {
		trust(g.Request.Context())
		return to, true
	}
	p.notFound(g)
	return link{}, false
}

func (p *Pages) page(g *gin.Context) {
	to, ok := p.read(g, linkBroadcast, linkHistory)
	if !ok {
		return
	}
	if to.kind == linkHistory {
		p.serveHistory(g, to)
		return
	}
	p.serveBroadcast(g, to)
}

// frame is what every page has.
type frame struct {
	*words
	Lang, OtherLang string
	Title, Heading  string
	// Root is the relative path from the address's folder to /b/.
	Root    string
	Expires string
	Kinds   []string
}

func (p *Pages) frame(g *gin.Context, heading string) frame {
	w := p.words[p.language(g)]
	below := strings.Count(strings.TrimPrefix(g.Request.URL.Path, "/b/"), "/")
	return frame{
		words: w, Lang: w.Language, OtherLang: w.Other(),
		Title: heading, Heading: heading, Root: strings.Repeat("../", below), Kinds: kinds,
	}
}

// progressPage is what the template "progress" shows.
type progressPage struct {
	frame
	Name, Audience, AskedAt string
	View                    *view
	Card                    *web.Card
	Events, CSV             string
}

func (p *Pages) serveBroadcast(g *gin.Context, to link) {
	ctx := g.Request.Context()
	s, err := p.feed(to.id).refresh(ctx)
	if err != nil {
		p.fail(g, err)
		return
	}
	b := s.Broadcast
	f := p.frame(g, p.words[p.language(g)].Say("broadcast", lang.Vars{"ID": b.ID}))
	f.Title += " · " + b.Name
	f.Expires = f.Say("expires", lang.Vars{"At": to.expires})
	token := g.Param("token")
	p.render(g, http.StatusOK, "progress", progressPage{
		frame: f, Name: b.Name, Audience: f.audience(b), AskedAt: lang.Moment(b.AskedAt.Time),
		View: f.view(s), Card: p.card(ctx, f.words, b),
		Events: token + "/events" + p.query(g), CSV: token + "/failed.csv" + p.query(g),
	})
}

func (w *words) audience(b models.Broadcast) string {
	return chat.AudienceText(w.Locale, b)
}

// card draws the message of a broadcast, or returns nil if it cannot be filled.
func (p *Pages) card(ctx context.Context, w *words, b models.Broadcast) *web.Card {
	m, err := p.config.Engine.Preview(ctx, b)
	if err != nil {
		p.config.Log.DebugContext(ctx, "preview a broadcast for its page", "broadcast", b.ID, "err", err)
		return nil
	}
	t := p.titles.find(ctx, m.TemplateID)
	values := map[string]string{}
	var keys []string
	for _, field := range m.Data {
		values[field.Key] = field.Value
		keys = append(keys, field.Key)
	}
	c := web.NewCard(cmp.Or(t.Title, b.Name), t.Content, keys, func(key string) string { return values[key] })
	at := b.AskedAt.Time
	if !b.StartedAt.IsZero() {
		at = b.StartedAt.Time
	}
	c.Time = lang.Minute(at)
	if m.URL != "" || m.MiniProgram != nil {
		c.Details = w.Say("card_details")
	}
	return &c
}

// errorView is what the template "lost" shows.
type errorView struct {
	frame
	Lead, Todo string
}

// notFound answers a link that is not valid. The answer is the same for each cause.
func (p *Pages) notFound(g *gin.Context) { p.errorPage(g, http.StatusNotFound, "lost") }

// errorPage answers with the page of an error. what names its sentences.
func (p *Pages) errorPage(g *gin.Context, status int, what string) {
	f := p.frame(g, p.words[p.language(g)].Say(what+".title"))
	p.render(g, status, "lost", errorView{frame: f, Lead: f.Say(what + ".lead"), Todo: f.SayIf(what + ".todo")})
}

// fail answers for a broadcast that could not be read.
func (p *Pages) fail(g *gin.Context, err error) {
	switch {
	case g.Request.Context().Err() != nil: // the client has gone
		g.Status(http.StatusServiceUnavailable)
	case models.KindOf(err) == models.NotFound:
		p.notFound(g)
	default:
		noteOf(g).err = err
		g.Header("Retry-After", "5")
		p.errorPage(g, http.StatusServiceUnavailable, "broken")
	}
}

// render answers with a page, whole or not at all.
func (p *Pages) render(g *gin.Context, status int, name string, data any) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, data); err != nil {
		noteOf(g).err = err
		g.Status(http.StatusInternalServerError)
		return
	}
	g.Data(status, "text/html; charset=utf-8", b.Bytes())
}
