package handlers

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/lang"
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
	g.pages, err = NewPages(PagesConfig{
		Links: g.links, Store: g.store, Language: "en", Now: g.clock, Log: quiet,
		Engine: galleryEngine{g}, Platform: galleryPlatform{},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(g.pages.Close)
	g.account = newAccount(tb, func(c *setup) { c.pages = g.pages })
	g.fill(tb)
	return g
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
func (g *gallery) expire() { g.change(func() { g.now = g.now.Add(2 * pollEvery) }) }

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

// wordsIn returns the words of pages in a language.
func wordsIn(t *testing.T, language string) *words {
	t.Helper()
	w, err := newWords(language, modelstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestEveryCodeHasWords reads the platform's codes from the client's table.
func TestEveryCodeHasWords(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../services/wechat/outcome.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`(?m)^\t(-?\d+):\s+\{`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 50 {
		t.Fatalf("found %d codes only", len(codes))
	}
	for _, language := range lang.Languages {
		w := wordsIn(t, language)
		unknown := w.cause(models.FailedFor, 1, "") // the platform has no such code
		for _, match := range codes {
			code, err := strconv.Atoi(match[1])
			if err != nil {
				t.Fatal(err)
			}
			// The platform's documents do not explain it.
			unexplained := code == 40264 || code == 89501
			if known := w.cause(models.FailedFor, code, "") != unknown; code != 0 && known == unexplained {
				t.Errorf("%s: code %d has words: %t", language, code, known)
			}
		}
	}
}

// TestEveryStateHasWords words every state with every reason.
func TestEveryStateHasWords(t *testing.T) {
	t.Parallel()
	key := regexp.MustCompile(`^[a-z_]+\.[a-z_]+$|\{\w+\}`)
	states := []models.BroadcastState{models.Scheduled, models.Running, models.Paused, models.Finished, models.Cancelled, models.Failed}
	reasons := []string{
		"", models.ReasonAdmin, models.ReasonQuota, models.ReasonAccount, models.ReasonCredentials,
		models.ReasonContent, models.ReasonMessage, models.ReasonStreak, models.ReasonSync, models.ReasonSyncQuota, models.ReasonNobody,
		models.ReasonGone, models.ReasonProfiles, models.ReasonInfoQuota, models.ReasonSyncShort, "unheard",
	}
	for _, language := range lang.Languages {
		w := wordsIn(t, language)
		for _, state := range states {
			for _, reason := range reasons {
				for _, started := range []time.Time{{}, testNow.Add(-30 * time.Hour)} {
					s := &snapshot{at: testNow, from: started, to: testNow, chart: chart{Line: "M0 0", max: 3}}
					s.Broadcast = models.Broadcast{
						ID: 1, State: state, Reason: reason, Detail: "words", Audience: models.AudienceRetry, OfID: 3,
						StartedAt: models.At(started), ResumeAt: models.At(testNow), NotBefore: models.At(testNow.Add(time.Second)),
					}
					for name, text := range w.view(s).Text {
						if key.MatchString(text) {
							t.Errorf("%s, %s %s: %s is %q", language, state, reason, name, text)
						}
					}
				}
			}
		}
		source, err := os.ReadFile("../web/templates/progress.html")
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`\.Say "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
			if !w.Has(match[1]) {
				t.Errorf("%s: the template says %s, which has no words", language, match[1])
			}
		}
	}
}

func TestAReasonSaysWhoseWordsItRepeats(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		w := wordsIn(t, language)
		for _, b := range []models.Broadcast{
			{State: models.Failed, Reason: models.ReasonContent, Detail: "47003 argument invalid!"},
			{State: models.Paused, Reason: models.ReasonSync, Detail: "48001 api unauthorized"},
			{State: models.Failed, Reason: models.ReasonMessage, Detail: "thing1"},
			{State: models.Paused, Reason: models.ReasonSyncQuota},
			{State: models.Paused, Reason: models.ReasonMissed},
			{State: models.Failed, Reason: models.ReasonTemplate, Detail: "thing1"},
		} {
			said := ""
			switch {
			case b.Reason == models.ReasonMessage || b.Reason == models.ReasonTemplate:
				said = w.Say("reason.field", lang.Vars{"Field": b.Detail})
			case b.Detail != "":
				said = w.Say("reason.said", lang.Vars{"Detail": b.Detail})
			}
			text := map[string]string{}
			w.reason(text, b, testNow)
			if text["said"] != said || !w.Has("todo."+b.Reason) || text["todo"] != w.Say("todo."+b.Reason) {
				t.Errorf("%s, %s: %q", language, b.Reason, text)
			}
		}
	}
}

// Recipients who are put off, and a wait that WeChat asks for, stand beside the time
// left.
func TestAPageTellsWhatABroadcastWaitsFor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		until  time.Time
		slowed bool
		zh, en string
	}{
		"put off":      {testNow.Add(time.Minute), false, "2 人暂缓：最近发得太频繁，{at} 再试", "2 put off, written to too often, tried again at {at}"},
		"put off, due": {testNow, false, "2 人暂缓：最近发得太频繁", "2 put off, written to too often"},
		"slowed":       {testNow, true, "微信要求放慢，最多等一分钟 · 2 人暂缓：最近发得太频繁", "WeChat asks to go slower: waiting for up to a minute · 2 put off, written to too often"},
	}
	for _, language := range lang.Languages {
		w := wordsIn(t, language)
		for name, test := range tests {
			s := &snapshot{at: testNow}
			s.Broadcast = models.Broadcast{ID: 1, State: models.Running, PlannedAt: models.At(testNow), Recipients: 10}
			s.Counts, s.Again, s.Slowed = models.Counts{Accepted: 8, Sending: 2, Deferred: 2}, test.until, test.slowed
			want := strings.ReplaceAll(map[string]string{"zh": test.zh, "en": test.en}[language], "{at}", lang.Clock(test.until))
			if got := w.view(s).Text["pace"]; got != want {
				t.Errorf("%s, %s: %q, want %q", language, name, got, want)
			}
		}
	}
}

func TestAPageTellsWhyABroadcastStandsStill(t *testing.T) {
	t.Parallel()
	for language, want := range map[string][3]string{
		"zh": {"4 分钟没有进展", "微信接口没有正常应答，恢复后自动继续。", "最近一次的应答：HTTP 502"},
		"en": {"no progress for 4 min", "WeChat's API gives no usable answer; it goes on by itself.", "The last answer: HTTP 502"},
	} {
		w := wordsIn(t, language)
		s := &snapshot{at: testNow}
		s.Broadcast = models.Broadcast{ID: 1, State: models.Running, PlannedAt: models.At(testNow), Recipients: 10}
		s.Counts = models.Counts{Accepted: 8}
		s.Stall = &broadcast.Stall{Since: testNow.Add(-4 * time.Minute), Reason: broadcast.StallNoAnswer, Detail: "HTTP 502"}
		text := w.view(s).Text
		if got := [3]string{text["pace"], text["reason"], text["said"]}; got != want {
			t.Errorf("%s: %q, want %q", language, got, want)
		}
		for _, reason := range []string{
			broadcast.StallLimited, broadcast.StallBusy, broadcast.StallAway, broadcast.StallRedis, broadcast.StallDatabase, broadcast.StallDisk,
		} {
			if !w.Has("stall." + reason) {
				t.Errorf("%s has no words for %q", language, reason)
			}
		}
	}
}

func TestAMissingPermissionIsNotCalledAWrongSecret(t *testing.T) {
	t.Parallel()
	reasons := map[string]map[string]string{
		"en": {"permission": "The account may not use this API (WeChat error 48001).", "credentials": "IP is not on the whitelist (WeChat error 40164)."},
		"zh": {"permission": "账号没有这个接口的权限（微信错误码 48001）。", "credentials": "IP 不在白名单里（微信错误码 40164）。"},
	}
	for _, language := range lang.Languages {
		w := wordsIn(t, language)
		for detail, kind := range map[string]string{"48001 api unauthorized": "permission", "40164 invalid ip": "credentials"} {
			text := map[string]string{}
			w.reason(text, models.Broadcast{State: models.Paused, Reason: models.ReasonCredentials, Detail: detail}, testNow)
			want := map[string]string{
				"reason": reasons[language][kind], "said": w.Say("reason.said", lang.Vars{"Detail": detail}), "todo": w.Say("todo." + kind),
			}
			if diff := cmp.Diff(want, text); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", language, diff)
			}
			if !w.Has("todo." + kind) {
				t.Errorf("%s: no words for %s", language, kind)
			}
		}
	}
}

// What was approved and did not begin within an hour of its time is not resumed: it takes
// another time.
func TestThePageOfAnApprovalThatIsLate(t *testing.T) {
	t.Parallel()
	for language, want := range map[string][]string{"en": {"not approved by its time", "reschedule"}, "zh": {"没有等到同意", "改期"}} {
		w := wordsIn(t, language)
		b := models.Broadcast{State: models.Paused, Reason: models.ReasonMissed, Approvals: 1, NotBefore: models.At(testNow.Add(-2 * time.Hour))}
		text := map[string]string{}
		w.reason(text, b, testNow)
		if !strings.Contains(text["reason"], want[0]) || !strings.Contains(text["todo"], want[1]) || strings.Contains(text["todo"], "resume") {
			t.Errorf("%s: %q", language, text)
		}
		b.Reason = models.ReasonAdmin // paused until long after its time
		w.reason(text, b, testNow)
		if text["reason"] != w.Say("reason.admin_paused") || !strings.Contains(text["todo"], want[1]) || strings.Contains(text["todo"], "resume") {
			t.Errorf("%s, paused by an admin: %q", language, text)
		}
		b.NotBefore = models.At(testNow.Add(-time.Minute))
		if w.reason(text, b, testNow); text["todo"] != w.Say("todo.admin") {
			t.Errorf("%s, paused by an admin a minute ago: %q", language, text)
		}
	}
}

func TestCurve(t *testing.T) {
	t.Parallel()
	at := func(s float64) time.Time { return testNow.Add(time.Duration(s * float64(time.Second))) }
	c := newCurve(at(0), at(9), []models.Sends{{At: models.At(at(0)), N: 100}, {At: models.At(at(1)), N: 100}, {At: models.At(at(8)), N: 200}}, time.Second)
	for s, want := range map[float64]float64{-1: 0, 0.5: 50, 1: 100, 2: 200, 5: 200, 8.5: 300, 9: 400, 20: 400} {
		if got := c.at(at(s)); got != want {
			t.Errorf("at %.1f s there are %.0f, want %.0f", s, got, want)
		}
	}
	drawn := c.draw(at(0), at(9))
	if drawn.max != 200 || !strings.HasPrefix(drawn.Line, "M0.0 40.0L37.5 40.0L75.0 79.0") || !strings.HasSuffix(drawn.Line, "L300.0 1.0") {
		t.Errorf("drawn: %+v", drawn)
	}
	if empty := c.draw(at(3), at(3)); empty.Line != "" {
		t.Errorf("nothing is drawn as %+v", empty)
	}
	for i := range 3 * maxPoints {
		c.add(at(10+float64(i)), int64(400+i))
		c.add(at(9), 1) // a late, lower one changes nothing
	}
	if len(c.points) > maxPoints {
		t.Errorf("the curve has grown to %d points", len(c.points))
	}
	for i := 1; i < len(c.points); i++ {
		if c.points[i].n < c.points[i-1].n || !c.points[i].at.After(c.points[i-1].at) {
			t.Fatalf("the curve goes back at %d: %v", i, c.points[i-1:i+1])
		}
	}
	if rate := c.rate(at(10+3*maxPoints-1), rateOver); rate < 0.9 || rate > 1.1 {
		t.Errorf("the rate is %.2f, want 1", rate)
	}
}

// askedTemplates is a platform that answers as a function does.
type askedTemplates func() ([]wechat.Template, error)

func (f askedTemplates) KnownTemplates(context.Context, time.Duration) ([]wechat.Template, time.Time, error) {
	list, err := f()
	return list, time.Now(), err
}

// TestTitlesAway shows pages without a title when the platform does not answer,
// and does not ask again at once.
func TestTitlesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		ts := newTitles(askedTemplates(func() ([]wechat.Template, error) {
			asked++
			switch asked {
			case 1, 3:
				return nil, errors.New("away")
			case 4:
				time.Sleep(titlesAsk)
			}
			return []wechat.Template{{ID: "T1", Title: fmt.Sprint("title ", asked)}}, nil
		}), slog.New(slog.DiscardHandler))
		want := func(title string) {
			t.Helper()
			begun := time.Now()
			if got := ts.find(t.Context(), "T1").Title; got != title {
				t.Errorf("the title is %q, want %q", got, title)
			}
			if time.Since(begun) > 0 {
				t.Errorf("a page waited for %v", time.Since(begun))
			}
			synctest.Wait()
		}
		for range 3 {
			want("")
		}
		time.Sleep(titlesRetry)
		want("title 2")
		want("title 2")
		for range 2 { // the platform is away, then slow
			time.Sleep(titlesLast)
			want("title 2")
			want("title 2")
		}
		time.Sleep(titlesAsk)
		synctest.Wait()
		want("title 4")
		if asked != 4 {
			t.Errorf("the platform was asked %d times", asked)
		}
	})
}
