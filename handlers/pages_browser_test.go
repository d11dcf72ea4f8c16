package handlers

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/simulator"
	"wechat-broadcast/web/webtest"
)

// TestBrowserProgress watches a broadcast from its first sends to its last
// receipt.
func TestBrowserProgress(t *testing.T) {
	b := webtest.New(t)
	r := newRun(t, "en", simulator.Options{
		Followers: 1200, Blocking: 15, Left: 9,
		Faults:   simulator.Faults{Latency: 10 * time.Millisecond, Codes: map[int]float64{50002: 0.004}},
		Receipts: simulator.Receipts{DelayMin: 20 * time.Millisecond, DelayMax: 300 * time.Millisecond},
	}, 220)
	id := r.ask(t, models.AudienceAll, "ask", false)
	r.reached(t, id, func(st *broadcast.Status) bool { return st.Counts.Tried() > 20 })
	address := r.links.Broadcast(id)
	b.Phone(320, "light")
	b.Open(address)
	b.Until(`document.querySelector("#live").dataset.live === "live"`)

	last, moved := -1.0, 0
	for since := time.Now(); last < 100; {
		now := webtest.Eval[float64](b, `parseFloat(document.querySelector("#progress").getAttribute("aria-valuenow"))`)
		if now < last {
			t.Fatalf("progress went back from %g to %g", last, now)
		}
		if now > last {
			moved++
			since = time.Now()
		}
		last = now
		if time.Since(since) > time.Minute {
			t.Fatalf("the page stays at %g", last)
		}
		b.Do(chromedp.Sleep(50 * time.Millisecond))
	}
	if moved < 3 {
		t.Errorf("the page moved %d times only", moved)
	}
	st := r.reached(t, id, settled)
	b.Until(`document.querySelector("[data-t=state]").textContent === "Finished" &&
		document.querySelector("[data-t='count.accepted']").textContent === "0"`)
	for kind, n := range map[string]int64{
		"delivered": st.Counts.Delivered, "accepted": 0, "blocked": st.Counts.Blocked,
		"failed": st.Counts.Failed, "uncertain": st.Counts.Uncertain, "left": 0,
	} {
		if got := b.Text(`[data-t='count.` + kind + `']`); got != wordsIn(t, "en").Number(n) {
			t.Errorf("%s: the page says %s, the database %d", kind, got, n)
		}
	}
	b.Until(fmt.Sprintf(`[...document.querySelectorAll("#failures-rows td")].reduce((n, e) => n + Number(e.textContent), 0) === %d`,
		st.Counts.Failed+st.Counts.Uncertain))
	if st.Counts.Failed == 0 || st.Counts.Blocked == 0 {
		t.Errorf("nothing failed in this run: %+v", st.Counts)
	}
	if line := webtest.Eval[string](b, `document.querySelector("#chart-line").getAttribute("d")`); strings.Count(line, "L") < 2 {
		t.Errorf("the chart is %q", line)
	}
	shown := webtest.Eval[string](b, `document.querySelector("main").innerText`)

	b.Readable()
	b.Accessible()
	b.Named("progressbar Finished", "heading Failed and uncertain", "link Download the list (CSV)", "columnheader Cause", "region Speed", "link 中文")
	// The server renders the same as the script.
	b.Open(address)
	b.Until(`document.querySelector("#live").dataset.live === "live"`)
	at := func(text string) string {
		return strings.Split(text, "as of")[0] + text[strings.Index(text, "Finished"):]
	}
	if again := webtest.Eval[string](b, `document.querySelector("main").innerText`); at(again) != at(shown) {
		t.Errorf("loaded anew the page says\n%s\nafter\n%s", again, shown)
	}
	b.Keyboard(6, "Download the list (CSV)", "中文")
	b.Open(r.links.History())
	b.Readable()
	b.Accessible()
	b.Named("heading Broadcasts", "link #1 closed-day")
	b.Sound(strings.Split(r.links.Broadcast(1), "/b/")[0] + "/b/")
}

// TestBrowserShowsNoOlderStateAfterARestart replaces the server of an open page by
// one that shows an older state.
func TestBrowserShowsNoOlderStateAfterARestart(t *testing.T) {
	b := webtest.New(t)
	g := newGallery(t)
	g.run()
	var gone sync.Map // "events" while the event streams are refused
	front := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, cut := gone.Load("events"); cut && strings.HasSuffix(r.URL.Path, "/events") {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		g.account.ServeHTTP(w, r)
	})}
	url := listen(t, front)
	token := g.token(7)
	b.Phone(390, "light")
	b.Open(url + "/b/" + token + "?lang=zh")
	b.Until(`document.querySelector("#live").dataset.live === "live"`)
	g.change(func() { g.status.Counts.Delivered += 500 })
	b.Until(`document.querySelector("[data-t='count.delivered']").textContent === "3,500"`)

	gone.Store("events", true)
	g.pages.config.Progress.Close() // ends every stream, as a stop does
	b.Until(`document.querySelector("#live").dataset.live === "stale"`)
	if word := b.Text("#live-word"); word != "未能更新，正在重试" {
		t.Errorf("a page that is cut off says %s", word)
	}

	// The next process shows an older state.
	config := g.pages.config
	config.Progress = g.feeds(t, config.Log)
	next, err := NewPages(config)
	if err != nil {
		t.Fatal(err)
	}
	g.change(func() { g.status.Counts.Delivered -= 100 })
	g.account.pages = next
	g.restart()
	gone.Delete("events")
	b.Until(`document.querySelector("#live").dataset.live === "live"`)
	if got := b.Text("[data-t='count.delivered']"); got != "3,500" {
		t.Errorf("progress went back to %s", got)
	}
	g.change(func() { g.status.Counts.Delivered += 300 })
	b.Until(`document.querySelector("[data-t='count.delivered']").textContent === "3,700"`)
}

// TestBrowserWithoutScript opens a page, and an invalid link, in a browser that
// runs no script.
func TestBrowserWithoutScript(t *testing.T) {
	b := webtest.New(t)
	g := newGallery(t)
	url := listen(t, &http.Server{ReadHeaderTimeout: time.Second, Handler: g.account})
	token := g.token(7)
	webtest.Call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.Open(url + "/b/" + token)
	shown := webtest.Eval[string](b, `document.querySelector("main").innerText.replace(/\s+/g, " ")`)
	for _, want := range []string{"40.2%", "4,023 of 10,000", "Snapshot as of", "No longer follows", "Library notice"} {
		if !strings.Contains(shown, want) {
			t.Errorf("without its script the page lacks %q:\n%s", want, shown)
		}
	}
	webtest.Call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{})
	b.Open(url + "/b/" + token + "/failed.csvv")
	b.Readable()
	b.Accessible()
	b.Named("heading This link leads nowhere", "link 中文")
}

// listen serves on loopback until the test ends and returns the address.
func listen(t *testing.T, server *http.Server) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String()
}
