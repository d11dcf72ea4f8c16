package followers_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/wechat"
)

// platform is WeChat's user/get with pages of any size.
type platform struct {
	mu      sync.Mutex
	list    []string
	size    int  // people a page
	total   int  // what it announces; the list's length if 0
	bareEnd bool // the last page has no next_openid, rather than an empty page behind it
	asked   []string
	noToken any // the answer instead of a token, nil for none
	info    any // the answer of user/info, nil for that of a platform whose followers are the list
	// before is called ahead of each answer with the number of the call, from 1,
	// and may change the list, or answer itself: anything but nil is sent.
	before func(call int) any
}

type answer map[string]any

func (p *platform) serveFollowers(w http.ResponseWriter, r *http.Request) {
	next := r.URL.Query().Get("next_openid")
	p.mu.Lock()
	p.asked = append(p.asked, next)
	call, before := len(p.asked), p.before
	p.mu.Unlock()
	if before != nil {
		if a := before(call); a != nil {
			_ = json.NewEncoder(w).Encode(a)
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = json.NewEncoder(w).Encode(p.page(next))
}

func (p *platform) page(next string) answer {
	from := 0
	if next != "" {
		if from = slices.Index(p.list, next) + 1; from == 0 {
			return answer{"errcode": 40003, "errmsg": "invalid openid rid: 65609427-54c9eae0-289148d7"}
		}
	}
	total := p.total
	if total == 0 {
		total = len(p.list)
	}
	people := p.list[from:min(from+p.size, len(p.list))]
	a := answer{"total": total, "count": len(people), "next_openid": ""}
	if len(people) == 0 {
		return a
	}
	a["data"] = answer{"openid": people}
	if from+len(people) == len(p.list) && p.bareEnd {
		return a
	}
	if len(people) == p.size {
		// A page of the real size, for the client: its people are few so that the
		// tests are quick.
		a["count"] = 10_000
	}
	a["next_openid"] = people[len(people)-1]
	return a
}

// serveInfo is user/info: whoever is not on the list and has the form of an
// OpenID does not follow.
func (p *platform) serveInfo(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	openID := r.URL.Query().Get("openid")
	var a any = answer{"subscribe": 0, "openid": openID}
	switch {
	case p.info != nil:
		a = p.info
	case len(openID) != 28:
		a = answer{"errcode": 40003, "errmsg": "invalid openid rid: 65609427-54c9eae0-289148d7"}
	case slices.Contains(p.list, openID):
		a = answer{"subscribe": 1, "openid": openID, "subscribe_time": 1_700_000_000}
	}
	_ = json.NewEncoder(w).Encode(a)
}

func (p *platform) set(list ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list, p.asked = list, nil
}

// cursors returns the next_openid of each call since the last set.
func (p *platform) cursors() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// house is a service on a fresh store with a platform and a clock.
type house struct {
	*followers.Service
	store    *models.Store
	platform *platform
	clock    *clock
	client   *wechat.Client
}

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// morning is 17:00 in Beijing.
var morning = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// each runs f on each database, with pages of ten.
func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	modelstest.Each(t, func(t *testing.T, store *models.Store) { f(t, newHouse(t, store)) })
}

func newHouse(tb testing.TB, store *models.Store) *house {
	tb.Helper()
	h := &house{store: store, platform: &platform{size: 10}, clock: &clock{t: morning}}
	mux := http.NewServeMux()
	token := func(w http.ResponseWriter, _ *http.Request) {
		if h.platform.noToken != nil {
			_ = json.NewEncoder(w).Encode(h.platform.noToken)
			return
		}
		_ = json.NewEncoder(w).Encode(answer{"access_token": "TOKEN", "expires_in": 7200})
	}
	mux.HandleFunc("/cgi-bin/stable_token", token)
	mux.HandleFunc("/cgi-bin/token", token)
	mux.HandleFunc("/cgi-bin/user/get", h.platform.serveFollowers)
	mux.HandleFunc("/cgi-bin/user/info", h.platform.serveInfo)
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	h.client = wechat.New(wechat.Config{
		AppID: "wx0123456789abcdef", AppSecret: "SECRET", BaseURL: server.URL, Log: modelstest.Log(tb),
	})
	tb.Cleanup(h.client.Close)
	h.Service = h.restart(tb)
	return h
}

// restart returns another service on the same store, as after a crash.
func (h *house) restart(tb testing.TB) *followers.Service {
	tb.Helper()
	h.Service = followers.New(followers.Config{
		Store: h.store, Platform: h.client, Now: h.clock.now, Log: modelstest.Log(tb),
	})
	return h.Service
}

// sync runs a sync that must succeed and returns its result without the times.
func (h *house) sync(t *testing.T) followers.SyncResult {
	t.Helper()
	r, err := h.Sync(t.Context(), nil)
	if err != nil {
		t.Fatalf("sync: %v", err)
	}
	r.Took = 0
	return r
}

// people returns n OpenIDs from a number on.
func people(from, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = modelstest.OpenID(from + i)
	}
	return list
}

// person returns what is stored about an OpenID, ID 0 if nothing.
func (h *house) person(t *testing.T, openID string) models.Recipient {
	t.Helper()
	var got models.Recipient
	if err := h.store.ChangeRecipient(t.Context(), openID, func(r *models.Recipient) { got = *r }); err != nil {
		t.Fatal(err)
	}
	return got
}

// wantFollowers fails unless these people follow, and others none of theirs.
func (h *house) wantFollowers(t *testing.T, want map[string]bool) {
	t.Helper()
	for openID, follows := range want {
		if got := h.person(t, openID).Subscribed; got != follows {
			t.Errorf("%s follows: %v, want %v", openID, got, follows)
		}
	}
}
