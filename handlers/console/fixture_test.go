package console_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/handlers"
	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/handlers/console"
	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/admins"
	"wechat-broadcast/services/approval"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/diagnosis"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/message/messagetest"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/notify"
	"wechat-broadcast/services/sessions"
	"wechat-broadcast/services/topics"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/simulator"
)

const (
	owner     = "oOwner-0000000000000000000-A"
	anna      = "oAnna0-0000000000000000000-A"
	ben       = "oBen00-0000000000000000000-A"
	publicURL = "https://wx.example.com"

	messageFile = `
default: notice
messages:
  notice:
    template_id: ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY
    data:
      thing1: {value: "图书馆周三闭馆"}
      time2: {value: '{{.Now.Format "2006年1月2日 15:04"}}'}
      keyword3: {value: "请相互转告"}
  other:
    template_id: ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY
    data:
      thing1: {value: "图书馆周四闭馆"}
      time2: {value: "09:00"}
      keyword3: {value: "请相互转告"}
`
)

// setup is what a desk differs in.
type setup struct {
	name      string // of the account
	language  string // en if empty
	publicURL string // publicURL if empty, none if "-"
	followers int
	// store is a database that is there already; a new one if nil.
	store  *models.Store
	owners []string // owner if nil
	undo   time.Duration
	// examine examines the account; nil if that can't be done.
	examine func(ctx context.Context) ([]diagnosis.Point, error)
	// more are accounts on the same server, after this one.
	more []*desk
}

// desk is a server with a console: a real database, the real chat and engine, and the
// simulator for a platform, in real time.
type desk struct {
	tb       testing.TB
	handler  http.Handler
	account  *handlers.Account
	name     string
	public   string
	store    *models.Store
	sim      *simulator.Simulator
	chat     *chat.Chat
	engine   *broadcast.Engine
	admins   *admins.Service
	sessions *sessions.Service
	messages *messagetest.File
	log      *buffer
	// ahead is added to the clock of sessions and chat.
	ahead atomic.Int64
	says  atomic.Int64
}

// buffer keeps a log.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (d *desk) now() time.Time { return time.Now().Add(time.Duration(d.ahead.Load())) }

// later moves the clock on.
func (d *desk) later(by time.Duration) { d.ahead.Add(int64(by)) }

