package console_test

import (
	"net"
	"net/http"
	"net/http/httptest"
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
	b.Readable()
	b.Named("Log out")
	b.Sound(address)
	b.Open(address + "/console/?lang=zh")
	b.Until(`document.querySelector("h1")?.textContent === "后台"`)
	b.Do(chromedp.Click("header button"))
	b.Until(`document.querySelector("h1")?.textContent === "已退出后台" || document.querySelector("h1")?.textContent === "You are out"`)
	b.Sound(address)
	b.Open(address + "/console/")
	b.Until(`document.querySelector("h1")?.textContent === "You are not in the console"`)
}
