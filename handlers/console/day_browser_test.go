package console_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"wechat-broadcast/models"
	"wechat-broadcast/simulator"
	"wechat-broadcast/web/webtest"
)

// readers is how many people joined the topic that the day's broadcast goes to.
const readers = 24

// day is a sender's day with the console.
type day struct {
	*desk
	b        *webtest.Browser
	t        *testing.T
	language string
	// readers are those who joined the topic.
	readers []string
}

// TestBrowserOperatorsDay plays a day of a sender, from the link to the way out. Its
// broadcast reaches everybody whom it is for exactly once.
func TestBrowserOperatorsDay(t *testing.T) {
	languages := []string{"zh"} // the other tests are in English
	if os.Getenv("SCREENSHOTS") != "" {
		languages = []string{"zh", "en"}
	}
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			d := newDay(t, language)
			d.comesIn()
			d.writes()
			d.triesTheMessage()
			d.choosesPeople()
			d.confirms()
			d.followsAndPauses()
			d.resumesAndFinishes()
			d.looksSomebodyUp()
			d.makesAList()
			d.leaves()
		})
	}
}

func newDay(t *testing.T, language string) *day {
	t.Helper()
	d := &day{b: webtest.New(t), t: t, language: language}
	d.desk = listening(t, setup{language: language, followers: readers + 5})
	d.give(anna, models.Sender)
	err := d.store.ChangeRecipient(t.Context(), ben, func(r *models.Recipient) { r.Tester, r.Name = true, "小本" })
	if err != nil {
		t.Fatal(err)
	}
	d.say(owner, "topics add 读书会 每月一次")
	for _, follower := range d.sim.Missing(readers + 8) {
		if follower.OpenID != owner && follower.OpenID != anna && follower.OpenID != ben && len(d.readers) < readers {
			d.readers = append(d.readers, follower.OpenID)
			d.say(follower.OpenID, "join 读书会")
		}
	}
	d.run()
	return d
}

// comesIn opens the link of the chat on a phone.
func (d *day) comesIn() {
	d.t.Helper()
	d.b.Phone(320, "light")
	d.b.Open(d.public + d.link(anna))
	d.b.Until(`location.pathname === "/console/" && document.querySelector("#next")`)
	d.picture("home")
}

// picture takes pictures of a page, if they are wanted.
func (d *day) picture(name string) {
	d.t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	for _, width := range []int64{1200, 320} { // the phone last: the day goes on with it
		if width == 320 {
			d.b.Phone(width, "light")
		} else {
			d.b.Window(width, 900, "light")
		}
		data, err := d.b.Whole()
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, fmt.Sprintf("day-%s-%s-%d.png", name, d.language, width)), data, 0o600)
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
}

// writes makes a message from a template, by the names of its fields.
func (d *day) writes() {
	d.t.Helper()
	d.b.Do(chromedp.Click(`nav.next a[href$="write"]`), chromedp.WaitVisible("#template"))
	webtest.Eval[any](d.b, `document.querySelector("#template").value = "`+template+`"`)
	d.b.Do(chromedp.Click(`form.inline button`), chromedp.WaitVisible("#draft"))
	if got := d.b.Text(`label[for=f-thing1]`); got != "通知内容" {
		d.t.Errorf("the field is called %s", got)
	}
	for selector, text := range map[string]string{"#name": "闭馆", "#f-thing1": "周五闭馆", "#f-time2": "{date}", "#f-keyword3": "请相互转告"} {
		typed(d.b, selector, text)
	}
	d.b.Until(`document.querySelector("#sketch .fits") && document.querySelector("#sketch .card").textContent.includes("周五闭馆")`)
	d.picture("write")
}

