package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/handlers/console"
	"wechat-broadcast/models"
)

// guarded makes sure that an answer keeps itself to itself.
func (p page) guarded(t testing.TB, what string) {
	t.Helper()
	h := p.Header()
	policy := h.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("%s: the policy %q lacks %s", what, policy, part)
		}
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin", "X-Robots-Tag": "noindex",
	} {
		if h.Get(name) != want {
			t.Errorf("%s: %s is %q", what, name, h.Get(name))
		}
	}
	isAsset := p.Code == 200 && strings.Contains(what, "/assets/")
	if cached := h.Get("Cache-Control"); cached != "no-store" && !isAsset {
		t.Errorf("%s: Cache-Control is %q", what, cached)
	}
	if h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%s: other origins may read it", what)
	}
}

// pathOf is an address of a route.
func pathOf(r console.Route) string {
	path := "/console" + r.Path
	for name, value := range map[string]string{":id": "1", ":openid": anna, ":name": "notice", ":token": "x"} {
		path = strings.ReplaceAll(path, name, value)
	}
	return path
}

// Each route is for those with its role, at each request anew, and for nobody else.
func TestEveryRouteAsksForItsRole(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{undo: time.Hour})
	d.say(owner, "broadcast all notice")
	people := map[string]struct {
		role   models.Role // empty for nobody in the console
		before func(b *browser)
	}{
		"viewer": {models.Viewer, nil}, "editor": {models.Editor, nil}, "sender": {models.Sender, nil}, "owner": {models.Owner, nil},
		"nobody":  {"", func(b *browser) { b.cookie = "" }},
		"forged":  {"", func(b *browser) { b.cookie = "." + strings.Repeat("A", 64) }},
		"expired": {"", func(b *browser) { b.later(12*time.Hour + time.Second) }},
		"removed": {"", func(b *browser) { b.say(owner, "admins remove "+b.openID) }},
		"out":     {"", func(b *browser) { b.say(b.openID, "console out") }},
	}
	for name, who := range people {
		for _, r := range console.Routes() {
			what := fmt.Sprintf("%s, %s %s", name, r.Method, pathOf(r))
			given, openID := who.role, anna
			switch {
			case given == models.Owner:
				openID = owner
			case given == "":
				given = models.Sender
			}
			b := d.enter(openID, given)
			form := b.form()
			ahead := d.ahead.Load()
			if who.before != nil {
				who.before(b)
			}
			var p page
			if r.Method == http.MethodPost {
				p = b.do(r.Method, pathOf(r), strings.NewReader(form.Encode()), map[string]string{
					"Content-Type": "application/x-www-form-urlencoded", "Origin": publicURL, "Sec-Fetch-Site": "same-origin",
				})
			} else {
				p = b.do(r.Method, pathOf(r), nil, map[string]string{"Sec-Fetch-Site": "same-origin"})
			}
			d.ahead.Store(ahead)
			p.guarded(t, what)
			may := r.Role == "" || who.role != "" && who.role.May(r.Role)
			switch {
			case r.Role == "":
			case !may && p.Code != http.StatusForbidden:
				t.Errorf("%s: status %d", what, p.Code)
			case may && (p.Code == http.StatusForbidden || p.Code >= http.StatusInternalServerError):
				t.Errorf("%s: status %d:\n%s", what, p.Code, p.body)
			}
			for _, secret := range []string{"0123456789abcdef0123456789abcdef", "secret ", strings.TrimPrefix(b.cookie, ".")} {
				if len(secret) > 1 && strings.Contains(p.body, secret) {
					t.Errorf("%s: the page has the secret %q", what, secret)
				}
			}
			if role := d.admins.RoleOf(t.Context(), anna); role != "" {
				d.give(anna, "")
			}
		}
	}
}

