package console

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// view is what every template of the console gets.
type view struct {
	*lang.Locale
	// Visit is who asks; nil on a page for whoever is not in the console.
	Visit *visit
	// OtherLang is the language for whoever can't read this one, and InOther the address
	// of a page in it.
	OtherLang, InOther string
	// Title is the page's heading, and its title.
	Title string
	// Root is the relative path from the address's folder to /console/: the server may be
	// reached below a path of its own.
	Root string
	Nav  []navItem
	// Data is what the page is about.
	Data any
}

// navItem is a page in the navigation.
type navItem struct {
	// Path is below Root.
	Path, Word string
	// Here says that it is this page, or the one that this page is below.
	Here bool
}

// NewKey returns what makes a form act once, however often it is sent. Each form needs one
// of its own.
func (view) NewKey() string { return rand.Text() }

// render answers with a page, whole or not at all: the template of a name with a view. s is
// nil for whoever is not in the console. Its title is the sentence title.NAME, NAME without
// console_.
func (c *Console) render(g *gin.Context, s *visit, status int, name string, data any) {
	v := view{Visit: s, Data: data, Root: root(g), Locale: c.wordsFor(g, s)}
	v.OtherLang = v.Other()
	query := g.Request.URL.Query()
	query.Set("lang", v.OtherLang)
	v.InOther = "?" + query.Encode()
	if g.Request.Method != http.MethodGet { // there is no page at the address of a form
		v.InOther = v.Root + "?lang=" + v.OtherLang
	}
	v.Title = v.Say("title." + strings.TrimPrefix(name, "console_"))
	if refused, is := data.(refusal); is {
		v.Title = v.Say("refused." + refused.What + ".title")
	}
	if named, is := data.(interface{ title() string }); is { // it is about one of many
		v.Title = named.title()
	}
	if s != nil {
		v.Nav = v.nav(g, s.Role)
	}
	var b bytes.Buffer
	if err := c.templates.ExecuteTemplate(&b, name, v); err != nil {
		_ = g.Error(err)
		g.Status(http.StatusInternalServerError)
		return
	}
	g.Data(status, "text/html; charset=utf-8", b.Bytes())
}

// fragment answers with a part of a page for the script of that page: the template of a name
// with a view, as the whole page has it.
func (c *Console) fragment(g *gin.Context, s *visit, name string, data any) {
	var b bytes.Buffer
	if err := c.templates.ExecuteTemplate(&b, name, view{Visit: s, Data: data, Root: root(g), Locale: s.words}); err != nil {
		_ = g.Error(err)
		g.Status(http.StatusInternalServerError)
		return
	}
	g.Data(http.StatusOK, "text/html; charset=utf-8", b.Bytes())
}

// wordsFor returns the words of a visit, or those that an address asks for.
func (c *Console) wordsFor(g *gin.Context, s *visit) *lang.Locale {
	if s != nil {
		return s.words
	}
	if words := c.words[g.Query("lang")]; words != nil {
		return words
	}
	return c.words[c.config.Language]
}

// nav is the navigation for a role.
func (v view) nav(g *gin.Context, role models.Role) (items []navItem) {
	here := strings.TrimPrefix(g.FullPath(), "/console")
	for _, r := range Routes() {
		if r.nav == "" || !role.May(r.Role) {
			continue
		}
		items = append(items, navItem{
			Path: strings.TrimPrefix(r.Path, "/"), Word: v.Say(r.nav),
			Here: here == r.Path || r.Path != "/" && strings.HasPrefix(here, r.Path+"/"),
		})
	}
	return items
}

// root is the relative path from a request's folder to /console/.
func root(g *gin.Context) string {
	path := g.Request.URL.Path
	below, inside := strings.CutPrefix(path, "/console/")
	if !inside {
		return "console/"
	}
	if n := strings.Count(below, "/"); n > 0 {
		return strings.Repeat("../", n)
	}
	return "./"
}

// refusal is what the template "console_refused" shows: What names its sentences.
type refusal struct{ What string }

// refuse answers with a page that says why nothing else is there, and what to do.
func (c *Console) refuse(g *gin.Context, s *visit, status int, what string) {
	if status == http.StatusForbidden || status == http.StatusTooManyRequests {
		// For the log, and nothing of what was sent.
		_ = g.Error(errors.New("refused: " + what)).SetType(gin.ErrorTypePublic)
	}
	c.render(g, s, status, "console_refused", refusal{what})
}

// fail answers for what could not be read or stored.
func (c *Console) fail(g *gin.Context, s *visit, err error) {
	switch {
	case g.Request.Context().Err() != nil: // the client has gone
		g.Status(http.StatusServiceUnavailable)
	case models.KindOf(err) == models.NotFound:
		c.refuse(g, s, http.StatusNotFound, "no_page")
	default:
		_ = g.Error(err)
		g.Header("Retry-After", "5")
		c.refuse(g, s, http.StatusServiceUnavailable, "broken")
	}
}

// redirect has the browser get a page of the console after a form. path is below /console/.
func (c *Console) redirect(g *gin.Context, path string) {
	g.Header("Location", root(g)+path)
	g.Status(http.StatusSeeOther)
}