// triesTheMessage saves the message, and sends it to the sender and to the test list.
func (d *day) triesTheMessage() {
	d.t.Helper()
	for _, do := range []string{"save", "me", "test"} {
		// The page has no answer but that of the button that was clicked.
		webtest.Eval[any](d.b, `document.querySelector(".reply")?.remove()`)
		d.b.Do(chromedp.Click("button[value="+do+"]"), chromedp.WaitVisible(".reply"))
		if webtest.Eval[bool](d.b, `document.querySelector(".reply").classList.contains("reason")`) {
			d.t.Fatalf("%s is answered %s", do, d.b.Text(".reply"))
		}
	}
	d.picture("tried")
	d.eventually("the trials", func() bool { return d.received(anna) == 1 && d.received(ben) == 1 })
	if got, _ := d.sim.Ledger(anna); !strings.Contains(fmt.Sprint(got), "周五闭馆") {
		d.t.Errorf("the sender received %+v", got)
	}
}

// choosesPeople chooses the topic, sees to how many it goes, and gets a line to confirm it.
func (d *day) choosesPeople() {
	d.t.Helper()
	d.b.Do(chromedp.Click(`main a[href*="send?message="]`), chromedp.WaitVisible("#send"))
	d.b.Do(chromedp.Click("input[name=to][value=topic]"), chromedp.Click("[name='in.topic']"))
	d.b.Until(fmt.Sprintf(`document.querySelector("#people")?.textContent === "%d" && document.querySelector(".says")?.textContent.includes("读书会")`, readers))
	d.picture("send")
	d.b.Do(chromedp.Click("button[value=prepare]"), chromedp.WaitVisible("#confirm-line"))
	d.picture("confirm")
	d.wantBroadcasts(2)
	for _, openID := range d.readers {
		if n := d.received(openID); n != 0 {
			d.t.Errorf("%s received %d before it was confirmed", openID, n)
		}
	}
}

// confirms sends the line in the chat. The platform lets some of the sends in for now.
func (d *day) confirms() {
	d.t.Helper()
	if err := d.sim.SetFaults(simulator.Faults{WaitAfter: 2 + readers/3}); err != nil {
		d.t.Fatal(err)
	}
	reply := d.say(anna, d.b.Text("#confirm-line"))
	if !strings.Contains(reply, "#3") || !strings.Contains(reply, fmt.Sprint(readers)) {
		d.t.Errorf("confirmed with %s", reply)
	}
	d.eventually("the first sends", func() bool { return d.total() == readers/3 })
}

// followsAndPauses follows the broadcast live and pauses it.
func (d *day) followsAndPauses() {
	d.t.Helper()
	d.b.Open(d.public + "/console/")
	d.b.Do(chromedp.Click(`main a[href$="broadcasts/3"]`), chromedp.WaitVisible("#page"))
	d.b.Until(`document.querySelector("#live").dataset.live === "live"`)
	d.b.Until(fmt.Sprintf(`document.querySelector("[data-t=done]").textContent.includes("%d")`, readers))
	d.picture("broadcast")
	d.b.Do(chromedp.Click("form[action$='/pause'] button"), chromedp.WaitVisible("section[role=status]"))
	d.state(models.Paused)
	if n := d.total(); n != readers/3 {
		d.t.Errorf("paused it reached %d", n)
	}
	// What waits at the platform goes out; nobody new is tried.
	if err := d.sim.SetFaults(simulator.Faults{}); err != nil {
		d.t.Fatal(err)
	}
}

// resumesAndFinishes resumes the broadcast by a line in the chat, and sees it finish.
func (d *day) resumesAndFinishes() {
	d.t.Helper()
	d.b.Open(d.public + at(3, ""))
	d.picture("paused")
	d.b.Do(chromedp.Click("form[action$='/resume'] button"), chromedp.WaitVisible("#confirm-line"))
	d.state(models.Paused)
	line := d.b.Text("#confirm-line")
	d.b.Open(d.public + at(3, ""))
	d.b.Until(`document.querySelector("#live").dataset.live === "live"`)
	if reply := d.say(anna, line); !strings.Contains(reply, "#3") {
		d.t.Errorf("resumed with %s", reply)
	}
	d.b.Until(`document.querySelector("#page").dataset.state === "finished"`)
	d.picture("finished")
	for _, openID := range d.readers {
		if n := d.received(openID); n != 1 {
			d.t.Errorf("%s received %d", openID, n)
		}
	}
	if got := d.total(); got != readers {
		d.t.Errorf("it reached %d people, want %d", got, readers)
	}
	webtest.Eval[any](d.b, `(fetch(document.querySelector("a[download]").href).then(async (r) => { window.csv = await r.text(); }), null)`)
	d.b.Until(`window.csv`)
	table := webtest.Eval[string](d.b, `window.csv`)
	for _, openID := range d.readers {
		if strings.Count(table, openID) != 1 {
			d.t.Errorf("the table has %s %d times", openID, strings.Count(table, openID))
		}
	}
}

