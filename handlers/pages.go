package handlers

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/web"
)

// broadcasts is what the pages ask of a *broadcast.Engine.
type broadcasts interface {
	Status(ctx context.Context, id int64) (*broadcast.Status, error)
}

// PagesConfig is what Pages work with. All fields are required.
type PagesConfig struct {
	// Links reads the links that it made.
	Links    *Links
	Store    *models.Store
	Engine   broadcasts
	Progress *progress.Feeds
	// Language is that of a page whose address does not ask for another: zh or en.
	Language string
	Now      func() time.Time
	Log      *slog.Logger
}

// Pages are the pages for people: a broadcast's progress and the history, each
// for whoever holds a signed link.
type Pages struct {
	config    PagesConfig
	templates *template.Template
	assets    map[string]web.Asset // by the name that they are served as
	csvs      chan struct{}
}

// NewPages returns Pages.
func NewPages(c PagesConfig) (*Pages, error) {
	templates, assets, err := web.Pages()
	if err != nil {
		return nil, err
	}
	return &Pages{config: c, templates: templates, assets: assets, csvs: make(chan struct{}, maxCSVs)}, nil
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
	if asked := g.Query("lang"); p.config.Progress.Words(asked) != nil {
		return asked
	}
	return p.config.Language
}

// words returns what there is to say in the language of an address.
func (p *Pages) words(g *gin.Context) *progress.Words { return p.config.Progress.Words(p.language(g)) }

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
	*progress.Words
	Lang, OtherLang string
	Title, Heading  string
	// Root is the relative path from the address's folder to /b/.
	Root    string
	Expires string
	Kinds   []string
}

func (p *Pages) frame(g *gin.Context, heading string) frame {
	w := p.words(g)
	below := strings.Count(strings.TrimPrefix(g.Request.URL.Path, "/b/"), "/")
	return frame{
		Words: w, Lang: w.Language, OtherLang: w.Other(),
		Title: heading, Heading: heading, Root: strings.Repeat("../", below), Kinds: progress.Kinds,
	}
}

// progressPage is what the template "progress" shows.
type progressPage struct {
	frame
	Name, Audience, AskedAt string
	View                    *progress.View
	Card                    *web.Card
	Events, CSV             string
}

func (p *Pages) serveBroadcast(g *gin.Context, to link) {
	ctx := g.Request.Context()
	s, err := p.config.Progress.Snapshot(ctx, to.id)
	if err != nil {
		p.fail(g, err)
		return
	}
	b := s.Broadcast
	f := p.frame(g, p.words(g).Say("broadcast", lang.Vars{"ID": b.ID}))
	f.Title += " · " + b.Name
	f.Expires = f.Say("expires", lang.Vars{"At": to.expires})
	token := g.Param("token")
	p.render(g, http.StatusOK, "progress", progressPage{
		frame: f, Name: b.Name, Audience: f.Audience(b), AskedAt: lang.Moment(b.AskedAt.Time),
		View: f.Words.View(s), Card: p.config.Progress.Card(ctx, f.Lang, b),
		Events: token + "/events" + p.query(g), CSV: token + "/failed.csv" + p.query(g),
	})
}

// events streams a broadcast to a page.
func (p *Pages) events(g *gin.Context) {
	to, ok := p.read(g, linkBroadcast)
	if !ok {
		return
	}
	err := p.config.Progress.Stream(g.Writer, g.Request, progress.Watch{ID: to.id, Language: p.language(g), Until: to.expires})
	switch {
	case errors.Is(err, progress.ErrBusy):
		g.Header("Retry-After", "30")
		p.errorPage(g, http.StatusServiceUnavailable, "busy")
	case err != nil:
		p.fail(g, err)
	}
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
	f := p.frame(g, p.words(g).Say(what+".title"))
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
