package console_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wechat-broadcast/models"
	"wechat-broadcast/web/webtest"
)

// window opens the console in a real browser, as somebody with a role.
func window(t *testing.T, set setup, openID string, role models.Role) (*webtest.Browser, *desk, string) {
	t.Helper()
	w := webtest.New(t)
	server := httptest.NewUnstartedServer(nil)
	set.publicURL = "http://" + server.Listener.Addr().String()
	d := newDesk(t, set)
	server.Config.Handler = d.handler
	server.Start()
	t.Cleanup(server.Close)
	d.give(openID, role)
	w.Phone(320, "light")
	w.Open(set.publicURL + d.link(openID))
	w.Until(`document.querySelector(".nav")`)
	return w, d, set.publicURL
}

// typed puts a text into an input as somebody who types it does.
func typed(w *webtest.Browser, selector, text string) {
	webtest.Eval[any](w, `document.querySelector("`+selector+`").value = ""`)
	w.Do(chromedp.SendKeys(selector, text))
}

func TestBrowserWrites(t *testing.T) {
	w, _, address := window(t, setup{}, anna, models.Editor)
	w.Open(address + "/console/write?template=" + template)
	typed(w, "#f-thing1", "明天闭馆") // the card is there before the name is
	w.Until(`document.querySelector("#n-thing1").textContent === "4 / 20"`)
	w.Until(`document.querySelector("#sketch .card").textContent.includes("明天闭馆")`)
	w.Until(`document.querySelector("#sketch .faults").textContent.includes("通知时间")`)
	// A word in braces goes where one was writing.
	w.Do(chromedp.Focus("#f-time2"), chromedp.Click("#sketch [data-insert='{date}']"))
	w.Until(`document.querySelector("#f-time2").value === "{date}"`)
	typed(w, "#name", "closing")
	typed(w, "#f-keyword3", "<b>请相互转告</b>")
	w.Until(`document.querySelector("#sketch .fits")`)
	w.Until(`document.querySelector("#sketch .card").textContent.includes("<b>请相互转告</b>")`)
	typed(w, "#f-thing1", strings.Repeat("长", 21))
	w.Until(`document.querySelector("#n-thing1.over").textContent === "21 / 20"`)
	w.Until(`document.querySelector("#sketch").textContent.includes("too long for WeChat")`)
	typed(w, "#f-thing1", "明天闭馆")
	w.Accessible()
	w.Readable()
	w.Named("textbox 通知内容", "textbox Name of the message", "button Save", "button Save and send to me", "heading As it looks on the phone")
	w.Do(chromedp.Click("button[value=save]"), chromedp.WaitVisible(".reply"))
	if got := w.Text(".reply"); !strings.Contains(got, "is written") {
		t.Errorf("saved with %s", got)
	}
	w.Open(address + "/console/write")
	w.Accessible()
	w.Readable()
	w.Named("link Change “closing”", "button Delete “closing”")
	w.Sound(address)
}

func TestBrowserPutsABroadcastTogether(t *testing.T) {
	w, d, address := window(t, setup{followers: 17}, anna, models.Sender)
	for _, line := range []string{"topics add Talks", "topics add Trips"} {
		d.say(anna, line)
	}
	d.say(ben, "join Talks")
	w.Open(address + "/console/send")
	w.Do(chromedp.Click("input[name=to][value=all]"))
	w.Until(`document.querySelector("#people")?.textContent === "20"`)
	// Who ticks a topic means topics; who goes back to everyone does not.
	w.Do(chromedp.Click("[data-kind=topic] summary"), chromedp.Click("[name='in.topic'][value=Talks]"))
	w.Until(`document.querySelector("#people")?.textContent === "1" && document.querySelector("input[name=to][value=topic]").checked`)
	w.Do(chromedp.Click("input[name=to][value=all]"))
	w.Until(`document.querySelector("#people")?.textContent === "20" && !document.querySelector("[name='in.topic'][value=Talks]").checked`)
	// Another message has fields of its own.
	w.Do(chromedp.SetValue("#message", "other"))
	webevent(w, "#message")
	w.Until(`document.querySelector("#outcome .card").textContent.includes("周四") && document.querySelector("[name=changes_of]").value === "other"`)
	w.Accessible()
	w.Readable()
	w.Named("radio Everyone who follows the account", "button Count", "heading What would come of it")
	w.Do(chromedp.Click("button[value=prepare]"), chromedp.WaitVisible("#confirm-line"))
	w.Accessible()
	w.Readable()
	if reply := d.say(anna, w.Text("#confirm-line")); !strings.Contains(reply, "20 followers") {
		t.Errorf("confirmed with %s", reply)
	}
	w.Sound(address)
}

// webevent tells the page that an input was changed.
func webevent(w *webtest.Browser, selector string) {
	webtest.Eval[any](w, `["input", "change"].forEach((e) => document.querySelector("`+selector+`").dispatchEvent(new Event(e, {bubbles: true})))`)
}

// TestWritePictures takes pictures into the folder that SCREENSHOTS names.
func TestWritePictures(t *testing.T) {
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		t.Skip("skipped: set SCREENSHOTS to a folder, and TEST_BROWSER, to take pictures")
	}
	for _, language := range []string{"zh", "en"} {
		w, d, address := window(t, setup{followers: 1200, language: language}, anna, models.Sender)
		d.say(anna, "topics add 读书会 每月一次")
		d.say(anna, "topics add 讲座")
		d.say(ben, "join 讲座")
		shots := func(name string) {
			for _, size := range []struct {
				width  int64
				scheme string
			}{{320, "light"}, {320, "dark"}, {1200, "light"}, {1200, "dark"}} {
				if size.width == 320 {
					w.Phone(size.width, size.scheme)
				} else {
					w.Window(size.width, 1000, size.scheme)
				}
				path := filepath.Join(folder, name+"-"+language+"-"+size.scheme+"-"+map[bool]string{true: "phone", false: "desk"}[size.width == 320]+".png")
				data, err := w.Whole()
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.Open(address + "/console/write")
		shots("write")
		w.Phone(390, "light")
		w.Open(address + "/console/write?from=notice")
		for selector, text := range map[string]string{"#f-thing1": "图书馆周三闭馆，请各位读者提前归还所借图书，谢谢配合", "#f-time2": "明天"} {
			webtest.Eval[any](w, `document.querySelector("`+selector+`").value = "`+text+`"`)
			webevent(w, selector)
		}
		w.Until(`document.querySelector("#sketch .faults")`)
		shots("draft")
		w.Open(address + "/console/send?to=topic&in.topic=%E8%AE%B2%E5%BA%A7&canary=1")
		shots("send")
	}
}
