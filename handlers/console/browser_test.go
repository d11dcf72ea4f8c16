package console_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"wechat-broadcast/models"
	"wechat-broadcast/services/diagnosis"
	"wechat-broadcast/web/webtest"
)

// listening returns a desk that a browser can reach.
func listening(t *testing.T, set setup) *desk {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	set.publicURL = "http://" + l.Addr().String()
	d := newDesk(t, set)
	server := &http.Server{Handler: d.handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return d
}

// pictures takes pictures of a page into the folder that SCREENSHOTS names, if it does.
func pictures(t *testing.T, b *webtest.Browser, name string) {
	t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{320, 1200} {
			height := webtest.Eval[int64](b, "document.documentElement.scrollHeight")
			b.Window(width, min(height, 2600), scheme)
			height = webtest.Eval[int64](b, "document.documentElement.scrollHeight")
			b.Window(width, min(height, 2600), scheme)
			b.Picture(filepath.Join(folder, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)))
		}
	}
}

// A sender follows a broadcast on the console, live, pauses it and looks somebody up.
func TestBrowserFollowsABroadcast(t *testing.T) {
	b := webtest.New(t)
	d := listening(t, setup{followers: 300, undo: time.Minute, examine: func(context.Context) ([]diagnosis.Point, error) {
		return []diagnosis.Point{
			{Name: diagnosis.Settings, OK: true, Detail: "41 read"},
			{Name: diagnosis.Database, OK: true, Detail: "read and written, version 12"},
			{Name: diagnosis.Clock, Detail: "5 minutes ahead of WeChat's", Fix: "Have the system's clock set by NTP."},
		}, nil
	}})
	d.run()
	d.give(anna, models.Sender)
	b.Phone(320, "light")
	b.Open(d.public + d.link(anna))
	b.Until(`location.pathname === "/console/"`)
	d.say(owner, "topics add news weekly")
	d.say(ben, "join news")
	d.say(owner, "broadcast all other")
	id := int64(1)
	b.Open(d.public + at(id, ""))
	b.Until(`document.querySelector("#live").dataset.live === "live"`)
	b.Named("heading #1 other", "progressbar Waiting", "button Pause", "textbox OpenID or name", "heading Each person's outcome")
	b.Accessible()
	// Another admin pauses it; the page tells that, and what can be done now.
	d.say(owner, "pause #1")
	b.Until(`document.querySelector("[data-t=state]").textContent === "Paused" && document.querySelector("form[action$='/resume']")`)
	b.Accessible()
	d.say(owner, "resume #1")
	b.Until(`document.querySelector("form[action$='/pause'] button")`)
	webtest.Eval[any](b, `document.querySelector("form[action$='/pause'] button").click()`)
	b.Until(`document.querySelector("section[role=status]")?.textContent.includes("#1")`)
	if found, err := d.store.FindBroadcast(t.Context(), id); err != nil || found.State != models.Paused {
		t.Errorf("after a click on Pause it is %+v, %v", found, err)
	}
	d.say(owner, "resume #1")
	b.Open(d.public + at(id, "?who="+ben))
	b.Until(`document.querySelector(".outcome")`)
	b.Readable()
	b.Open(d.public + "/console/")
	b.Named("heading Running and waiting", "heading Check", "button Check again", "link #1 other")
	b.Accessible()
	b.Readable()
	b.Open(d.public + "/console/broadcasts")
	b.Accessible()
	b.Readable()
	webtest.Call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.Open(d.public + at(id, "?who="+ben))
	shown := webtest.Eval[string](b, `document.querySelector("main").innerText.replace(/\s+/g, " ")`)
	for _, want := range []string{"#1 other", "Waiting", "Snapshot as of", "not their turn"} {
		if !strings.Contains(shown, want) {
			t.Errorf("without its script the page lacks %q:\n%s", want, shown)
		}
	}
	webtest.Call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{})
	b.Sound(d.public + "/console/")
}

