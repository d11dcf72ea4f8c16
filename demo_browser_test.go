package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/web/webtest"
)

// output collects what a program writes; it can be read meanwhile.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

var phoneAddress = regexp.MustCompile(`http://127\.0\.0\.1:\d+/[A-Z2-7]{26}/`)

// startDemo runs the demo with its page until the test ends. It returns the page's
// address and what the terminal shows.
func startDemo(t *testing.T, language, followers string) (address string, screen *output) {
	t.Helper()
	t.Setenv("LANGUAGE", language)
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	screen = &output{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var stderr bytes.Buffer
		code := run(ctx, []string{"demo", "--browser", "--followers", followers}, strings.NewReader(""), screen, &stderr)
		if code != exitOK || stderr.Len() > 0 {
			t.Errorf("exit code %d: %s", code, &stderr)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	eventually(t, "the address of the page", func() bool {
		address = phoneAddress.FindString(screen.String())
		return address != ""
	})
	return address, screen
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); !holds(); <-tick.C {
		if time.Since(begun) > 2*time.Minute {
			t.Fatalf("it never came to %s", what)
		}
	}
}

// tap sends one of the lines that a phone offers.
func tap(b *webtest.Browser, phone, line string) {
	webtest.Eval[bool](b, `document.querySelector("#phone-`+phone+` [data-say='`+line+`']").click() ?? true`)
}

func flip(b *webtest.Browser, name string) {
	webtest.Eval[bool](b, `document.querySelector("[data-switch=`+name+`]").click() ?? true`)
}

// says waits until a phone's chat has a text.
func says(phone, text string) string {
	return `document.querySelector("#phone-` + phone + ` .log").innerText.includes("` + text + `")`
}

// TestBrowserDemo plays the demo through in its page.
func TestBrowserDemo(t *testing.T) {
	b := webtest.New(t)
	address, screen := startDemo(t, "en", "400")
	b.Window(1280, 800, "light")
	b.Open(address)

	tap(b, "admin", "openid")
	b.Until(says("admin", "oDemo-admin-"))
	// A message of several lines goes into the box first; Shift+Enter begins a line there,
	// and so does the Enter that ends a word of Chinese being typed. Enter sends.
	webtest.Eval[bool](b, `document.querySelector("#phone-admin [data-say^='messages set']").click() ?? true`)
	before := webtest.Eval[int](b, `document.querySelector("#phone-admin textarea").value.split("\n").length`)
	if before != 5 || !webtest.Eval[bool](b, `document.querySelector("#phone-admin textarea").clientHeight > 80`) {
		t.Errorf("the box has %d lines, and does not show them", before)
	}
	for _, key := range []string{`{key: "Enter", shiftKey: true}`, `{key: "Enter", isComposing: true}`} {
		if !webtest.Eval[bool](b, `document.querySelector("#phone-admin textarea").dispatchEvent(new KeyboardEvent("keydown", {cancelable: true, ...`+key+`}))`) {
			t.Errorf("%s sends what was not finished", key)
		}
	}
	if webtest.Eval[bool](b, `document.querySelector("#phone-admin textarea").dispatchEvent(new KeyboardEvent("keydown", {cancelable: true, key: "Enter"}))`) {
		t.Error("Enter begins a line")
	}
	b.Until(says("admin", "“closing” is written"))
	b.Until(`document.querySelector("#phone-admin textarea").value === "" && document.querySelector("#phone-admin textarea").clientHeight < 60`)
	tap(b, "admin", "broadcast all at tomorrow 09:00")
	b.Until(says("admin", "For another time: reschedule #1 TIME"))
	tap(b, "admin", "cancel")
	b.Until(says("admin", "Broadcast #1 is cancelled"))

	tap(b, "lin", "broadcast all") // refused: lin is no admin
	b.Until(says("lin", "broadcast all"))
	tap(b, "admin", "broadcast test")
	b.Until(`document.querySelector("#phone-lin .card")?.innerText.includes("Closed on Wednesday")`)
	b.Until(`document.querySelector("#strip-badge").textContent === "Finished"`)
	b.Until(`document.querySelector("#ledger").textContent === "The broadcast reached 3 phones, each exactly once."`)

	flip(b, "blocks")
	b.Until(`document.querySelector("[data-switch=blocks]").getAttribute("aria-checked") === "true"`)
	tap(b, "admin", "broadcast test")
	b.Until(says("lin", "WeChat kept a message back"))
	b.Until(`document.querySelector("#strip-counts").textContent === "Delivered 2 · Blocked 1"`)
	b.Until(`[...document.querySelectorAll(".log")].every((e) => e.scrollHeight - e.scrollTop - e.clientHeight < 2)`)

	flip(b, "quota")
	b.Until(`document.querySelector("[data-switch=quota]").getAttribute("aria-checked") === "true"`)
	tap(b, "admin", "broadcast all")
	b.Until(`document.querySelector("#strip-badge").textContent === "Paused" && document.querySelector("#strip-reason").checkVisibility()`)
	if reason := b.Text("#strip-reason"); !strings.Contains(reason, "sends are used up") {
		t.Errorf("the reason is %q", reason)
	}
	webtest.Eval[bool](b, `document.querySelector("#right").click() ?? true`)
	b.Until(`document.querySelectorAll("[aria-checked=true]").length === 0`)
	tap(b, "admin", "resume")
	b.Until(`document.querySelector("#strip-badge").textContent === "Finished" && document.querySelector("#strip-percent").textContent === "100%"`)
	b.Until(`document.querySelectorAll("#phone-lin .card").length === 2`)
	if link := webtest.Eval[string](b, `document.querySelector("#phone-admin .log a").href`); !strings.Contains(link, "/b/") {
		t.Errorf("the reply links to %q", link)
	}
	b.Named("heading You, the admin", "log Lin's chat", "switch Too many calls (45011)", "textbox Write to the account", "progressbar #4 · notice")
	for _, line := range []string{"you> broadcast test", "  Lin blocks the account", "Lin> broadcast all"} {
		if !strings.Contains(screen.String(), line) {
			t.Errorf("the screen has no %q", line)
		}
	}

	// Another page shows the same in its own language. The closing notice comes last.
	b.Until(says("admin", "Broadcast #4 · notice is finished"))
	seen := webtest.Eval[int](b, `document.querySelectorAll(".log > div").length`)
	b.Open(address + "?lang=zh")
	b.Until(says("admin", "oDemo-admin-"))
	if again := webtest.Eval[int](b, `document.querySelectorAll(".log > div").length`); again != seen {
		t.Errorf("a page that is opened later has %d entries, want %d", again, seen)
	}
	b.Until(`document.querySelector("#strip-badge").textContent === "已完成"`)
	b.Open(address)
	b.Until(says("admin", "oDemo-admin-"))
	b.Readable()
	b.Accessible()
	b.Phone(390, "light")
	webtest.Eval[bool](b, `document.querySelector("button[data-tab=lin]").click() ?? true`)
	webtest.Eval[bool](b, `document.querySelector("button[data-tab=admin]").click() ?? true`)
	b.Until(`!document.querySelector("#phone-lin").checkVisibility()`)
	b.Keyboard(4, "中文", "Admin", "Lin", "Trouble")
	for _, tab := range []string{"lin", "faults"} {
		webtest.Eval[bool](b, `document.querySelector("button[data-tab=`+tab+`]").click() ?? true`)
		b.Readable()
		b.Accessible()
	}
	b.Sound(address)
}

// TestScreenshotsDemo takes pictures of the demo's page into the folder that
// SCREENSHOTS names.
func TestScreenshotsDemo(t *testing.T) {
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		t.Skip("skipped: set SCREENSHOTS to a folder, and TEST_BROWSER, to take pictures")
	}
	for _, language := range []string{"zh", "en"} {
		b := webtest.New(t)
		address, _ := startDemo(t, language, "1000")
		b.Window(1240, 860, "light")
		b.Open(address)
		all, stop := "群发全部", "退订"
		if language == "en" {
			all, stop = "broadcast all", "openid"
		}
		tap(b, "lin", stop)
		b.Until(`document.querySelectorAll("#phone-lin .log > div").length >= 2`)
		if language == "zh" {
			tap(b, "lin", "订阅")
			b.Until(`document.querySelectorAll("#phone-lin .log > div").length >= 4`)
		}
		tap(b, "admin", all)
		b.Until(`parseInt(document.querySelector("#strip-percent").textContent) > 10`)
		flip(b, "busy")
		b.Until(`document.querySelector("#phone-lin .card") !== null && parseInt(document.querySelector("#strip-percent").textContent) > 55`)
		b.Picture(filepath.Join(folder, "demo-"+language+".png"))
	}
}
