package handlers

import (
	"context"
	"encoding/csv"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/web"
)

// gallery is the pages of a broadcast that a test makes up, on a database with its
// failures.
type gallery struct {
	*account
	pages *Pages
	links *Links
	store *models.Store

	mu     sync.Mutex
	status broadcast.Status
	err    error
	reads  int
	now    time.Time
	begun  time.Time // when the clock was started; zero while it stands still
}

func newGallery(tb testing.TB) *gallery {
	tb.Helper()
	g := &gallery{store: newStore(tb), now: testNow}
	start := testNow.Add(-time.Minute)
	g.status = broadcast.Status{
		Broadcast: models.Broadcast{
			ID: 7, Name: "notice <b>", Audience: models.AudienceAll, State: models.Running, Recipients: 10_000,
			AskedBy: testSender, AskedAt: models.At(start.Add(-10 * time.Second)), StartedAt: models.At(start), PlannedAt: models.At(start),
		},
		Counts: models.Counts{Accepted: 1000, Delivered: 3000, Blocked: 20, Failed: 2, Uncertain: 1, Sending: 64},
		Rate:   98.4, Left: 61 * time.Second,
	}
	var err error
	if g.links, err = NewLinks("https://p.example.com", "secret", testToken, g.clock); err != nil {
		tb.Fatal(err)
	}
	quiet := modelstest.Log(tb)
	live := g.feeds(tb, quiet)
	g.pages, err = NewPages(PagesConfig{
		Links: g.links, Store: g.store, Engine: galleryEngine{g}, Progress: live, Language: "en", Now: g.clock, Log: quiet,
	})
	if err != nil {
		tb.Fatal(err)
	}
	g.account = newAccount(tb, func(c *setup) { c.pages = g.pages })
	g.fill(tb)
	return g
}