func must[T any](tb testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// newDesk returns a server with a console that runs until the test ends.
func newDesk(tb testing.TB, set setup) *desk {
	tb.Helper()
	d := &desk{tb: tb, name: set.name, public: publicURL, store: set.store, log: &buffer{}, messages: messagetest.New(tb, messageFile)}
	switch set.publicURL {
	case "":
	case "-":
		d.public = ""
	default:
		d.public = set.publicURL
	}
	if set.language == "" {
		set.language = "en"
	}
	if set.owners == nil {
		set.owners = []string{owner}
	}
	if d.store == nil {
		d.store = modelstest.SQLite(tb)
	}
	log := slog.New(slog.NewTextHandler(io.MultiWriter(d.log, tb.Output()), &slog.HandlerOptions{Level: slog.LevelDebug}))
	d.sim = must[*simulator.Simulator](tb)(simulator.New(simulator.Options{Followers: set.followers + 3, Admin: []string{owner, anna, ben}}))
	platformServer := httptest.NewServer(d.sim)
	tb.Cleanup(func() {
		platformServer.Close()
		if err := d.sim.Close(); err != nil {
			tb.Error(err)
		}
	})
	platform := wechat.New(wechat.Config{
		AppID: "wxd0a1b2c3d4e5f607", AppSecret: "0123456789abcdef0123456789abcdef", BaseURL: platformServer.URL, Now: time.Now, Log: log,
		Timeout: 5 * time.Minute, // a send that a test holds back is not given up on a slow machine
	})
	tb.Cleanup(platform.Close)
	links := must[*handlers.Links](tb)(handlers.NewLinks(d.public, "secret "+set.name, "token", d.now))
	composer := must[*chat.Composer](tb)(chat.NewComposer(set.language, links, d.now, log))
	people := followers.New(followers.Config{Store: d.store, Platform: platform, Now: time.Now, Log: log})
	tb.Cleanup(people.Close)
	source := messages.NewSource(messages.SourceConfig{Path: d.messages.Path, Language: set.language, Store: d.store, Templates: platform, Now: d.now})
	d.admins = admins.New(admins.Config{Store: d.store, Owners: set.owners, Now: time.Now, Log: log})
	d.engine = broadcast.New(broadcast.Config{
		Store: d.store, Platform: platform, Messages: source, EverPulled: people.EverPulled, Pull: people.Complete, Concurrency: 4,
		UndoWindow: set.undo, Senders: d.admins.Senders, Metrics: prometheus.NewRegistry(), Now: time.Now, Log: log,
	})
	tb.Cleanup(d.engine.Close)
	d.sessions = must[*sessions.Service](tb)(sessions.New(sessions.Config{
		Store: d.store, Roles: d.admins, Account: set.name, Secret: "secret " + set.name, PublicURL: d.public, Now: d.now, Log: log,
	}))
	ownTopics, ownLists := topics.New(topics.Config{Store: d.store, Now: d.now}), &lists.Service{Store: d.store, Now: d.now, Log: log}
	d.chat = chat.New(chat.Config{
		Roles: d.admins, Audit: d.store, Composer: composer, Engine: d.engine, Followers: people, Platform: platform,
		Notices: notify.New(notify.Config{
			Store: d.store, Platform: platform, Engine: d.engine, Admins: d.admins, Words: composer, Now: time.Now, Log: log,
		}),
		Messages: source, Replies: d.store, Topics: ownTopics, Lists: ownLists, Console: d.sessions, Log: log,
		Approvals: &approval.Desk{Store: d.store, Admins: d.admins, Start: d.engine.StartOf, Wake: d.engine.Wake, Now: time.Now, Log: log},
	})
	live := must[*progress.Feeds](tb)(progress.New(progress.Config{
		Store: d.store, Engine: d.engine, Platform: platform, Language: set.language, Now: d.now, Log: log,
	}))
	tb.Cleanup(live.Close)
	pages := must[*console.Console](tb)(console.New(console.Config{
		Sessions: d.sessions, Chat: d.chat, Store: d.store, Engine: d.engine, Messages: source, Followers: people, Topics: ownTopics,
		Lists: ownLists, Admins: d.admins, Platform: platform, Progress: live, Examine: set.examine, Language: set.language, Now: d.now, Log: log,
	}))
	d.account = &handlers.Account{Console: pages}
	places := []handlers.Place{d.place()}
	for _, other := range set.more {
		places = append(places, other.place())
	}
	d.handler = handlers.New(handlers.Config{Now: time.Now, Log: log}, places...)
	if err := people.Complete(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return d
}

func (d *desk) place() handlers.Place {
	return handlers.Place{Name: d.name, Enter: func() (*handlers.Account, func(), error) { return d.account, func() {}, nil }}
}

// run sends broadcasts until the test ends.
func (d *desk) run() {
	ctx, stop := context.WithCancel(context.Background())
	var engine sync.WaitGroup
	engine.Go(func() {
		if err := d.engine.Run(ctx); err != nil {
			d.tb.Error(err)
		}
	})
	d.tb.Cleanup(func() { stop(); engine.Wait() })
}

// say returns the chat's answer to a text.
func (d *desk) say(openID, text string) string {
	d.tb.Helper()
	return d.sayAgain(openID, text, fmt.Sprintf("m:%s:%d", openID, d.says.Add(1)))
}

// sayAgain is say with the key of a message, which may have come before.
func (d *desk) sayAgain(openID, text, key string) string {
	d.tb.Helper()
	reply, _, err := d.chat.Reply(d.tb.Context(), openID, text, key)
	if err != nil {
		d.tb.Fatalf("%q is answered %v", text, err)
	}
	return reply
}

// give gives a person a role; an empty one takes it away.
func (d *desk) give(openID string, role models.Role) {
	d.tb.Helper()
	var err error
	switch {
	case openID == owner:
	case role == "":
		_, err = d.admins.Remove(d.tb.Context(), openID)
	default:
		_, err = d.admins.Add(d.tb.Context(), openID, role, owner)
	}
	if err != nil {
		d.tb.Fatal(err)
	}
}

var linkIn = regexp.MustCompile(`https?://\S+/console/enter/(\S+)`)

// link returns the path of a link that an admin asked for in the chat.
func (d *desk) link(openID string) string {
	d.tb.Helper()
	reply := d.say(openID, "console")
	found := linkIn.FindStringSubmatch(reply)
	if found == nil {
		d.tb.Fatalf("no link in %q", reply)
	}
	return "/console/enter/" + found[1]
}

// browser is what a person looks at the console with.
type browser struct {
	*desk
	openID, cookie string
	// headers are sent with each request, in the place of those that a browser sends.
	headers map[string]string
}

// page is an answer.
type page struct {
	*httptest.ResponseRecorder
	body string
}

// enter gives a person a role and lets them in; the owner has theirs.
func (d *desk) enter(openID string, role models.Role) *browser {
	d.tb.Helper()
	d.give(openID, role)
	b := &browser{desk: d, openID: openID}
	if p := b.get(d.link(openID)); p.Code != http.StatusOK || b.cookie == "" {
		d.tb.Fatalf("the link is answered %d:\n%s", p.Code, p.body)
	}
	return b
}

// firstPart takes an answer until its first part is sent: a stream goes on for as long as
// somebody listens.
type firstPart struct {
	*httptest.ResponseRecorder
	gone func()
}

func (f firstPart) Flush() {
	f.ResponseRecorder.Flush()
	f.gone()
}

// do sends a request as a browser would and keeps its cookie.
func (b *browser) do(method, path string, body io.Reader, headers map[string]string) page {
	b.tb.Helper()
	ctx, gone := context.WithCancel(context.Background())
	defer gone()
	r := httptest.NewRequestWithContext(ctx, method, path, body)
	if b.cookie != "" {
		r.AddCookie(&http.Cookie{Name: console.CookieName, Value: b.cookie}) //nolint:gosec // a browser sends the name and the value alone
	}
	for _, more := range []map[string]string{headers, b.headers} {
		for name, value := range more {
			r.Header.Set(name, value)
			if value == "" {
				r.Header.Del(name)
			}
		}
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(firstPart{rec, gone}, r)
	for _, c := range rec.Result().Cookies() {
		if c.Name == console.CookieName {
			b.cookie = c.Value
		}
	}
	return page{rec, rec.Body.String()}
}

func (b *browser) get(path string) page {
	b.tb.Helper()
	return b.do(http.MethodGet, path, nil, map[string]string{"Sec-Fetch-Site": "same-origin"})
}

var formField = regexp.MustCompile(`name="(csrf|key)" value="([^"]+)"`)

// form returns the hidden fields of the first form of the first page, which are good for any
// form of the session.
func (b *browser) form() url.Values {
	b.tb.Helper()
	values := url.Values{}
	for _, field := range formField.FindAllStringSubmatch(b.get("/console/").body, -1) {
		values.Set(field[1], field[2])
	}
	return values
}

// post sends a form of fields, with what every form of the session brings along unless a
// field has it.
func (b *browser) post(path string, fields url.Values) page {
	b.tb.Helper()
	values := b.form()
	for name, list := range fields {
		values[name] = list
	}
	return b.do(http.MethodPost, path, strings.NewReader(values.Encode()), map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Origin": b.public, "Sec-Fetch-Site": "same-origin",
	})
}

// upload sends a form with a file in it.
func (b *browser) upload(path string, fields url.Values, name, content string) page {
	b.tb.Helper()
	values := b.form()
	for field, list := range fields {
		values[field] = list
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for field, list := range values {
		for _, v := range list {
			if err := w.WriteField(field, v); err != nil {
				b.tb.Fatal(err)
			}
		}
	}
	file := must[io.Writer](b.tb)(w.CreateFormFile(name, name+".csv"))
	if _, err := io.WriteString(file, content); err != nil {
		b.tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.tb.Fatal(err)
	}
	return b.do(http.MethodPost, path, &body, map[string]string{
		"Content-Type": w.FormDataContentType(), "Origin": b.public, "Sec-Fetch-Site": "same-origin",
	})
}

// has makes sure of a page's status and of what stands in it.
func (p page) has(t testing.TB, status int, parts ...string) {
	t.Helper()
	if p.Code != status {
		t.Errorf("status %d, want %d:\n%s", p.Code, status, p.body)
	}
	for _, part := range parts {
		if !strings.Contains(p.body, part) {
			t.Errorf("no %q in\n%s", part, p.body)
		}
	}
}
