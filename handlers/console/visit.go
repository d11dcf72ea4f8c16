package console

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/sessions"
)

// CookieName is that of the cookie by which a session is known. Browsers keep a cookie with
// this beginning for the host that set it, over https only.
const CookieName = "__Host-console"

// visit is one request of an admin who is in the console.
type visit struct {
	*sessions.Visitor
	// Name is what admins call this one; a part of the OpenID if they have no name.
	Name string
	// CSRF is what a form must bring along.
	CSRF  string
	words *lang.Locale
}

// Cookie returns the cookie of a request; empty if it has none.
func Cookie(r *http.Request) string {
	cookie, err := r.Cookie(CookieName)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// setCookie gives the browser a cookie; an empty value takes it away.
func setCookie(g *gin.Context, value string, lasts time.Duration) {
	age := int(lasts / time.Second)
	if value == "" {
		age = -1
	}
	http.SetCookie(g.Writer, &http.Cookie{
		Name: CookieName, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// visitor returns who asks. If that is nobody, it answers and ok is false.
func (c *Console) visitor(g *gin.Context) (s *visit, ok bool) {
	ctx, cookie := g.Request.Context(), Cookie(g.Request)
	if cookie != "" && !c.config.Sessions.MadeCookie(cookie) && c.strange(g) {
		return nil, false
	}
	who, err := c.config.Sessions.Visitor(ctx, cookie)
	switch {
	case err != nil:
		c.fail(g, nil, err)
		return nil, false
	case who == nil:
		if cookie != "" {
			setCookie(g, "", 0)
		}
		c.refuse(g, nil, http.StatusForbidden, "outside")
		return nil, false
	}
	language := who.Language
	if asked := g.Query("lang"); c.words[asked] != nil && asked != language && g.Request.Method == http.MethodGet {
		language = asked
		if err := c.config.Sessions.SetLanguage(ctx, who.ID, language); err != nil {
			c.fail(g, nil, err)
			return nil, false
		}
	}
	if c.words[language] == nil {
		language = c.config.Language
	}
	return &visit{
		Visitor: who, Name: c.config.Chat.NameOf(ctx, who.OpenID), CSRF: c.config.Sessions.FormToken(cookie), words: c.words[language],
	}, true
}

// strange counts a token that nobody was given, and answers if there are too many.
func (c *Console) strange(g *gin.Context) (tooMany bool) {
	if !c.config.Sessions.Strange(g.Request.Context()) {
		return false
	}
	g.Header("Retry-After", "60")
	c.refuse(g, nil, http.StatusTooManyRequests, "outside")
	return true
}

// ours tells whether a form was sent by one of our pages in this session. If not, it
// answers.
func (c *Console) ours(g *gin.Context, s *visit) bool {
	from, site := g.GetHeader("Origin"), g.GetHeader("Sec-Fetch-Site")
	switch {
	case from != "" && from != c.config.Sessions.Origin(), site != "" && site != "same-origin", from == "" && site == "":
		c.refuse(g, s, http.StatusForbidden, "foreign")
		return false
	}
	err := g.Request.ParseForm()
	if err == nil {
		err = g.Request.ParseMultipartForm(maxForm)
	}
	var large *http.MaxBytesError
	switch {
	case err == nil, errors.Is(err, http.ErrNotMultipart):
	case errors.As(err, &large):
		c.refuse(g, s, http.StatusRequestEntityTooLarge, "too_large")
		return false
	default:
		c.refuse(g, s, http.StatusBadRequest, "form")
		return false
	}
	if subtle.ConstantTimeCompare([]byte(g.PostForm("csrf")), []byte(s.CSRF)) != 1 {
		c.refuse(g, s, http.StatusForbidden, "foreign")
		return false
	}
	return true
}

// prefetched tells whether a browser looks at an address before anybody has asked it to.
func prefetched(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if value := strings.ToLower(r.Header.Get(name)); strings.Contains(value, "prefetch") || strings.Contains(value, "preview") {
			return true
		}
	}
	return false
}

// posted is what a form brings along, which ours has read.
func posted(g *gin.Context) url.Values {
	return g.Request.PostForm //nolint:forbidigo // the field of that name
}