func TestALinkIsGoodOnceForItsAdmin(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before func(b *browser, link string)
		status int
	}{
		"at once":         {func(*browser, string) {}, 200},
		"in five minutes": {func(b *browser, _ string) { b.later(5*time.Minute - time.Second) }, 200},
		"later":           {func(b *browser, _ string) { b.later(5 * time.Minute) }, 403},
		"after somebody":  {func(b *browser, link string) { (&browser{desk: b.desk}).get(link).has(b.tb, 200) }, 403},
		"after a HEAD":    {func(b *browser, link string) { b.do(http.MethodHead, link, nil, nil).has(b.tb, 405) }, 200},
		"after a POST":    {func(b *browser, link string) { b.do(http.MethodPost, link, nil, nil).has(b.tb, 405) }, 200},
		"after a look ahead": {func(b *browser, link string) {
			for _, header := range []string{"Sec-Purpose", "Purpose", "X-Moz"} {
				b.do(http.MethodGet, link, nil, map[string]string{header: "prefetch;prerender"}).has(b.tb, 425)
			}
		}, 200},
		"after the role went": {func(b *browser, _ string) { b.give(anna, "") }, 403},
		"after the role went and came": {func(b *browser, _ string) {
			b.give(anna, "")
			b.give(anna, models.Viewer)
		}, 403},
		"after they went out": {func(b *browser, _ string) { b.say(anna, "console out") }, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, setup{})
			d.give(anna, models.Viewer)
			b := &browser{desk: d, openID: anna}
			link := d.link(anna)
			tt.before(b, link)
			p := b.get(link)
			p.has(t, tt.status)
			p.guarded(t, name)
			if p.Header().Get("Referrer-Policy") != "no-referrer" {
				t.Error("the link may be told to others")
			}
			if (b.cookie != "") != (tt.status == 200) {
				t.Errorf("the cookie is %q", b.cookie)
			}
			if strings.Contains(d.log.String(), strings.TrimPrefix(link, "/console/enter/")) {
				t.Error("the link is in the log")
			}
			if b.cookie != "" && strings.Contains(d.log.String(), b.cookie) {
				t.Error("the cookie is in the log")
			}
		})
	}
}

func TestOfManyAtOnceOneEntersByALink(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	link := d.link(owner)
	var all sync.WaitGroup
	statuses := make([]int, 20)
	for i := range statuses {
		all.Go(func() {
			rec := httptest.NewRecorder()
			d.handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, link, nil))
			statuses[i] = rec.Code
		})
	}
	all.Wait()
	slices.Sort(statuses)
	if statuses[0] != 200 || statuses[1] != 403 || statuses[19] != 403 {
		t.Errorf("the statuses are %v", statuses)
	}
}

// The same message gets the same link, whoever answers it, so that it need not be kept.
func TestARedeliveredConsoleGetsTheSameLink(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	first := d.sayAgain(owner, "console", "m:7")
	again := newDesk(t, setup{store: d.store}).sayAgain(owner, "console", "m:7")
	if first != again || first == d.sayAgain(owner, "console", "m:8") {
		t.Errorf("%q and %q", first, again)
	}
	d.wantReply(owner, "console", publicURL+"/console/enter/", "12 hours", "console out")
	none := newDesk(t, setup{publicURL: "-"})
	none.wantReply(owner, "console", "PUBLIC_URL")
	none.wantReply(owner, "后台", "PUBLIC_URL")
}

func TestTheCookieIsForTheConsoleAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := &browser{desk: d}
	p := b.get(d.link(owner))
	set := p.Header().Get("Set-Cookie")
	for _, part := range []string{"__Host-console=.", "; Path=/;", "Max-Age=43200", "HttpOnly", "Secure", "SameSite=Strict"} {
		if !strings.Contains(set, part) {
			t.Errorf("no %q in %q", part, set)
		}
	}
	if strings.Contains(set, "Domain") {
		t.Errorf("other hosts get it: %q", set)
	}
}

