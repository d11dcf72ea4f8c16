package handlers

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/silenceper/wechat/v2/util"
)

// knowsHelp has the chat know the one text "help".
func knowsHelp(c *setup) { c.knows = func(text string, _ bool) bool { return text == "help" } }

func unknownText(mode string) func(*setup) { return func(c *setup) { c.UnknownText = mode } }

// asJSON is a message as an account sends it whose data format is JSON.
func asJSON(kind string, fields map[string]any) string {
	all := map[string]any{"ToUserName": testGH, "FromUserName": testSender, "CreateTime": 1395658920, "MsgType": kind}
	for name, value := range fields {
		all[name] = value
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// accounts are the four sorts of accounts by mode and format: what each makes of a
// message of a kind with an EventKey, an Event or a Content.
func accounts() map[string]struct {
	edit func(*setup)
	msg  func(kind, event, words string, id int) string
} {
	inXML := func(kind, event, words string, id int) string {
		if kind == "event" {
			return eventMsg(event, "<EventKey><![CDATA["+words+"]]></EventKey>")
		}
		if kind == "text" {
			return textMsg(words, int64(id))
		}
		return xmlMsg(kind, "<MsgId>"+string(rune('0'+id))+"</MsgId>")
	}
	inJSON := func(kind, event, words string, id int) string {
		if kind == "event" {
			return asJSON(kind, map[string]any{"Event": event, "EventKey": words})
		}
		return asJSON(kind, map[string]any{"Content": words, "MsgId": id})
	}
	type account = struct {
		edit func(*setup)
		msg  func(kind, event, words string, id int) string
	}
	return map[string]account{
		"plain, XML":  {func(*setup) {}, inXML},
		"safe, XML":   {safe, inXML},
		"plain, JSON": {func(*setup) {}, inJSON},
		"safe, JSON":  {safe, inJSON},
	}
}

// said reads an answer in either format and mode: its MsgType, with the text behind it;
// "success" if there is none.
func (a *account) said(tb testing.TB, rec *httptest.ResponseRecorder) string {
	tb.Helper()
	body := rec.Body.Bytes()
	if rec.Code != http.StatusOK {
		tb.Fatalf("%d %q", rec.Code, body)
	}
	if string(body) == success {
		return success
	}
	isJSON := body[0] == '{'
	decode := func(body []byte, v any) {
		tb.Helper()
		var err error
		if isJSON {
			err = json.Unmarshal(body, v)
		} else {
			err = xml.Unmarshal(body, v)
		}
		if err != nil {
			tb.Fatalf("read %q: %v", body, err)
		}
	}
	if a.AESKey != "" {
		var e struct {
			XMLName xml.Name `xml:"xml" json:"-"`
			Encrypt string
		}
		decode(body, &e)
		var err error
		if _, body, err = util.DecryptMsg(testAppID, e.Encrypt, testAESKey); err != nil {
			tb.Fatalf("decrypt: %v", err)
		}
	}
	var m struct {
		XMLName                                    xml.Name `xml:"xml" json:"-"`
		ToUserName, FromUserName, MsgType, Content string
		CreateTime                                 int64
	}
	decode(body, &m)
	if m.ToUserName != testSender || m.FromUserName != testGH || m.CreateTime != testNow.Unix() {
		tb.Errorf("the envelope is wrong: %s", body)
	}
	return strings.TrimSuffix(m.MsgType+" "+m.Content, " ")
}

func TestWhatIsNotActedOnGetsWhatTheModeSays(t *testing.T) {
	t.Parallel()
	const transfer, hint = "transfer_customer_service", "text " + testOnlyTexts
	for name, sort := range accounts() {
		for _, tt := range []struct {
			mode                              string
			text, image, click, event, follow string
		}{
			{"", "text re: hello", hint, success, success, success},
			{unknownHint, "text re: hello", hint, success, success, success},
			{unknownSilent, success, success, success, success, success},
			{unknownCustomerService, transfer, transfer, success, success, success},
		} {
			a := newAccount(t, sort.edit, knowsHelp, unknownText(tt.mode))
			check := func(what, want, kind, event, words string, id int) {
				t.Helper()
				if got := a.said(t, a.push(sort.msg(kind, event, words, id))); got != want {
					t.Errorf("%s, %q: to %s %q, want %q", name, tt.mode, what, got, want)
				}
			}
			check("a command", "text re: help", "text", "", "help", 1)
			check("a click on a command", "text re: help", "event", "CLICK", "help", 0)
			check("a text", tt.text, "text", "", "hello", 2)
			for id, kind := range []string{"image", "voice", "video", "shortvideo", "location", "link", "hologram"} {
				want := tt.image
				if want == hint && id > 0 {
					want = success // one hint is enough for all that is sent at once
				}
				check(kind, want, kind, "", "", id+3)
			}
			check("another click", tt.click, "event", "CLICK", "V1001", 0)
			for _, event := range []string{"VIEW", "SCAN", "LOCATION", "view_miniprogram", "scancode_push"} {
				check(event, tt.event, "event", event, "help", 0)
			}
			check("a follower", tt.follow, "event", "subscribe", "", 0)
			want := []string{"text " + testSender + " help m:" + testSender + ":1"}
			if tt.text == "text re: hello" {
				want = append(want, "hello")
			}
			if calls := a.calls(); len(calls) != len(want)+2 || calls[0] != want[0] || !strings.Contains(calls[1], " help e:"+testSender+":1395658920:click:") {
				t.Errorf("%s, %q: %q reached the services", name, tt.mode, calls)
			}
		}
	}
}

// The platform delivers again what it got no answer to in time.
func TestADeliveredAgainImageGetsTheSameHint(t *testing.T) {
	t.Parallel()
	now := testNow
	a := newAccount(t, func(c *setup) { c.Now = func() time.Time { return now } })
	image := func(id string) string { return xmlMsg("image", "<MsgId>"+id+"</MsgId>") }
	for range 2 {
		if got := a.reply(t, a.push(image("1"))); got != testOnlyTexts {
			t.Errorf("the hint is %q", got)
		}
	}
	if rec := a.push(image("2")); rec.Body.String() != success {
		t.Errorf("another hint at once: %q", rec.Body)
	}
	other := strings.ReplaceAll(image("3"), testSender, strings.ToLower(testSender))
	if rec := a.push(other); !strings.Contains(rec.Body.String(), testOnlyTexts) {
		t.Errorf("somebody else gets %q", rec.Body)
	}
	now = now.Add(hintRests)
	q := a.query(now)
	if rec := a.post(q, image("4")); !strings.Contains(rec.Body.String(), testOnlyTexts) {
		t.Errorf("later: %q", rec.Body)
	}
}

func TestWelcome(t *testing.T) {
	t.Parallel()
	const welcome = "欢迎关注\n发送「帮助」看看"
	longest := strings.Repeat("欢", 682)
	for name, sort := range accounts() {
		for _, tt := range []struct{ welcome, key, want string }{
			{welcome, "", "text " + welcome},
			{welcome, "qrscene_7", "text " + welcome},
			{longest, "", "text " + longest},
			{"", "", success},
		} {
			a := newAccount(t, sort.edit, func(c *setup) { c.Welcome = tt.welcome })
			for range 3 { // it may be delivered again
				if got := a.said(t, a.push(sort.msg("event", "subscribe", tt.key, 0))); got != tt.want {
					t.Errorf("%s: %q, want %q", name, got, tt.want)
				}
			}
			if got := a.said(t, a.push(sort.msg("event", "unsubscribe", "", 0))); got != success {
				t.Errorf("%s: who leaves is told %q", name, got)
			}
			want := []string{"subscribed " + testSender + " 1395658920 " + tt.key, "unsubscribed " + testSender + " 1395658920"}
			if diff := cmp.Diff(want, a.calls()); diff != "" {
				t.Errorf("%s: -want +got:\n%s", name, diff)
			}
		}
	}
}

// Whoever could not be stored is not welcomed: the platform delivers the event again.
func TestNoWelcomeBeforeTheFollowerIsStored(t *testing.T) {
	t.Parallel()
	away := true
	a := newAccount(t, func(c *setup) {
		c.Welcome = "welcome"
		c.subscribed = func(context.Context, string, time.Time, string) error {
			if away {
				return errors.New("database is away")
			}
			return nil
		}
	})
	if rec := a.push(eventMsg("subscribe", "")); rec.Code != http.StatusInternalServerError {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
	away = false
	if got := a.reply(t, a.push(eventMsg("subscribe", ""))); got != "welcome" {
		t.Errorf("delivered again: %q", got)
	}
}

func TestAClickIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	a := newAccount(t, knowsHelp, stored(newStore(t)))
	click := func(key, at string) string {
		return strings.Replace(eventMsg("CLICK", "<EventKey>"+key+"</EventKey>"), "1395658920", at, 1)
	}
	for _, at := range []string{"1", "1", "2"} {
		if got := a.reply(t, a.push(click("help", at))); got != "re: help" {
			t.Errorf("reply %q", got)
		}
	}
	a.restart()
	if got := a.reply(t, a.push(click("help", "2"))); got != "re: help" {
		t.Errorf("after a restart: %q", got)
	}
	if calls := a.calls(); len(calls) != 2 {
		t.Errorf("two clicks, four deliveries: %q", calls)
	}
	a = newAccount(t, knowsHelp, func(c *setup) {
		c.text = func(context.Context, incoming) (outgoing, error) { return outgoing{}, errors.New("database is away") }
	})
	if got := a.reply(t, a.push(click("help", "1"))); got != testBusy {
		t.Errorf("what fails is answered %q", got)
	}
}

// What a person writes is kept as their last word in every mode, whether the program acts
// on it or not. Whoever taps a menu writes nothing.
func TestEveryTextIsTheLastWordOfItsWriter(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{unknownHint, unknownSilent, unknownCustomerService, "http://127.0.0.1:1"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			var heard []string
			a := newAccount(t, knowsHelp, unknownText(mode), func(c *setup) {
				c.heard = func(openID, text string) { heard = append(heard, openID+": "+text) }
			})
			a.push(textMsg("help", 1))
			a.push(textMsg("when do you open?", 2))
			a.push(eventMsg("CLICK", "<EventKey>help</EventKey>"))
			a.push(xmlMsg("image", "<MsgId>3</MsgId>"))
			if diff := cmp.Diff([]string{testSender + ": help", testSender + ": when do you open?"}, heard); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
