package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wechat-broadcast/models"
)

func sendingTo(to string, pairs ...string) url.Values {
	v := url.Values{"message": {"notice"}, "to": {to}, "changes_of": {"notice"}}
	for pair := range slices.Chunk(pairs, 2) {
		v.Add(pair[0], pair[1])
	}
	return v
}

func TestABroadcastIsPutTogetherAndConfirmedInTheChat(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{followers: 40})
	b := d.enter(anna, models.Sender)
	b.get("/console/send").has(t, 200, "Everyone who follows", "Say to whom it goes", `value="notice" selected`)
	b.htmx("/console/send/preview", sendingTo("all")).has(t, 200, `id="people">43<`, "“notice” goes to all followers: 43 people", "broadcast all notice", "图书馆周三闭馆")
	if all, err := d.engine.List(t.Context(), 10); err != nil || len(all) != 0 {
		t.Fatalf("counting made %d broadcasts, %v", len(all), err)
	}
	// What is said otherwise this time is in the card and in the command.
	changed := sendingTo("all", "f.thing1", "周四闭馆\nkeyword3=x", "at", "2099-01-01T09:00")
	b.htmx("/console/send/preview", changed).has(t, 200, "It would be refused")
	changed.Del("at")
	b.htmx("/console/send/preview", changed).has(t, 200, "周四闭馆 keyword3=x")
	changed.Set("do", "prepare")
	p := b.post("/console/send", changed)
	p.has(t, 200, "confirm ", "goes to all followers: 43 people")
	code := confirmLine.FindStringSubmatch(p.body)
	if code == nil {
		t.Fatal("no line to confirm")
	}
	if all, err := d.engine.List(t.Context(), 10); err != nil || len(all) != 0 {
		t.Fatalf("preparing made %d broadcasts, %v", len(all), err)
	}
	if reply := d.say(anna, code[0]); !strings.Contains(reply, "43 followers") {
		t.Errorf("confirmed with %s", reply)
	}
	all, err := d.engine.List(t.Context(), 10)
	if err != nil || len(all) != 1 || !strings.Contains(all[0].Broadcast.Message, "周四闭馆 keyword3=x") {
		t.Errorf("there is %+v, %v", all, err)
	}
	// The same again is refused in the engine's words, until one says so.
	b.htmx("/console/send/preview", changed).has(t, 200, "It would be refused", "#1")
	b.htmx("/console/send/preview", sendingTo("all", "f.thing1", "周四闭馆\nkeyword3=x", "again", "1")).has(t, 200, "43 people")
	b.post("/console/send", changed).has(t, 422, "#1")
}

func TestWhatIsTickedIsWhatIsChosen(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{followers: 9})
	b := d.enter(anna, models.Sender)
	for _, line := range []string{"topics add Talks", "topics add Trips"} {
		d.say(anna, line)
	}
	d.say(ben, "join Talks")
	b.get("/console/send?to=topic&in.topic=Talks").has(t, 200, `value="Talks" checked`, "Trips")
	b.htmx("/console/send/preview", sendingTo("topic", "in.topic", "Talks", "in.topic", "Trips")).has(t, 200, `id="people">1<`)
	b.htmx("/console/send/preview", sendingTo("all", "out.topic", "Talks")).has(t, 200, `id="people">11<`)
	mixed := sendingTo("all", "in.topic", "Talks", "do", "prepare")
	b.htmx("/console/send/preview", mixed).has(t, 200, "Topics are ticked", "Everyone who follows")
	b.post("/console/send", mixed).has(t, 422, "Topics are ticked")
	for _, refused := range []url.Values{
		sendingTo("topic", "do", "prepare"), sendingTo("list", "in.list", "none", "do", "prepare"), sendingTo("rest", "do", "prepare"),
		sendingTo("", "do", "prepare"), sendingTo("me", "do", "prepare"), sendingTo("all", "message", "x", "at", "yesterday", "do", "prepare"),
	} {
		if p := b.post("/console/send", refused); p.Code != http.StatusUnprocessableEntity || confirmLine.MatchString(p.body) {
			t.Errorf("%v is answered %d:\n%s", refused, p.Code, p.body)
		}
	}
	stray := sendingTo("all", "f.thing1", "x", "do", "prepare")
	stray.Set("changes_of", "other")
	b.post("/console/send", stray).has(t, 422, "for another message")
	if p := b.htmx("/console/send/preview", stray); !strings.Contains(p.body, `hx-swap-oob`) || !strings.Contains(p.body, "图书馆周三闭馆") {
		t.Errorf("the fields are not those of the message:\n%s", p.body)
	}
}

func TestATrialNeedsNoWordAndActsOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{followers: 3})
	b := d.enter(anna, models.Sender)
	form := sendingTo("all", "in.topic", "whatever", "f.thing1", "试试", "do", "me")
	for name, v := range b.form() {
		form[name] = v
	}
	for range 2 {
		b.post("/console/send", form).has(t, 200, "→ you")
	}
	form.Set("do", "test")
	form.Del("key")
	b.post("/console/send", form).has(t, 422, "test list")
	all, err := d.engine.List(t.Context(), 10)
	if err != nil || len(all) != 1 || !strings.Contains(all[0].Broadcast.Message, "试试") {
		t.Errorf("there is %+v, %v", all, err)
	}
}

func TestOnlySendersSayToWhom(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(anna, models.Editor)
	b.get("/console/send").has(t, 403)
	b.post("/console/send", sendingTo("all", "do", "prepare")).has(t, 403)
	b.htmx("/console/send/preview", sendingTo("all")).has(t, 403)
	if p := b.get("/console/write"); p.Code != 200 || strings.Contains(p.body, "/send") || strings.Contains(p.body, `href="./send`) {
		t.Errorf("an editor is shown the way to a page that is not theirs:\n%s", p.body)
	}
	d.give(anna, models.Viewer)
	b.get("/console/write").has(t, 403)
	for _, path := range []string{"/console/write", "/console/write/preview", "/console/write/remove"} {
		b.post(path, closing("closing", "do", "save")).has(t, 403)
	}
}

// A phone on a slow network loads a page with all that it needs.
func TestPagesOfWritingAreLight(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{followers: 3})
	b := d.enter(anna, models.Sender)
	loads := regexp.MustCompile(`(?:src|href)="(?:\./)?(assets/[^"]+)"`)
	for _, path := range []string{"/console/write", "/console/write?from=notice", "/console/send?to=all"} {
		p := b.get(path)
		p.has(t, 200)
		size := len(p.body)
		for _, asset := range loads.FindAllStringSubmatch(p.body, -1) {
			size += len(b.get("/console/" + asset[1]).body)
		}
		if size < 20<<10 || size > 150<<10 {
			t.Errorf("%s weighs %d bytes with its assets", path, size)
		}
	}
}