// A form that was not sent by a page of the session does nothing.
func TestAForeignFormDoesNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b, other := d.enter(anna, models.Sender), d.enter(owner, models.Owner)
	for name, tt := range map[string]struct {
		headers map[string]string
		fields  url.Values
		cookie  string
	}{
		"without a token":            {nil, url.Values{"csrf": nil}, ""},
		"with an empty token":        {nil, url.Values{"csrf": {""}}, ""},
		"with a wrong token":         {nil, url.Values{"csrf": {strings.Repeat("A", 22)}}, ""},
		"with another one's token":   {nil, url.Values{"csrf": {other.form().Get("csrf")}}, ""},
		"from another origin":        {map[string]string{"Origin": "https://evil.example.com"}, nil, ""},
		"from another scheme":        {map[string]string{"Origin": "http://wx.example.com"}, nil, ""},
		"from another port":          {map[string]string{"Origin": "https://wx.example.com:8443"}, nil, ""},
		"from a longer host":         {map[string]string{"Origin": "https://wx.example.com.evil.example"}, nil, ""},
		"from nowhere":               {map[string]string{"Origin": "null"}, nil, ""},
		"from another site":          {map[string]string{"Sec-Fetch-Site": "cross-site"}, nil, ""},
		"from a sister":              {map[string]string{"Sec-Fetch-Site": "same-site"}, nil, ""},
		"without a word where from":  {map[string]string{"Sec-Fetch-Site": "", "Origin": ""}, nil, ""},
		"the host is said otherwise": {map[string]string{"Origin": "https://evil.example.com", "X-Forwarded-Host": "evil.example.com"}, nil, ""},
		"as JSON":                    {map[string]string{"Content-Type": "application/json"}, nil, ""},
		"as plain text":              {map[string]string{"Content-Type": "text/plain"}, nil, ""},
	} {
		b.headers = tt.headers
		p := b.post("/console/logout", tt.fields)
		b.headers = nil
		if p.Code != http.StatusForbidden {
			t.Errorf("%s: status %d", name, p.Code)
		}
		p.guarded(t, name)
		b.get("/console/").has(t, 200, "Broadcasts that")
	}
	p := b.post("/console/logout?csrf="+b.form().Get("csrf"), url.Values{"csrf": nil}) // an address is no form
	p.has(t, 403)
	p = b.post("/console/logout", url.Values{"more": {strings.Repeat("x", 100_000)}})
	p.has(t, 413, "more than this form takes")
	b.get("/console/").has(t, 200)
	for _, alone := range []string{"Origin", "Sec-Fetch-Site"} { // old browsers say one of the two
		b = d.enter(owner, models.Owner)
		b.headers = map[string]string{alone: ""}
		b.post("/console/logout", nil).has(t, 200, "You are out")
	}
}

// Nothing that a request says of its host or path gets into a page or leads elsewhere.
func TestHostsAndPaths(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(owner, models.Owner)
	b.headers = map[string]string{"X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "http", "Forwarded": "host=evil.example.com"}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://evil.example.com/console/", nil)
	r.AddCookie(&http.Cookie{Name: console.CookieName, Value: b.cookie}) //nolint:gosec // a browser sends the name and the value alone
	rec := httptest.NewRecorder()
	d.handler.ServeHTTP(rec, r)
	for _, p := range []page{{rec, rec.Body.String()}, b.get("/console/")} {
		p.has(t, 200)
		if strings.Contains(p.body+fmt.Sprint(p.Header()), "evil") {
			t.Errorf("the page names the host:\n%s", p.body)
		}
	}
	for _, path := range []string{
		"/console/../console/", "/console/./", "/console//", "/console/%2e%2e/", "/console/%2e%2e/%2e%2e/wechat", "/console/enter/%2e%2e",
		"/console/enter/..%2fx", "/console/enter/", "/console/enter", "/console/enter/a/b", "/console/assets/..%2fpage.css", "/console/assets/page.css", "/console/assets/",
		"/console/%00", "/console/logout", "/console/%2f%2fevil.example.com", "/console/x?lang=<script>", "/console/;/", "/console", "/console/\\evil",
	} {
		p := b.get(path)
		if p.Code != 403 && p.Code != 404 && p.Code != 405 {
			t.Errorf("%s: status %d", path, p.Code)
		}
		if p.Header().Get("Location") != "" || strings.Contains(p.body, "<script>") || strings.Contains(p.body, "evil") {
			t.Errorf("%s leads to %q\n%s", path, p.Header().Get("Location"), p.body)
		}
		p.guarded(t, path)
	}
	for _, path := range []string{"//console/", "/CONSOLE/", "/x/../console/"} {
		if p := b.get(path); p.Code != 404 && p.Code != 403 {
			t.Errorf("%s: status %d", path, p.Code)
		}
	}
}