// feeds returns the live state of the broadcast.
func (g *gallery) feeds(tb testing.TB, log *slog.Logger) *progress.Feeds {
	tb.Helper()
	live, err := progress.New(progress.Config{
		Store: g.store, Engine: galleryEngine{g}, Platform: galleryPlatform{}, Language: "en", Now: g.clock, Log: log,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(live.Close)
	return live
}

// galleryEngine stands in for the engine.
type galleryEngine struct{ g *gallery }

func (e galleryEngine) Status(_ context.Context, id int64) (*broadcast.Status, error) {
	e.g.mu.Lock()
	defer e.g.mu.Unlock()
	e.g.reads++
	if id != e.g.status.Broadcast.ID {
		return nil, models.NewError(models.NotFound, models.ErrBroadcastUnknown, "ID", id)
	}
	st := e.g.status
	return &st, e.g.err
}

func (e galleryEngine) List(context.Context, int) ([]broadcast.Status, error) {
	e.g.mu.Lock()
	defer e.g.mu.Unlock()
	return []broadcast.Status{e.g.status}, e.g.err
}

func (galleryEngine) Preview(context.Context, models.Broadcast) (wechat.Message, error) {
	return wechat.Message{TemplateID: "T1", URL: "https://example.com", Data: []wechat.Field{
		{Key: "thing1", Value: "Closed <Wednesday>"}, {Key: "time2", Value: "09:00"},
	}}, nil
}

// galleryPlatform stands in for the platform.
type galleryPlatform struct{}

func (galleryPlatform) KnownTemplates(context.Context, time.Duration) ([]wechat.Template, time.Time, error) {
	return []wechat.Template{{ID: "T1", Title: "Library notice", Content: "What: {{thing1.DATA}}\nWhen: {{time2.DATA}}"}}, testNow, nil
}

// fill stores the failures of the broadcast.
func (g *gallery) fill(tb testing.TB) {
	tb.Helper()
	outcomes := []models.Outcome{
		{State: models.FailedFor, ErrCode: 43004, Detail: "=HYPERLINK(\"http://evil\") rid: 1"},
		{State: models.FailedFor, Detail: "failed: system failed"},
		{State: models.Uncertain, ErrCode: -1, Detail: "system error"},
		{State: models.Delivered, MsgID: 5},
	}
	for i := range outcomes {
		err := g.store.ChangeRecipient(tb.Context(), modelstest.OpenID(i), func(r *models.Recipient) { r.Subscribed = true })
		if err != nil {
			tb.Fatal(err)
		}
		o := &outcomes[i]
		o.BroadcastID, o.RecipientID, o.Attempts = 7, int64(i+1), 1
		o.SentAt = testNow.Add(-time.Minute + time.Duration(10*i)*time.Second)
	}
	if err := g.store.RecordOutcomes(tb.Context(), outcomes, testNow); err != nil {
		tb.Fatal(err)
	}
}

func (g *gallery) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.begun.IsZero() {
		return g.now
	}
	return g.now.Add(time.Since(g.begun))
}

// run starts the clock.
func (g *gallery) run() { g.change(func() { g.begun = time.Now() }) }

// change changes the state of the broadcast, or the clock.
func (g *gallery) change(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

// token returns a valid token for a broadcast.
func (g *gallery) token(id int64) string {
	return g.links.token(link{linkBroadcast, id, testNow.Add(linkLasts)})
}

func (g *gallery) get(path string) *httptest.ResponseRecorder {
	return g.do(http.MethodGet, path, http.NoBody)
}

// expire moves the clock on so that the next page reads the database.
func (g *gallery) expire() { g.change(func() { g.now = g.now.Add(2 * time.Second) }) }

func TestProgressPage(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	rec := g.get("/b/" + g.token(7))
	if rec.Code != http.StatusOK {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	page := rec.Body.String()
	for _, want := range []string{
		`<html lang="en">`, "Broadcast #7", "notice &lt;b&gt;", "all followers", "Running", "40.2%", "4,023 of 10,000",
		"98 a second", "about 61 s left", `aria-valuenow="40.2"`, `>3,000<`, `>1,000<`, `>5,977<`,
		"Library notice", "<dt>What</dt><dd>Closed &lt;Wednesday&gt;</dd>", "Details",
		"No longer follows", "error 43004", "WeChat failed to deliver it", "The outcome was lost", "error -1",
		`data-events="` + g.token(7) + `/events"`, "/failed.csv", `d="M0.0`, "Link expires 12-01 17:00",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{modelstest.OpenID(0), testSender, "notice <b>", "style=", "<script>", "https://", "//p."} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
	zh := g.get("/b/" + g.token(7) + "?lang=zh").Body.String()
	for _, want := range []string{`<html lang="zh">`, "群发 #7", "进行中", "每秒 98 条 · 约剩 61 秒", "已取消关注", "/events?lang=zh", "/failed.csv?lang=zh"} {
		if !strings.Contains(zh, want) {
			t.Errorf("the Chinese page lacks %q", want)
		}
	}
	g.expire()
	g.change(func() {
		g.status.Broadcast.State, g.status.Broadcast.Reason = models.Paused, models.ReasonAccount
		g.status.Broadcast.Detail = "40249 blocked"
	})
	paused := g.get("/b/" + g.token(7)).Body.String()
	for _, want := range []string{"Paused", "WeChat restricts the account", "Blocked as illegal content (WeChat error 40249)", "WeChat&#39;s words: 40249 blocked", "mp.weixin.qq.com"} {
		if !strings.Contains(paused, want) {
			t.Errorf("the page of the paused one lacks %q", want)
		}
	}
}

// All routes below /b have them.
func TestPagesSetProtectiveHeaders(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	asset := regexp.MustCompile(`assets/page\.\w+\.css`).FindString(g.get("/b/" + g.token(7)).Body.String())
	for _, path := range []string{
		g.token(7), g.token(7) + "/failed.csv", strings.TrimPrefix(g.links.History(), "https://p.example.com/b/"),
		"lost", "lost/events", "lost/other", asset,
	} {
		rec := g.get("/b/" + path)
		for name, want := range map[string]string{
			"Content-Security-Policy": web.Policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "no-referrer", "Set-Cookie": "",
		} {
			if got := rec.Header().Get(name); got != want {
				t.Errorf("%s of %s: %q", name, path, got)
			}
		}
		cached := "no-store"
		if path == asset {
			cached = "public, max-age=31536000, immutable"
		}
		if got := rec.Header().Get("Cache-Control"); got != cached {
			t.Errorf("Cache-Control of %s: %q", path, got)
		}
	}
	if strings.Contains(web.Policy, "unsafe") {
		t.Error("the policy allows what it should forbid")
	}
}

// The answer is the same whatever is wrong with the link, and the log does not
// contain the link.
func TestInvalidLinksAreNotFound(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	good := g.token(7)
	lost := map[string]string{
		"unknown broadcast": g.token(8), "tampered": "A" + good[1:], "cut": good[:len(good)-1],
		"expired":   g.links.token(link{linkBroadcast, 7, testNow}),
		"no kind":   g.links.token(link{'x', 7, testNow.Add(time.Hour)}),
		"nonsense":  "nonsense",
		"far below": "a",
	}
	want := g.get("/b/nonsense").Body.String()
	if !strings.Contains(want, "leads nowhere") || !strings.Contains(want, "broadcast status") {
		t.Errorf("the answer to a lost link is not friendly:\n%s", want)
	}
	for name, token := range lost {
		rec := g.get("/b/" + token)
		if rec.Code != http.StatusNotFound || rec.Body.String() != want {
			t.Errorf("%s: status %d, %d bytes; want 404 and the page of any other", name, rec.Code, rec.Body.Len())
		}
		for _, below := range []string{"/events", "/failed.csv", "/else"} {
			rec := g.get("/b/" + token + below)
			if rec.Code != http.StatusNotFound || !strings.Contains(rec.Body.String(), "leads nowhere") {
				t.Errorf("%s%s: status %d", name, below, rec.Code)
			}
			if !strings.Contains(rec.Body.String(), `href="../assets/page.`) {
				t.Errorf("%s%s: the styles are looked for elsewhere", name, below)
			}
		}
	}
	history := g.links.token(link{linkHistory, 0, testNow.Add(time.Hour)})
	if rec := g.get("/b/" + history + "/failed.csv"); rec.Code != http.StatusNotFound {
		t.Errorf("the history's link opens a list: %d", rec.Code)
	}
	for _, token := range append(slices.Collect(maps.Values(lost)), history, good) {
		if len(token) > 20 && strings.Contains(g.log.String(), token) {
			t.Errorf("the log has the token %s", token)
		}
	}
}

func TestHistoryPage(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	address := strings.TrimPrefix(g.links.History(), "https://p.example.com")
	page := g.get(address).Body.String()
	for _, want := range []string{"Broadcasts", "#7", "Running", "4,020 of 10,000 accepted", "all followers", "<dt>Failed</dt><dd>2</dd>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the history lacks %q", want)
		}
	}
	found := regexp.MustCompile(`<h2><a href="([^"]+)">`).FindStringSubmatch(page)
	if found == nil {
		t.Fatal("the history leads nowhere")
	}
	if rec := g.get("/b/" + found[1]); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "Broadcast #7") {
		t.Errorf("the history's link answers %d", rec.Code)
	}
	g.change(func() { g.now = testNow.Add(linkLasts) })
	for _, path := range []string{address, "/b/" + found[1]} {
		if rec := g.get(path); rec.Code != http.StatusNotFound {
			t.Errorf("%s has not expired: %d", path, rec.Code)
		}
	}
}

func TestFailedCSV(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	rec := g.get("/b/" + g.token(7) + "/failed.csv")
	if got := rec.Header().Get("Content-Disposition"); got != `attachment; filename="broadcast-7-failed.csv"` {
		t.Errorf("the file's name: %q", got)
	}
	text, found := strings.CutPrefix(rec.Body.String(), byteOrderMark)
	if !found {
		t.Error("a spreadsheet would not know that it is UTF-8")
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"OpenID", "State", "Error code", "Cause", "WeChat's words", "Attempts", "Sent at (Beijing)"},
		{modelstest.OpenID(0), "failed", "43004", "No longer follows", `'=HYPERLINK("http://evil") rid: 1`, "1", "2026-11-24 16:59:00"},
		{modelstest.OpenID(1), "failed", "", "WeChat failed to deliver it", "failed: system failed", "1", "2026-11-24 16:59:10"},
		{modelstest.OpenID(2), "uncertain", "-1", "The outcome was lost", "system error", "1", "2026-11-24 16:59:20"},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
}

func TestCSVCellsAreNoFormulas(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "|calc", "\n=2"} {
		if got := Cell(evil); got != "'"+evil {
			t.Errorf("%q became %q", evil, got)
		}
	}
	for _, plain := range []string{"", " ", "oia2TjuEGTNoeX76QEjQNrcURxG8", "system error", "图书馆", "1=1"} {
		if got := Cell(plain); got != plain {
			t.Errorf("%q became %q", plain, got)
		}
	}
}

// The page says that the database is away, and nothing of the cause.
func TestPagesWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	g.change(func() { g.err = errors.New("dial tcp 10.0.0.1:3306: refused") })
	for _, path := range []string{"", "/events", "/failed.csv"} {
		rec := g.get("/b/" + g.token(7) + path)
		if rec.Code != http.StatusServiceUnavailable || strings.Contains(rec.Body.String(), "10.0.0.1") ||
			!strings.Contains(rec.Body.String(), "Not available right now") {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
}

// As many event streams as there may be are open.
func TestTooManyStreamsAreRefused(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	server := httptest.NewServer(g.account)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ask := func() (status int, again string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/b/"+g.token(7)+"/events", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp.StatusCode, resp.Header.Get("Retry-After")
	}
	for range progress.MaxStreams {
		if status, _ := ask(); status != http.StatusOK {
			t.Fatalf("a stream is answered %d", status)
		}
	}
	if status, again := ask(); status != http.StatusServiceUnavailable || again == "" {
		t.Errorf("one too many is answered %d, again after %q", status, again)
	}
}

// wordsIn returns the words of pages in a language.
func wordsIn(t *testing.T, language string) *progress.Words {
	t.Helper()
	w, err := progress.NewWords(language, modelstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	return w
}
