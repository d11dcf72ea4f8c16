// Package webtest opens pages in a real Chromium for tests: it watches for
// complaints and foreign requests, measures what can be read, and takes pictures.
package webtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long anything may take on a busy machine. Nobody waits for so
// long but a test that fails.
const patience = 2 * time.Minute

// Browser is a tab of a real Chromium, with what went wrong in it.
type Browser struct {
	ctx context.Context
	t   *testing.T

	mu       sync.Mutex
	faults   []string
	requests []string
}

// New starts the Chromium that TEST_BROWSER names, or skips the test.
func New(t *testing.T) *Browser {
	t.Helper()
	path := os.Getenv("TEST_BROWSER")
	if path == "" {
		t.Skip("skipped without a browser: set TEST_BROWSER=/usr/bin/chromium to run it")
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.NoSandbox, chromedp.Headless, chromedp.DisableGPU,
		chromedp.UserDataDir(filepath.Join(t.TempDir(), "profile")),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	t.Cleanup(cancel)
	b := &Browser{t: t}
	b.ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b.ctx, cancel = context.WithTimeout(b.ctx, 3*time.Minute)
	t.Cleanup(cancel)
	err := chromedp.Listen(b.ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.faults = append(b.faults, fmt.Sprintf("exception: %s %v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
				b.faults = append(b.faults, fmt.Sprintf("console: %+v", e.Args[0]))
			}
		case *log.EventEntryAdded:
			b.faults = append(b.faults, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		case *network.EventRequestWillBeSent:
			b.requests = append(b.requests, e.Request.URL)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	Call(b, network.Enable, network.EnableParams{})
	Call(b, runtime.Enable, cdp.Empty{})
	Call(b, log.Enable, cdp.Empty{})
	return b
}

// Call gives the browser a command.
func Call[P, R any](b *Browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	result, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// Do takes steps.
func (b *Browser) Do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// Open opens an address.
func (b *Browser) Open(address string) {
	b.t.Helper()
	b.Do(chromedp.Navigate(address), chromedp.WaitVisible("main"))
}

// Phone makes the tab a phone's of that width in pixels, in the scheme light or
// dark.
func (b *Browser) Phone(width int64, scheme string) {
	b.t.Helper()
	b.size(emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 844, DeviceScaleFactor: 2, Mobile: true}, scheme)
}

// Window makes the tab a window of that size in pixels on a desk.
func (b *Browser) Window(width, height int64, scheme string) {
	b.t.Helper()
	b.size(emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1.5}, scheme)
}

func (b *Browser) size(metrics emulation.SetDeviceMetricsOverrideParams, scheme string) {
	b.t.Helper()
	Call(b, emulation.SetDeviceMetricsOverride, metrics)
	Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// Eval returns the value of an expression.
func Eval[T any](b *Browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("evaluate %.200s: %v", expression, err)
	}
	return v
}

// Text returns what an element says.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	return Eval[string](b, `document.querySelector(`+"`"+selector+"`"+`).textContent.trim()`)
}

// Until waits until an expression is true.
func (b *Browser) Until(expression string) {
	b.t.Helper()
	for begun := time.Now(); !Eval[bool](b, "Boolean("+expression+")"); {
		if time.Since(begun) > patience {
			b.t.Fatalf("it never came to %s", expression)
		}
		b.Do(chromedp.Sleep(50 * time.Millisecond))
	}
}

// Sound checks that nothing went wrong and that no address was asked for but
// those that begin with prefix.
func (b *Browser) Sound(prefix string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, fault := range b.faults {
		b.t.Errorf("the browser complains: %s", fault)
	}
	for _, address := range b.requests {
		own := strings.HasPrefix(address, "data:") // the browser's for its own inputs: the policy allows no other
		if !strings.HasPrefix(address, prefix) && address != "about:blank" && !own {
			b.t.Errorf("the page asks for %s", address)
		}
	}
	if len(b.requests) < 4 {
		b.t.Errorf("the page made %d requests only: %v", len(b.requests), b.requests)
	}
}

// contrast returns the texts that are too faint, with their contrast. A canvas
// knows every notation of colours.
const contrast = `(() => {
  const draw = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d", {willReadFrequently: true});
  const shade = (layers) => {
    draw.clearRect(0, 0, 1, 1);
    for (const c of layers) { draw.fillStyle = c; draw.fillRect(0, 0, 1, 1); }
    return [...draw.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest(".hidden, script, template, svg")) continue;
    const layers = [];
    for (let a = e; a; a = a.parentElement) layers.unshift(getComputedStyle(a).backgroundColor);
    const back = light(shade(layers));
    const ink = light(shade([...layers, getComputedStyle(e).color]));
    const ratio = (Math.max(ink, back) + 0.05) / (Math.min(ink, back) + 0.05);
    if (ratio < 4.5) faint.push(walk.currentNode.data.trim() + " " + ratio.toFixed(2));
  }
  return faint;
})()`

// overflow returns what stands out of the page at its side.
const overflow = `[...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && !e.closest(".hidden") &&
  (e.getBoundingClientRect().right > innerWidth + 0.5 || e.getBoundingClientRect().left < -0.5)).map((e) => e.outerHTML.slice(0, 80))`

// Readable checks the page at several widths in both schemes.
func (b *Browser) Readable() {
	b.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{320, 390, 1024} {
			b.Phone(width, scheme)
			if wide := Eval[[]string](b, overflow); len(wide) > 0 {
				b.t.Errorf("at %d px there stands out: %v", width, wide)
			}
			if got := Eval[int64](b, `document.documentElement.scrollWidth`); got > width {
				b.t.Errorf("at %d px the page is %d wide", width, got)
			}
			if faint := Eval[[]string](b, contrast); len(faint) > 0 {
				b.t.Errorf("in the %s there is too faint: %v", scheme, faint)
			}
		}
		back := Eval[string](b, `getComputedStyle(document.body).backgroundColor`)
		if want := map[string]string{"light": "rgb(243, 244, 243)", "dark": "rgb(16, 20, 18)"}[scheme]; back != want {
			b.t.Errorf("in the %s the page is %s", scheme, back)
		}
	}
}

// Named checks that what a screen reader announces has a name.
func (b *Browser) Named(want ...string) {
	b.t.Helper()
	nodes := Call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes
	value := func(v *accessibility.Value) string {
		var text string
		if v != nil {
			_ = json.Unmarshal(v.Value, &text) // what is no text names nothing
		}
		return text
	}
	seen := map[string]bool{}
	for _, n := range nodes {
		role, name := value(n.Role), value(n.Name)
		if n.Ignored {
			continue
		}
		seen[role+" "+name] = true
		switch role {
		case "link", "button", "switch", "textbox", "log", "progressbar", "image", "heading", "rowheader", "columnheader", "region", "RootWebArea":
			if name == "" {
				b.t.Errorf("a %s has no name", role)
			}
		}
	}
	for _, w := range want {
		if !seen[w] {
			b.t.Errorf("a screen reader finds no %s", w)
		}
	}
}

// Keyboard walks so many steps with the tab key and checks that it comes by some
// elements in this order, by their texts.
func (b *Browser) Keyboard(steps int, want ...string) {
	b.t.Helper()
	var walked []string
	for range steps {
		b.Do(chromedp.KeyEvent(kb.Tab))
		walked = append(walked, Eval[string](b, `(() => {
			const e = document.activeElement;
			return e === document.body ? "" : e.innerText.trim() + (getComputedStyle(e).outlineStyle === "none" ? " without a mark" : "");
		})()`))
	}
	if path := strings.Join(walked, "|"); !strings.Contains(path, strings.Join(want, "|")) {
		b.t.Errorf("the tab key leads to %s", path)
	}
}
