package console_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/web/webtest"
)

// browse has a real browser in the console of a desk, with a person's role.
func browse(t *testing.T, set setup, openID string, role models.Role) (*desk, *webtest.Browser) {
	t.Helper()
	b := webtest.New(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	set.publicURL = "http://" + l.Addr().String()
	d := newDesk(t, set)
	server := &http.Server{Handler: d.handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	d.give(openID, role)
	b.Phone(320, "light")
	b.Open(d.public + d.link(openID))
	b.Until(`document.querySelector("nav")`)
	return d, b
}

// fill has the page a file to upload: a browser lets no script choose one of the disk.
func fill(b *webtest.Browser, name, content string) {
	webtest.Eval[bool](b, fmt.Sprintf(`(() => {
		const files = new DataTransfer();
		files.items.add(new File([%q], "people.csv", {type: "text/csv"}));
		document.querySelector("#list-file").files = files.files;
		document.querySelector("#list-name").value = %q;
		document.querySelector("#list-file").form.requestSubmit();
		return true;
	})()`, content, name))
}

// check holds a page to what everybody can read and use, and takes pictures of it.
func check(t *testing.T, b *webtest.Browser, name string) {
	t.Helper()
	b.Accessible()
	photograph(b, name)
	b.Readable()
}

// TestBrowserPeople looks at the pages of people as an owner.
func TestBrowserPeople(t *testing.T) {
	d, b := browse(t, setup{language: "en"}, owner, models.Owner)
	d.shows("读书会的老读者 <b>x</b>")
	for _, page := range []struct{ name, path string }{
		{"people", "people?q=Anna"},
		{"person", "people/" + anna},
		{"topics", "topics?edit=" + url.QueryEscape("News 读书会的老读者 <b>x</b>")},
		{"testers", "testers"},
		{"admins", "admins"},
		{"audit", "audit"},
	} {
		b.Open(d.public + "/console/" + page.path)
		check(t, b, "en-"+page.name)
	}
	b.Named("heading Audit", "link Download CSV", "combobox Action")
	b.Sound(d.public)
}

// TestBrowserLists looks at the lists as an editor and uploads some.
func TestBrowserLists(t *testing.T) {
	d, b := browse(t, setup{language: "zh"}, ben, models.Editor)
	d.shows("读书会的老读者 <b>x</b>")
	b.Open(d.public + "/console/lists/rows?name=" + url.QueryEscape("Old 读书会的老读者 <b>x</b>"))
	check(t, b, "zh-list")
	b.Open(d.public + "/console/lists")
	check(t, b, "zh-lists")
	fill(b, "new readers", "openid,姓名,座位\n"+modelstest.OpenID(1)+",小林,12\n"+anna+",小王,\nxx,,\n")
	b.Until(`document.querySelector("[name=skip]")`)
	check(t, b, "zh-upload")
	webtest.Eval[bool](b, `(document.querySelector("[name=skip]").click(), document.querySelector("[name=skip]").form.requestSubmit(), true)`)
	b.Until(`document.querySelector("[role=status]")`)
	if d.sizes() != "new readers 2; Old 读书会的老读者 <b>x</b> 2" {
		t.Error(d.sizes())
	}
	b.Open(d.public + "/console/lists")
	fill(b, "new readers", "openid\n"+anna+"\n")
	b.Until(`document.querySelector("#would")`)
	webtest.Eval[bool](b, `(document.querySelector("[name=proof]").form.requestSubmit(), true)`)
	b.Until(`document.querySelector("kbd")`)
	check(t, b, "zh-replace")
	b.Open(d.public + "/console/lists")
	fill(b, "new readers", "PK\x03\x04")
	b.Until(`document.querySelector("[role=alert]")`)
	check(t, b, "zh-fault")
}

// photograph takes pictures of a page into the folder that SCREENSHOTS names.
func photograph(b *webtest.Browser, name string) {
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		b.Phone(320, scheme)
		b.Picture(filepath.Join(folder, name+"-320-"+scheme+".png"))
		b.Window(1200, 900, scheme)
		b.Picture(filepath.Join(folder, name+"-1200-"+scheme+".png"))
	}
}
