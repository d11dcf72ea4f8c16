package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/diagnosis"
)

// The first page tells what waits for an admin apart from what goes on by itself, and
// leads to what somebody of that role may do.
func TestTheFirstPage(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{followers: 20})
	paused := d.broadcastOf(func(b *models.Broadcast) { b.Name = "stopped" })
	d.moved(paused, due, stopped)
	d.broadcastOf(func(b *models.Broadcast) { b.Name = "later" })
	ended := d.broadcastOf(func(b *models.Broadcast) { b.Name = "over" })
	d.moved(ended, models.Move{Event: models.EventCancel})
	d.say(owner, "topics add news")
	d.say(ben, "join news")
	b := d.enter(anna, models.Viewer)
	p := b.get("/console/")
	p.has(t, http.StatusOK, "Waiting for you", "Running and waiting", "An admin paused it.", "Sent today: 0", "Left today:", "Followers", ">23<", "news", "starts in")
	needs, goes, _ := strings.Cut(p.body, "Running and waiting")
	if !strings.Contains(needs, "stopped") || strings.Contains(needs, ">later<") || !strings.Contains(goes, "later") || strings.Contains(p.body, "over<") {
		t.Errorf("what waits for an admin:\n%s", needs)
	}
	if strings.Contains(p.body, `href="./admins"`) {
		t.Error("a viewer is led to the admins")
	}
}

// The history goes back to the first broadcast, page by page.
func TestTheListOfBroadcasts(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	for range 45 {
		d.broadcastOf(func(*models.Broadcast) {})
	}
	b := d.enter(anna, models.Viewer)
	number := regexp.MustCompile(`broadcasts/(\d+)"`)
	older := regexp.MustCompile(`rel="next" href="([^"]+)"`)
	address, seen, pages := "/console/broadcasts", map[string]bool{}, 0
	for address != "" {
		p := b.get(address)
		p.has(t, http.StatusOK)
		for _, match := range number.FindAllStringSubmatch(p.body, -1) {
			seen[match[1]] = true
		}
		pages++
		address = ""
		if next := older.FindStringSubmatch(p.body); next != nil {
			address = path.Join("/console", strings.TrimPrefix(next[1], "./"))
		}
	}
	if len(seen) != 45 || pages != 3 {
		t.Errorf("%d broadcasts on %d pages", len(seen), pages)
	}
	b.get("/console/broadcasts?before=x").has(t, http.StatusNotFound)
}

// The account is examined in the background, and not with each look at the page.
func TestTheExaminationOfTheAccount(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	let := make(chan struct{})
	d := newDesk(t, setup{examine: func(context.Context) ([]diagnosis.Point, error) {
		if asked.Add(1) == 1 {
			<-let
		}
		return []diagnosis.Point{
			{Name: diagnosis.Clock, Detail: "5 min ahead", Fix: "set the clock\nlook again"}, {Name: diagnosis.Database, OK: true, Detail: "fine <b>"},
		}, nil
	}})
	b := d.enter(anna, models.Viewer)
	for range 3 {
		b.get("/console/").has(t, http.StatusOK, "It is being checked")
	}
	close(let)
	var p page
	for begun := time.Now(); !strings.Contains(p.body, "5 min ahead"); {
		if p = b.get("/console/"); time.Since(begun) > time.Minute {
			t.Fatal("what was found is not shown")
		}
	}
	p.has(t, http.StatusOK, "Clock", "→ set the clock", "→ look again", "1 in order", "fine &lt;b&gt;")
	b.post("/console/check", nil).has(t, http.StatusSeeOther) // it was examined a moment ago
	if n := asked.Load(); n != 1 {
		t.Errorf("examined %d times", n)
	}
	failing := newDesk(t, setup{examine: func(context.Context) ([]diagnosis.Point, error) { return nil, errors.New("away") }})
	c := failing.enter(anna, models.Viewer)
	c.post("/console/check", nil).has(t, http.StatusSeeOther)
	c.get("/console/").has(t, http.StatusOK, "could not be checked")
}

var loaded = regexp.MustCompile(`(?:src|href)="([^"]*assets/[^"]+)"`)

// No page weighs more than a slow connection takes, with all that it loads.
func TestPagesAreLight(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{followers: 50})
	for range 20 {
		d.moved(d.broadcastOf(func(*models.Broadcast) {}), due)
	}
	b := d.enter(anna, models.Sender)
	for _, address := range []string{"/console/", "/console/broadcasts", at(1, "")} {
		p := b.get(address)
		p.has(t, http.StatusOK)
		weight := len(p.body)
		for _, match := range loaded.FindAllStringSubmatch(p.body, -1) {
			base, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			asset, err := base.Parse(match[1])
			if err != nil {
				t.Fatal(err)
			}
			a := b.get(asset.Path)
			a.has(t, http.StatusOK)
			weight += len(a.body)
		}
		if weight > 150<<10 {
			t.Errorf("%s weighs %d KiB", address, weight>>10)
		}
		if len(loaded.FindAllString(p.body, -1)) < 4 {
			t.Errorf("%s loads too little: %v", address, loaded.FindAllString(p.body, -1))
		}
	}
}
