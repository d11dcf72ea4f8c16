package console_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wechat-broadcast/web/webtest"
)

// A real browser keeps the cookie, brings it along from the page of the link on, says where
// a form comes from, and comes by the pages with no word against the policy.
func TestBrowserEntersAndLogsOut(t *testing.T) {
	b := webtest.New(t)
	var handler http.Handler
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	address := "http://" + server.Listener.Addr().(*net.TCPAddr).String()
	d := newDesk(t, setup{publicURL: address})
	handler = d.handler
	server.Start()
	t.Cleanup(server.Close)
	d.say(owner, "broadcast me notice")

	b.Phone(320, "light")
	b.Open(address + d.link(owner))
	b.Until(`document.querySelector("h1")?.textContent === "Console"`)
	b.Accessible()
	b.Readable()
	b.Sound(address)
	b.Open(address + "/console/?lang=zh")
	b.Until(`document.querySelector("h1")?.textContent === "后台"`)
	b.Do(chromedp.Click("header button"))
	b.Until(`document.querySelector("h1")?.textContent === "已退出后台" || document.querySelector("h1")?.textContent === "You are out"`)
	b.Sound(address)
	b.Open(address + "/console/")
	b.Until(`document.querySelector("h1")?.textContent === "You are not in the console"`)
	b.Accessible()
	b.Readable()
	// The page of a link goes on at once; this one stays.
	stays := (&browser{desk: d}).get(d.link(owner))
	handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/console/enter/stays" {
			_, _ = fmt.Fprint(w, strings.Replace(stays.body, `http-equiv="refresh"`, "", 1))
			return
		}
		d.handler.ServeHTTP(w, r)
	})
	b.Open(address + "/console/enter/stays")
	b.Accessible()
	b.Readable()
}