// Guessing is bounded for all together, and whoever has a session or a link does not feel it.
func TestGuessingIsBounded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(owner, models.Owner)
	last := map[int]int{}
	for i := range 200 {
		guess := &browser{desk: d, cookie: fmt.Sprintf(".%064d", i)}
		path := "/console/"
		if i%2 == 1 {
			guess.cookie, path = "", fmt.Sprintf("/console/enter/%064d", i)
		}
		p := guess.get(path)
		p.guarded(t, path)
		last[p.Code]++
	}
	if last[403] != 60 || last[429] != 140 {
		t.Errorf("the statuses are %v", last)
	}
	b.get("/console/").has(t, 200)
	(&browser{desk: d}).get(d.link(owner)).has(t, 200)
	(&browser{desk: d}).get("/console/").has(t, 403)
	if n := strings.Count(d.log.String(), "somebody guesses"); n != 1 {
		t.Errorf("the log says %d times that somebody guesses", n)
	}
	d.later(time.Minute)
	(&browser{desk: d, cookie: "." + strings.Repeat("A", 64)}).get("/console/").has(t, 403)
	if !strings.Contains(d.log.String(), "tries=200") {
		t.Error("the log has not how often")
	}
}

// Of several accounts on one server, none takes what another one gave.
func TestAccountsKnowTheirOwnAlone(t *testing.T) {
	t.Parallel()
	books := newDesk(t, setup{name: "books"})
	music := newDesk(t, setup{name: "music", more: []*desk{books}, language: "zh"})
	books.handler = music.handler
	inMusic, inBooks := music.enter(owner, models.Owner), books.enter(owner, models.Owner)
	if !strings.HasPrefix(inMusic.cookie, "music.") || !strings.HasPrefix(inBooks.cookie, "books.") {
		t.Errorf("the cookies are %q and %q", inMusic.cookie, inBooks.cookie)
	}
	inMusic.get("/console/").has(t, 200, "还没有结束的群发")
	inBooks.get("/console/").has(t, 200, "Broadcasts that have not ended")
	forged := &browser{desk: music, cookie: "music." + strings.TrimPrefix(inBooks.cookie, "books.")}
	forged.get("/console/").has(t, 403)
	inBooks.get(inBooks.link(owner)).has(t, 200)
	for openID, d := range map[string]*desk{"music": music, "books": books} {
		if n := strings.Count(d.log.String(), "an admin entered the console"); n < 1 {
			t.Errorf("nobody entered %s", openID)
		}
	}
	// A session of one does not end with that of the other.
	music.say(owner, "console out")
	inMusic.get("/console/").has(t, 403)
	inBooks.get("/console/").has(t, 200)
}

// An owner who is taken out of the settings is out of the console with the next start, also
// if they come back.
func TestAFormerOwnerIsOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{owners: []string{owner, ben}})
	b := d.enter(owner, models.Owner)
	link, line := d.link(owner), d.prepare(owner, toAll)
	next := newDesk(t, setup{store: d.store, owners: []string{ben}})
	b.desk = next
	b.get("/console/").has(t, 403)
	if err := next.sessions.EndStrangers(t.Context()); err != nil {
		t.Fatal(err)
	}
	back := newDesk(t, setup{store: d.store, owners: []string{owner, ben}})
	(&browser{desk: back}).get(link).has(t, 403)
	back.wantReply(owner, line, "nothing of yours")
}

func TestConsoleOutEndsEverything(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	one, two := d.enter(owner, models.Owner), d.enter(owner, models.Owner)
	anna := d.enter(anna, models.Viewer)
	d.wantReply(owner, "后台退出", "2 sessions")
	one.get("/console/").has(t, 403)
	two.get("/console/").has(t, 403)
	anna.get("/console/").has(t, 200)
	d.wantReply(owner, "console out", "0 sessions")
}