// looksSomebodyUp finds the test list's person by name, and the broadcast that a reader was
// sent.
func (d *day) looksSomebodyUp() {
	d.t.Helper()
	d.b.Do(chromedp.Click(`.nav a[href$="people"]`), chromedp.WaitVisible("#q"))
	typed(d.b, "#q", "小本")
	d.b.Do(chromedp.Click("form.search button"), chromedp.WaitVisible("#found"))
	d.picture("people")
	d.b.Do(chromedp.Click(`main a[href$="people/`+ben+`"]`), chromedp.WaitVisible("#sent"))
	d.b.Do(chromedp.WaitVisible(`main a[href$="broadcasts/2"]`))
	d.b.Open(d.public + "/console/people/" + d.readers[0])
	d.picture("person")
	d.b.Do(chromedp.Click(`main a[href$="broadcasts/3"]`), chromedp.WaitVisible("#outcomes"))
}

// makesAList uploads a list and makes it.
func (d *day) makesAList() {
	d.t.Helper()
	d.b.Do(chromedp.Click(`.nav a[href$="lists"]`), chromedp.WaitVisible("#list-file"))
	fill(d.b, "老读者", "openid,姓名\n"+d.readers[0]+",小林\n"+d.readers[1]+",小王\n")
	d.b.Do(chromedp.WaitVisible("[name=proof] ~ button"))
	d.picture("upload")
	d.b.Do(chromedp.Click("[name=proof] ~ button"), chromedp.WaitVisible("[role=status]"))
	if got := d.sizes(); got != "老读者 2" {
		d.t.Errorf("the lists are %s", got)
	}
	d.b.Open(d.public + "/console/lists")
	d.picture("lists")
}

// leaves looks at the audit and leaves by the chat; the page is closed then.
func (d *day) leaves() {
	d.t.Helper()
	d.b.Do(chromedp.Click(`.nav a[href$="audit"]`), chromedp.WaitVisible("#done"))
	d.picture("audit")
	audit := d.b.Text("main")
	for _, want := range []string{"#3", "老读者", "闭馆", ben, d.readers[0]} {
		if !strings.Contains(audit, want) {
			d.t.Errorf("the audit has no %s:\n%s", want, audit)
		}
	}
	d.b.Sound(d.public)
	d.say(anna, "console out")
	d.b.Open(d.public + at(3, ""))
	d.b.Until(`!document.querySelector("nav") && document.querySelector("h1")`)
	d.picture("out")
	if body := d.b.Text("main"); strings.Contains(body, "闭馆") {
		d.t.Errorf("who is out sees\n%s", body)
	}
}

// received is how many messages a person received.
func (d *day) received(openID string) int {
	messages, _ := d.sim.Ledger(openID)
	return len(messages)
}

// total is how many messages the readers received.
func (d *day) total() (n int) {
	for _, openID := range d.readers {
		n += d.received(openID)
	}
	return n
}

// state makes sure of the state of the broadcast to the readers.
func (d *day) state(want models.BroadcastState) {
	d.t.Helper()
	if found, err := d.store.FindBroadcast(d.t.Context(), 3); err != nil || found.State != want {
		d.t.Errorf("it is %+v, %v, want %s", found, err, want)
	}
}

func (d *day) eventually(what string, holds func() bool) {
	d.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); !holds(); <-tick.C {
		if time.Since(begun) > 2*time.Minute {
			d.t.Fatalf("it never came to %s", what)
		}
	}
}
