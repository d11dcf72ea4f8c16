package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

// startSite starts a demo's platform and its page; nobody answers the chat.
func startSite(t *testing.T) (*Account, *site) {
	t.Helper()
	d, err := New(Options{Followers: 20, Accounts: 1, Language: "en", In: strings.NewReader(""), Out: io.Discard, Browser: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSite(t.Context(), d.accounts[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.close()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d.accounts[0], s
}

// ask sends a request, with what the page's own would have unless change changes
// it, and returns the answer.
func (s *site) ask(t *testing.T, method, path, body string, change func(*http.Request)) (status int, header http.Header, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Origin", "http://"+s.host)
		req.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(req)
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(answer)
}

func TestSiteLetsNobodyElseIn(t *testing.T) {
	t.Parallel()
	d, s := startSite(t)
	if !strings.HasPrefix(s.host, "127.0.0.1:") {
		t.Errorf("the page is served at %s", s.host)
	}
	const said = `{"phone":"admin","text":"openid"}`
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	in := "/" + s.secret + "/"
	tests := []struct {
		name, method, path, body string
		change                   func(*http.Request)
		want                     int
	}{
		{"the page", http.MethodGet, in, "", nil, 200},
		{"a link to the page", http.MethodGet, in, "", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
		}, 200},
		{"no secret", http.MethodGet, "/", "", nil, 404},
		{"another secret", http.MethodGet, "/" + strings.Repeat("A", len(s.secret)) + "/", "", nil, 404},
		{"half the secret", http.MethodGet, in[:10] + "/", "", nil, 404},
		{"an address without its end", http.MethodGet, "/" + s.secret, "", nil, 404},
		{"another host's name", http.MethodGet, in, "", func(r *http.Request) { r.Host = "evil.example:80" }, 421},
		{"localhost", http.MethodGet, in, "", func(r *http.Request) { r.Host = "localhost" + s.host[9:] }, 421},
		{"another page in a frame", http.MethodGet, in + "events", "", set("Sec-Fetch-Site", "cross-site"), 403},
		{"another port's script", http.MethodGet, in + "events", "", set("Sec-Fetch-Site", "same-site"), 403},
		{"say without an origin", http.MethodPost, in + "say", said, func(r *http.Request) { r.Header.Del("Origin") }, 403},
		{"say from elsewhere", http.MethodPost, in + "say", said, set("Origin", "http://127.0.0.1:1"), 403},
		{"say from nowhere", http.MethodPost, in + "say", said, set("Origin", "null"), 403},
		{"a form", http.MethodPost, in + "say", said, set("Content-Type", "text/plain"), 415},
		{"say without the secret", http.MethodPost, "/say", said, nil, 404},
		{"say by GET", http.MethodGet, in + "say", "", nil, 405},
		{"say nothing", http.MethodPost, in + "say", `{"phone":"admin","text":" "}`, nil, 400},
		{"say as nobody", http.MethodPost, in + "say", `{"phone":"wang","text":"hi"}`, nil, 400},
		{"say too much", http.MethodPost, in + "say", `{"phone":"admin","text":"` + strings.Repeat("x", longestSaid+1) + `"}`, nil, 400},
		{"say far too much", http.MethodPost, in + "say", `{"phone":"admin","text":"` + strings.Repeat("x", bodyLimit) + `"}`, nil, 413},
		{"no JSON", http.MethodPost, in + "say", "openid", nil, 400},
		{"a switch that does not exist", http.MethodPost, in + "switch", `{"name":"fire","on":true}`, nil, 400},
		{"an asset that does not exist", http.MethodGet, in + "assets/page.css", "", nil, 404},
		{"say", http.MethodPost, in + "say", said, nil, 204},
	}
	for _, tt := range tests {
		status, header, body := s.ask(t, tt.method, tt.path, tt.body, tt.change)
		if status != tt.want {
			t.Errorf("%s: %d, want %d: %.200s", tt.name, status, tt.want, body)
		}
		for name, value := range map[string]string{
			"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		} {
			if got := header.Get(name); got != value {
				t.Errorf("%s: %s is %q", tt.name, name, got)
			}
		}
		if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s: the policy is %q", tt.name, policy)
		}
		if status >= 400 && strings.Contains(body, s.secret) {
			t.Errorf("%s: the answer tells the secret", tt.name)
		}
	}
	if n := len(d.demo.asks); n != 1 {
		t.Errorf("%d lines were said, want 1", n)
	}
}

func TestSwitches(t *testing.T) {
	t.Parallel()
	d, s := startSite(t)
	d.Settings() // it sets the pace
	post := func(path, body string) {
		t.Helper()
		if status, _, text := s.ask(t, http.MethodPost, "/"+s.secret+"/"+path, body, nil); status != http.StatusNoContent {
			t.Fatalf("%s %s: %d %s", path, body, status, text)
		}
	}
	for _, name := range switches() {
		post("switch", fmt.Sprintf(`{"name":%q,"on":true}`, name))
		post("switch", fmt.Sprintf(`{"name":%q,"on":true}`, name)) // it is on already
		if !d.isOn(name) {
			t.Errorf("%s is not on", name)
		}
	}
	f := d.platform.Faults()
	if f.SystemError == 0 || f.CutAccepted == 0 || f.Latency == 0 {
		t.Errorf("the faults are %+v", f)
	}
	if followers := d.platform.Stats().Followers; followers != 19 {
		t.Errorf("%d follow when Lin has left, want 19", followers)
	}
	post("right", "{}")
	for _, name := range switches() {
		if d.isOn(name) {
			t.Errorf("%s is on after all was put right", name)
		}
	}
	want := d.platform.options.Faults
	want.SlowFor = d.platform.Faults().SlowFor // the platform has a default
	if diff := cmp.Diff(want, d.platform.Faults()); diff != "" {
		t.Errorf("faults are left (-want +got):\n%s", diff)
	}
	if followers := d.platform.Stats().Followers; followers != 20 {
		t.Errorf("%d follow when Lin is back, want 20", followers)
	}
	notes, _, _, _ := d.phones.news(0, 0, "en")
	if want := 2*len(switches()) + 4; len(notes) != want { // those about Lin stand in both chats
		t.Errorf("%d notes, want %d", len(notes), want)
	}
	for _, e := range notes {
		for _, w := range d.languages {
			if text := w.note(e.note); text == e.note.id || strings.ContainsAny(text, "{}") {
				t.Errorf("in %s a note is %q", w.Language, text)
			}
		}
	}
}

func TestPhonesKeepTheChat(t *testing.T) {
	t.Parallel()
	p := newPhones(idsOf(0))
	_, _, _, changed := p.news(0, 0, "en")
	for i := range mostEntries + 10 {
		p.chat(adminOpenID, entryOut, fmt.Sprint(i))
	}
	p.chat(wangOpenID, entryOut, "unseen")
	select {
	case <-changed:
	default:
		t.Error("nobody is told that there is more")
	}
	all, _, _, _ := p.news(0, 0, "en")
	if len(all) != mostEntries || all[0].text != "10" || all[len(all)-1].number != mostEntries+10 {
		t.Errorf("%d entries, the first %+v", len(all), all[0])
	}
	rest, _, _, _ := p.news(mostEntries+8, 0, "en")
	if len(rest) != 2 || rest[0].text != fmt.Sprint(mostEntries+8) {
		t.Errorf("the rest is %+v", rest)
	}
	p.show(map[string][]byte{"en": []byte("1"), "zh": []byte("一")})
	_, state, version, changed := p.news(mostEntries+10, 0, "zh")
	if string(state) != "一" || version != 1 {
		t.Errorf("version %d is %q", version, state)
	}
	p.show(map[string][]byte{"en": []byte("1"), "zh": []byte("一")})
	if _, state, _, _ = p.news(mostEntries+10, version, "zh"); state != nil {
		t.Errorf("what was seen comes again: %q", state)
	}
	select {
	case <-changed:
		t.Error("the same again counts as news")
	default:
	}
}

// What the phones offer to say is a command, the same for both languages'
// readers.
func TestQuickLinesAreCommands(t *testing.T) {
	t.Parallel()
	for _, phone := range []string{phoneAdmin, phoneLin} {
		names := func(language string) (list []chat.Name) {
			for _, line := range quick(language, phone) {
				cmd := chat.Parse(line)
				if phone == phoneAdmin && chat.Alarming(line) {
					cmd.Name = chat.Panic
				}
				if cmd.Name == chat.Unknown || cmd.Fault != "" {
					t.Errorf("%q is no command: %+v", line, cmd)
				}
				list = append(list, cmd.Name)
			}
			return list
		}
		if diff := cmp.Diff(names("en"), names("zh")); diff != "" {
			t.Errorf("%s (-en +zh):\n%s", phone, diff)
		}
	}
}

func TestProgressView(t *testing.T) {
	t.Parallel()
	words, err := newWords()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, time.November, 24, 1, 0, 0, 0, time.UTC)
	st := broadcast.Status{
		Broadcast: models.Broadcast{ID: 7, Name: "notice", Recipients: 2000, State: models.Paused, Reason: models.ReasonQuota},
		Counts:    models.Counts{Delivered: 500, Blocked: 10, Failed: 5, Sending: 3}, Rate: 12.4,
	}
	want := &progressView{
		Name: "#7 · notice", State: "paused", Badge: "Paused", Percent: 25, Figures: "515 of 2,000",
		Counts: "Delivered 500 · Blocked 10 · Failed 5", Widths: []float64{25, 0, 0.5, 0.25, 0},
		Reason: "Today's sends are used up. It goes on at the reset. To go on now, put it right and send “broadcast resume”.",
	}
	if diff := cmp.Diff(want, words["en"].progress(st, now)); diff != "" {
		t.Errorf("paused (-want +got):\n%s", diff)
	}
	st.Broadcast.State, st.Broadcast.Reason = models.Running, ""
	if got := words["en"].progress(st, now).Figures; got != "515 of 2,000 · 12 a second" {
		t.Errorf("running: %q", got)
	}
	st.Broadcast.State, st.Broadcast.NotBefore = models.Scheduled, models.Time{Time: now.Add(1500 * time.Millisecond)}
	if got := words["zh"].progress(st, now).Figures; !strings.Contains(got, "2 秒") {
		t.Errorf("waiting: %q", got)
	}
	for _, w := range words {
		for _, name := range switches() {
			if w.SayIf("phone."+name) == "" || w.SayIf("phone."+name+".hint") == "" {
				t.Errorf("%s has no words for %s", w.Language, name)
			}
		}
	}
}

func TestLedgerWords(t *testing.T) {
	t.Parallel()
	words, err := newWords()
	if err != nil {
		t.Fatal(err)
	}
	for want, got := range map[string]string{
		"It has reached no phone yet.":                           words["en"].ledger(tally{}),
		"The broadcast reached 1,200 phones, each exactly once.": words["en"].ledger(tally{reached: 1200}),
		"The broadcast reached 1,200 phones, 3 of them twice.":   words["en"].ledger(tally{reached: 1200, twice: 3}),
		"WeChat's errors: WeChat was busy (-1)\u00a0×\u00a02, This minute's calls are used up (45011)\u00a0×\u00a01,000": words["en"].answers(
			map[string]int{"0": 9, "45011": 1000, "-1": 2}),
		"微信返回的错误：12345 1,000 次、已取消关注（43004）8 次": words["zh"].answers(map[string]int{"43004": 8, "12345": 1000}),
		"": words["en"].answers(map[string]int{"0": 9}),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The events are what the script reads: numbered, and in the asked language.
func TestEvents(t *testing.T) {
	t.Parallel()
	d, s := startSite(t)
	d.phones.chat(adminOpenID, entryIn, "seen")
	d.phones.chat(linOpenID, entryIn, "new\nid: 9")
	d.refresh(time.Now())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address()+"events?lang=zh", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", "1")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	buf := make([]byte, 4096)
	n, err := io.ReadAtLeast(resp.Body, buf, 100)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(buf[:n]), "\n")
	if lines[0] != "id: 2" || lines[1] != "event: entry" {
		t.Errorf("the stream begins with %q", lines[:2])
	}
	var e entryView
	if err := json.Unmarshal([]byte(strings.TrimPrefix(lines[2], "data: ")), &e); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(entryView{Number: 2, Phone: "lin", Kind: "in", Text: "new\nid: 9"}, e); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(buf[:n]), `event: state`+"\n"+`data: {"progress":null,"on":{}`) {
		t.Errorf("the state is missing: %s", buf[:n])
	}
}
