package sessions_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/sessions"
)

const anna = "oAnna0-0000000000000000000-A"

// roles are those of a test.
type roles struct {
	of      map[string]models.Role
	unknown bool
}

func (r *roles) RoleOf(_ context.Context, openID string) models.Role { return r.of[openID] }

func (r *roles) Known(context.Context) bool { return !r.unknown }

func newService(tb testing.TB, store *models.Store, r *roles, edits ...func(*sessions.Config)) *sessions.Service {
	tb.Helper()
	c := sessions.Config{Store: store, Roles: r, Secret: "secret", PublicURL: "https://wx.example.com", Now: time.Now, Log: modelstest.Log(tb)}
	for _, edit := range edits {
		edit(&c)
	}
	s, err := sessions.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// A session that the roles can't be asked for is not ended, and lets nobody in.
func TestASessionOutlastsADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	r := &roles{of: map[string]models.Role{anna: models.Viewer}}
	s := newService(t, modelstest.SQLite(t), r)
	link, err := s.Link(t.Context(), anna, "m:1")
	if err != nil {
		t.Fatal(err)
	}
	cookie, who, err := s.Enter(t.Context(), link[strings.LastIndex(link, "/")+1:])
	if err != nil || who.Role != models.Viewer {
		t.Fatalf("%+v, %v", who, err)
	}
	r.of, r.unknown = nil, true
	if who, err := s.Visitor(t.Context(), cookie); who != nil || err == nil {
		t.Errorf("while the roles are not known: %+v, %v", who, err)
	}
	r.of, r.unknown = map[string]models.Role{anna: models.Editor}, false
	if who, err := s.Visitor(t.Context(), cookie); err != nil || who == nil || who.Role != models.Editor {
		t.Errorf("with another role: %+v, %v", who, err)
	}
	r.of = nil
	for range 2 {
		if who, err := s.Visitor(t.Context(), cookie); who != nil || err != nil {
			t.Errorf("without a role: %+v, %v", who, err)
		}
		r.of = map[string]models.Role{anna: models.Editor} // it has ended
	}
}

// What was made with another secret, for another account or for another purpose is nothing.
func TestWhatOthersMadeIsNothing(t *testing.T) {
	t.Parallel()
	store, r := modelstest.SQLite(t), &roles{of: map[string]models.Role{anna: models.Owner}}
	s := newService(t, store, r)
	link, err := s.Link(t.Context(), anna, "m:1")
	if err != nil {
		t.Fatal(err)
	}
	token := link[strings.LastIndex(link, "/")+1:]
	for name, edit := range map[string]func(*sessions.Config){
		"another secret": func(c *sessions.Config) { c.Secret = "other" },
		"another name":   func(c *sessions.Config) { c.Account, c.Secret = "books", "books secret" },
	} {
		other := newService(t, store, r, edit)
		if other.MadeLink(token) {
			t.Errorf("%s: the link is taken", name)
		}
		var e *models.Error
		if _, _, err := other.Enter(t.Context(), token); !errors.As(err, &e) || e.Code != models.ErrConsoleLink {
			t.Errorf("%s: %v", name, err)
		}
	}
	cookie, _, err := s.Enter(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"the link": "." + token, "without the dot": strings.TrimPrefix(cookie, "."), "of another account": "books" + cookie,
		"with a line break": cookie[:20] + "\n" + cookie[20:], "longer": cookie + "A", "padded": cookie + "=",
	} {
		if s.MadeCookie(value) {
			t.Errorf("%s is taken for a cookie", name)
		}
		if who, err := s.Visitor(t.Context(), value); who != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	if !s.MadeCookie(cookie) || s.MadeLink(strings.TrimPrefix(cookie, ".")) {
		t.Error("a cookie is not what it is")
	}
	if s.FormToken(cookie) == s.FormToken(cookie+"x") || strings.Contains(cookie, s.FormToken(cookie)) {
		t.Error("the token of a form tells the cookie")
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{
		"": "", "https://wx.example.com": "https://wx.example.com", "https://WX.example.com:443/a/b": "https://wx.example.com",
		"http://127.0.0.1:8080": "http://127.0.0.1:8080", "http://x.example.com:80": "http://x.example.com", "https://x.example.com:80": "https://x.example.com:80",
		"https://[::1]:8443": "https://[::1]:8443",
	} {
		s := newService(t, nil, &roles{}, func(c *sessions.Config) { c.PublicURL = public })
		if got := s.Origin(); got != want {
			t.Errorf("%q: %q, want %q", public, got, want)
		}
	}
}

// Whatever comes as a link or a cookie, only what was made is taken, in one form only.
func FuzzTokens(f *testing.F) {
	r := &roles{of: map[string]models.Role{anna: models.Owner}}
	s := newService(f, modelstest.SQLite(f), r)
	link, err := s.Link(f.Context(), anna, "m:1")
	if err != nil {
		f.Fatal(err)
	}
	token := link[strings.LastIndex(link, "/")+1:]
	cookie, _, err := s.Enter(f.Context(), token)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", ".", "a.b.c", token, cookie, token[:63] + "B", strings.Repeat("A", 64), cookie + "\r\n", "." + strings.Repeat("=", 64)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s.MadeLink(text) && text != token {
			t.Errorf("%q is taken for a link", text)
		}
		if s.MadeCookie(text) && text != cookie {
			t.Errorf("%q is taken for a cookie", text)
		}
	})
}