// Everybody can use the pages of a broadcast that has ended and of one that waits for an
// approval, and those that refuse.
func TestBrowserIsUsableByEverybody(t *testing.T) {
	d, b := browse(t, setup{followers: 20}, anna, models.Sender)
	done := d.broadcastOf(func(b *models.Broadcast) { b.Recipients = 5 })
	openIDs := d.tried(
		done, models.Outcome{State: models.Delivered, MsgID: 5}, models.Outcome{State: models.Blocked, MsgID: 7},
		models.Outcome{State: models.FailedFor, ErrCode: 43004, Detail: "require subscribe"}, models.Outcome{State: models.Uncertain},
	)
	d.moved(done, due, models.Move{Event: models.EventCancel, Reason: models.ReasonAdmin})
	pending := d.broadcastOf(func(b *models.Broadcast) {
		b.State, b.Approvals, b.PendingSince, b.Recipients = models.Pending, 1, b.AskedAt, 20
	})
	for _, path := range []string{
		at(done, "?who="+openIDs[2]), at(done, "?who=nobody"), at(pending, ""), "/console/admins", "/console/nothing", "/console/enter/nothing",
	} {
		b.Open(d.public + path)
		b.Accessible()
		b.Readable()
	}
}

// TestScreenshots takes pictures of the pages into the folder that SCREENSHOTS names.
func TestScreenshots(t *testing.T) {
	if os.Getenv("SCREENSHOTS") == "" {
		t.Skip("skipped: set SCREENSHOTS to a folder, and TEST_BROWSER, to take pictures")
	}
	for _, language := range []string{"zh", "en"} {
		t.Run(language, func(t *testing.T) {
			b := webtest.New(t)
			d := listening(t, setup{language: language, followers: 400, examine: func(context.Context) ([]diagnosis.Point, error) {
				return []diagnosis.Point{
					{Name: diagnosis.Settings, OK: true, Detail: "41"},
					{Name: diagnosis.Database, OK: true, Detail: "12"},
					{Name: diagnosis.Clock, Detail: "+5 min", Fix: "NTP"},
				}, nil
			}})
			d.say(owner, "topics add 新书 每周新书")
			d.say(ben, "join 新书")
			done := d.broadcastOf(func(b *models.Broadcast) { b.Name, b.Recipients = "闭馆通知", 6 })
			openIDs := d.tried(
				done, models.Outcome{State: models.Delivered, MsgID: 5}, models.Outcome{State: models.Delivered, MsgID: 6}, models.Outcome{State: models.Blocked, MsgID: 7},
				models.Outcome{State: models.FailedFor, ErrCode: 43004, Detail: "require subscribe"}, models.Outcome{State: models.Uncertain},
			)
			d.moved(done, due, models.Move{Event: models.EventCancel, Reason: models.ReasonAdmin})
			paused := d.broadcastOf(func(b *models.Broadcast) { b.Name, b.Recipients = "新书通报", 400 })
			d.tried(paused, models.Outcome{State: models.Accepted, MsgID: 15}, models.Outcome{State: models.Delivered, MsgID: 16})
			pending := d.broadcastOf(func(b *models.Broadcast) {
				b.Name, b.State, b.Approvals, b.PendingSince, b.Recipients = "讲座", models.Pending, 1, b.AskedAt, 400
			})
			d.broadcastOf(func(b *models.Broadcast) { b.Name, b.Recipients = "明天开馆", 400 })
			d.moved(paused, due, models.Move{Event: models.EventStop, Reason: models.ReasonAccount, Detail: "40249 blocked"})
			d.give(anna, models.Sender)
			b.Phone(320, "light")
			b.Open(d.public + d.link(anna))
			b.Until(`location.pathname === "/console/"`)
			b.Until(`document.querySelector("#check")`)
			for name, path := range map[string]string{
				"home": "/console/", "broadcasts": "/console/broadcasts", "ended": at(done, "?who="+openIDs[3]), "paused": at(paused, ""), "pending": at(pending, ""),
			} {
				b.Open(d.public + path)
				pictures(t, b, name+"-"+language)
			}
		})
	}
}
