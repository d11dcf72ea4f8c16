package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"wechat-broadcast/lang"
	"wechat-broadcast/web"
)

const (
	longestSaid = 2000 // bytes, as much as a message on a phone can have
	bodyLimit   = 8 << 10
	mostViewers = 32
	beatEvery   = 10 * time.Second
	writeWithin = 10 * time.Second
	closeWithin = time.Second
)

// site serves the phones to browsers on this machine. The path begins with a
// secret, so that only who has seen the address can read or say anything; the
// Host and Origin of requests are checked, so that no page of another site can.
type site struct {
	demo      *Account
	secret    string
	host      string // 127.0.0.1 with the port
	templates *template.Template
	assets    map[string]web.Asset // by the name that they are served as
	server    *http.Server
	// ctx ends when the site closes.
	ctx    context.Context
	cancel context.CancelFunc
	served chan struct{}
}

// newSite starts to serve. close must follow.
func newSite(ctx context.Context, d *Account) (*site, error) {
	templates, assets, err := web.Pages()
	if err != nil {
		return nil, err
	}
	s := &site{demo: d, secret: rand.Text(), templates: templates, assets: assets, served: make(chan struct{})}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the browser: %w", err)
	}
	s.host = listener.Addr().String()
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.server = &http.Server{
		Handler: s.guarded(s.routes()), MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
	}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(listener) // it ends with close; without it the chat on the terminal goes on
	}()
	return s, nil
}

// close ends it, open pages included.
func (s *site) close() {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), closeWithin)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close()
	}
	<-s.served
}

// address is what to open in a browser.
func (s *site) address() string { return "http://" + s.host + "/" + s.secret + "/" }

func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /assets/{name}", s.asset)
	mux.HandleFunc("GET /events", s.events)
	mux.HandleFunc("POST /say", s.say)
	mux.HandleFunc("POST /switch", s.turn)
	mux.HandleFunc("POST /right", s.right)
	return mux
}

// guarded lets through what comes from the page itself, or opens it.
func (s *site) guarded(next http.Handler) http.Handler {
	inside := http.StripPrefix("/"+s.secret, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		web.Guard(w.Header())
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.Host != s.host { // a name that was made to lead here
			http.Error(w, "misdirected", http.StatusMisdirectedRequest)
			return
		}
		secret, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if subtle.ConstantTimeCompare([]byte(secret), []byte(s.secret)) != 1 || !strings.HasPrefix(r.URL.Path, "/"+s.secret+"/") {
			http.NotFound(w, r)
			return
		}
		if !s.fromPage(r, rest == "") {
			http.Error(w, "not from this page", http.StatusForbidden)
			return
		}
		inside.ServeHTTP(w, r)
	})
}

// fromPage tells whether a request comes from the page itself. The page may be
// opened from anywhere; what changes something must name its origin.
func (s *site) fromPage(r *http.Request, page bool) bool {
	if r.Method == http.MethodPost {
		return r.Header.Get("Origin") == "http://"+s.host
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return true
	}
	return page && r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

func (s *site) language(r *http.Request) string {
	if asked := r.URL.Query().Get("lang"); slices.Contains(lang.Languages, asked) {
		return asked
	}
	return s.demo.options.Language
}

func (s *site) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.Type)
	_, _ = w.Write(a.Content)
}

// phonePage is what the template "phone" shows.
type phonePage struct {
	words
	Lang, OtherLang, Title, Root string
	Lead, Account                string
	Phones                       []onePhone
	Kinds                        []string
	Faults, Lin                  []string // switches
}

// Label is what the button of a quick line shows: its first line.
func (phonePage) Label(line string) string {
	first, _, more := strings.Cut(line, "\n")
	if more {
		first += " …"
	}
	return first
}

type onePhone struct {
	ID, Owner string
	Quick     []string
}

func (s *site) page(out http.ResponseWriter, r *http.Request) {
	language := s.language(r)
	w := s.demo.languages[language]
	p := phonePage{
		words: w, Lang: language, OtherLang: w.Other(),
		Title: w.Say("phone.title"), Kinds: barKinds(),
		Lead: w.Say("phone.lead", lang.Vars{"N": s.demo.options.Followers}), Account: w.Say("phone.account." + s.demo.place),
		Faults: switches()[:4], Lin: switches()[4:],
	}
	for _, id := range []string{phoneAdmin, phoneLin} {
		p.Phones = append(p.Phones, onePhone{id, w.Say("phone.owner." + id), quick(language, id)})
	}
	var b bytes.Buffer
	if err := s.templates.ExecuteTemplate(&b, "phone", p); err != nil {
		http.Error(out, "the page could not be made", http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = out.Write(b.Bytes())
}

// say takes what someone writes on one of the phones. The answer comes as an
// event.
func (s *site) say(w http.ResponseWriter, r *http.Request) {
	var said struct{ Phone, Text string }
	if !decode(w, r, &said) {
		return
	}
	openID := map[string]string{phoneAdmin: s.demo.ids.admin, phoneLin: s.demo.ids.lin}[said.Phone]
	text := strings.TrimSpace(clean(said.Text))
	if openID == "" || text == "" || len(text) > longestSaid || !utf8.ValidString(text) {
		http.Error(w, "nothing to say", http.StatusBadRequest)
		return
	}
	select {
	case s.demo.asks <- ask{s.demo, s.demo.person(openID), text}:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too much was said at once", http.StatusServiceUnavailable)
	}
}

func (s *site) turn(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		Name string
		On   bool
	}
	if decode(w, r, &wanted) {
		s.answer(w, s.demo.turn(r.Context(), wanted.Name, wanted.On))
	}
}

func (s *site) right(w http.ResponseWriter, r *http.Request) {
	var nothing struct{}
	if decode(w, r, &nothing) {
		s.answer(w, s.demo.putRight(r.Context()))
	}
}

func (s *site) answer(w http.ResponseWriter, err error) {
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, errNoSwitch):
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		http.Error(w, "the platform did not take it", http.StatusBadGateway)
	}
}

// decode reads the JSON of a request, or refuses it.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "JSON is wanted", http.StatusUnsupportedMediaType)
		return false
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit)).Decode(into)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		http.Error(w, "too long", http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(w, "not the JSON that is wanted", http.StatusBadRequest)
	}
	return err == nil
}

// events streams the chats and what is beside them to a page: what it has not
// seen yet, then whatever is new.
func (s *site) events(w http.ResponseWriter, r *http.Request) {
	end, ok := s.demo.phones.watch()
	if !ok {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer end()
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // it is for requests that end
	words := s.demo.languages[s.language(r)]
	after, _ := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	seen := int64(-1)
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		entries, state, version, changed := s.demo.phones.news(after, seen, words.Language)
		var b bytes.Buffer
		for _, e := range entries {
			data, _ := json.Marshal(words.entry(e)) // strings and numbers always encode
			fmt.Fprintf(&b, "id: %d\nevent: entry\ndata: %s\n\n", e.number, data)
			after = e.number
		}
		if state != nil {
			fmt.Fprintf(&b, "event: state\ndata: %s\n\n", state)
		}
		seen = version
		if b.Len() == 0 {
			b.WriteString(": beat\n\n")
		}
		_ = control.SetWriteDeadline(time.Now().Add(writeWithin))
		if _, err := w.Write(b.Bytes()); err != nil || control.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-beat.C:
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}
