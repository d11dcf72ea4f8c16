package handlers

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/silenceper/wechat/v2/util"
)

// existing stands in for the server that the callback went to before.
type existing struct {
	*httptest.Server
	mu    sync.Mutex
	asked []asked
}

// asked is a request that it got.
type asked struct {
	query  url.Values
	header http.Header
	body   string
}

// newExisting returns a server whose URL has a query, as many have, and which answers
// with answer.
func newExisting(tb testing.TB, answer http.HandlerFunc) *existing {
	tb.Helper()
	e := &existing{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		e.mu.Lock()
		e.asked = append(e.asked, asked{r.URL.Query(), r.Header, string(body)})
		e.mu.Unlock()
		answer(w, r)
	}))
	tb.Cleanup(e.Close)
	return e
}

func (e *existing) requests() []asked {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]asked(nil), e.asked...)
}

// handsOn has an account hand on to the server what it does not act on.
func (e *existing) handsOn(c *setup) { c.UnknownText = e.URL + "/wx.php?route=wechat" }

func saying(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// sealed is a message as a server of an account in safe mode answers it.
func sealed(msg, token, appID string, inJSON bool) string {
	encrypted, err := util.EncryptMsg([]byte("a8eedb185eb2fecf"), []byte(msg), appID, testAESKey)
	if err != nil {
		panic(err)
	}
	signature := util.Signature(token, "1713424427", "415670741", string(encrypted))
	if inJSON {
		return fmt.Sprintf(`{"Encrypt":%q,"MsgSignature":%q,"TimeStamp":1713424427,"Nonce":"415670741"}`, encrypted, signature)
	}
	return fmt.Sprintf("<xml><Encrypt><![CDATA[%s]]></Encrypt><MsgSignature><![CDATA[%s]]></MsgSignature>"+
		"<TimeStamp>1713424427</TimeStamp><Nonce><![CDATA[415670741]]></Nonce></xml>", encrypted, signature)
}

// answerXML is an answer to the sender, with the space and the field that only its
// server knows the reason of.
func answerXML(to, from string) string {
	return "\n<xml><ToUserName><![CDATA[" + to + "]]></ToUserName><FromUserName>" + from +
		"</FromUserName><CreateTime>12345678</CreateTime><MsgType><![CDATA[news]]></MsgType><ArticleCount>1</ArticleCount>" +
		"<Articles><item><Title><![CDATA[你好 <b>]]></Title></item></Articles></xml> "
}

func answerJSON(to, from string) string {
	return fmt.Sprintf(`{ "ToUserName": %q, "FromUserName": %q, "CreateTime": 12345678, "MsgType": "text", "Content": "你好" }`, to, from)
}

func TestTheExistingServerGetsTheCallbackAsItCame(t *testing.T) {
	t.Parallel()
	for name, sort := range accounts() {
		inSafeMode, inJSON := strings.HasPrefix(name, "safe"), strings.HasSuffix(name, "JSON")
		answer := answerXML(testSender, testGH)
		contentType := "application/xml; charset=utf-8"
		if inJSON {
			answer, contentType = answerJSON(testSender, testGH), "application/json; charset=utf-8"
		}
		if inSafeMode {
			answer = sealed(answer, testToken, testAppID, inJSON)
		}
		e := newExisting(t, saying(answer))
		a := newAccount(t, sort.edit, knowsHelp, e.handsOn)
		for i, tt := range []struct{ kind, event, words string }{
			{"text", "", "hello"},
			{"image", "", ""},
			{"voice", "", ""},
			{"event", "CLICK", "V1001"},
			{"event", "VIEW", "help"},
			{"event", "LOCATION", ""},
			{"event", "subscribe", "qrscene_7"},
			{"event", "unsubscribe", ""},
		} {
			msg := sort.msg(tt.kind, tt.event, tt.words, i+1)
			q, body := a.query(testNow), msg
			if inSafeMode {
				var encrypted string
				q, encrypted = a.encrypted(testNow, msg, testAppID)
				body = encryptedBody(encrypted)
				if inJSON {
					body = `{"ToUserName":"` + testGH + `", "Encrypt":"` + encrypted + `"}`
				}
			}
			q.Set("openid", testSender)
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/wechat?"+q.Encode(), strings.NewReader(body))
			req.Header.Set("Content-Type", "text/xml")
			rec := httptest.NewRecorder()
			a.ServeHTTP(rec, req)
			if rec.Code != http.StatusOK || rec.Body.String() != answer || rec.Header().Get("Content-Type") != contentType {
				t.Errorf("%s: %s %s: answered %d %q %q", name, tt.kind, tt.event, rec.Code, rec.Header().Get("Content-Type"), rec.Body)
			}
			all := e.requests()
			if len(all) != i+1 {
				t.Fatalf("%s: %s %s: %d requests, want %d", name, tt.kind, tt.event, len(all), i+1)
			}
			checkHandedOn(t, name, all[i], q, body, inSafeMode)
		}
	}
}

// checkHandedOn checks a request that the existing server got for one with the query q.
func checkHandedOn(t *testing.T, name string, got asked, q url.Values, body string, inSafeMode bool) {
	t.Helper()
	stamp, nonce := got.query.Get("timestamp"), got.query.Get("nonce")
	switch {
	case got.body != body:
		t.Errorf("%s: got the body %q, want %q", name, got.body, body)
	case got.query.Get("route") != "wechat" || got.query.Get("openid") != testSender || got.header.Get("Content-Type") != "text/xml":
		t.Errorf("%s: got the query %v and the header %v", name, got.query, got.header)
	case stamp != strconv.FormatInt(testNow.Unix(), 10) || nonce == "" || nonce == q.Get("nonce"):
		t.Errorf("%s: timestamp and nonce are %s and %s, and were %s", name, stamp, nonce, q.Get("nonce"))
	case got.query.Get("signature") != util.Signature(testToken, stamp, nonce):
		t.Errorf("%s: wrong signature", name)
	case !inSafeMode && (got.query.Has("encrypt_type") || got.query.Has("msg_signature")):
		t.Errorf("%s: %v in plain mode", name, got.query)
	case inSafeMode:
		encrypted, err := findEncrypted([]byte(got.body))
		if err != nil || got.query.Get("encrypt_type") != "aes" ||
			got.query.Get("msg_signature") != util.Signature(testToken, stamp, nonce, encrypted) {
			t.Errorf("%s: wrong msg_signature in %v, %v", name, got.query, err)
		}
	}
}

func TestWhatIsOursIsNotHandedOn(t *testing.T) {
	t.Parallel()
	e := newExisting(t, saying(success))
	a := newAccount(t, knowsHelp, e.handsOn)
	a.push(textMsg("help", 1))
	a.push(eventMsg("CLICK", "<EventKey>help</EventKey>"))
	a.push(receiptMsg)
	a.post(a.query(testNow.Add(-2*fresh)), textMsg("hello", 2)) // stale
	a.post(nil, textMsg("hello", 3))                            // unsigned
	a.push("<xml>")
	if got := e.requests(); len(got) != 0 {
		t.Errorf("handed on: %v", got)
	}
	if calls := a.calls(); len(calls) != 3 {
		t.Errorf("acted on: %q", calls)
	}
}

// A copy is judged anew: the existing server tells copies apart itself.
func TestACopyIsHandedOnAgain(t *testing.T) {
	t.Parallel()
	e := newExisting(t, saying(answerXML(testSender, testGH)))
	a := newAccount(t, knowsHelp, e.handsOn)
	for range 2 {
		if rec := a.push(textMsg("hello", 1)); rec.Body.String() != answerXML(testSender, testGH) {
			t.Errorf("answered %q", rec.Body)
		}
	}
	all := e.requests()
	if len(all) != 2 || all[0].body != all[1].body || all[0].query.Get("nonce") == all[1].query.Get("nonce") {
		t.Errorf("handed on: %v", all)
	}
}

func TestAFollowEventIsOursAndACopyIsHandedOn(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	e := newExisting(t, func(w http.ResponseWriter, _ *http.Request) { <-hang; saying("late")(w, nil) })
	a := newAccount(t, e.handsOn, func(c *setup) { c.Welcome = "welcome" })
	began := time.Now()
	if got := a.reply(t, a.push(eventMsg("subscribe", ""))); got != "welcome" {
		t.Errorf("with a welcome of ours: %q", got)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the welcome waits %s for the existing server", took)
	}
	close(hang)
	// The copy is under way, and arrives by itself.
	for until := time.Now().Add(10 * time.Second); len(e.requests()) == 0; {
		if time.Now().After(until) {
			t.Fatal("no copy was handed on")
		}
		<-time.After(10 * time.Millisecond)
	}
	if diff := cmp.Diff([]string{"subscribed " + testSender + " 1395658920 "}, a.calls()); diff != "" {
		t.Error(diff)
	}
}

// bad is an answer of the existing server that must not be returned.
type bad struct {
	name   string
	answer http.HandlerFunc
	reason string // in the log
}

func badAnswers(elsewhere string) []bad {
	good := answerXML(testSender, testGH)
	return []bad{
		{"to somebody else", saying(answerXML(strings.ToLower(testSender), testGH)), "an answer to somebody else"},
		{"to nobody", saying(answerXML("", testGH)), "an answer to somebody else"},
		{"from another account", saying(answerXML(testSender, "gh_other")), "an answer from another account"},
		{"without MsgType", saying(strings.Replace(good, "<MsgType><![CDATA[news]]></MsgType>", "", 1)), "an answer without MsgType"},
		{"JSON", saying(answerJSON(testSender, testGH)), "in another format than the account's"},
		{"words", saying("hello"), "neither XML nor JSON"},
		{"success and more", saying("success!"), "neither XML nor JSON"},
		{"a page", saying("<html><body>hello</body></html>"), "broken XML"},
		{"a part", saying(good[:len(good)/2]), "broken XML"},
		{"two", saying(good + good), "something after the XML"},
		{"a DOCTYPE", saying("<!DOCTYPE xml [<!ENTITY a \"aaaa\">]>" + strings.TrimSpace(good)), "XML with a DOCTYPE"},
		{"GBK", saying(strings.Replace(good, "你好", "\xc4\xe3\xba\xc3", 1)), "not UTF-8"},
		{"a byte over 64 KiB", saying(good + strings.Repeat(" ", maxRelayed+1-len(good))), "an answer over 64 KiB"},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, "an answer over 64 KiB"},
		{"endless headers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
			saying(good)(w, nil)
		}, "header"},
		{"status 500", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			saying(good)(w, nil)
		}, "status 500"},
		{"status 201", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			saying(good)(w, nil)
		}, "status 201"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		}, "status 307"},
		{"an image", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			saying(good)(w, nil)
		}, "by its Content-Type"},
		{"compressed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			saying("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x2b\x2e\x4d\x4e\x4e\x2d\x2e\x06\x00\x0f\xb5\xcb\xb0\x07\x00\x00\x00")(w, nil)
		}, "not UTF-8"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			saying(good)(w, nil)
			panic(http.ErrAbortHandler)
		}, "EOF"},
		{"no HTTP", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "WhatThePersonWrote\r\n\r\n")
				conn.Close()
			}
		}, "malformed HTTP"},
	}
}

// badEnvelopes are bad answers of a server in safe mode, in XML.
func badEnvelopes() []bad {
	good := sealed(answerXML(testSender, testGH), testToken, testAppID, false)
	return []bad{
		{"in the clear", saying(answerXML(testSender, testGH)), "in the clear"},
		{"another token", saying(sealed(answerXML(testSender, testGH), "AnotherToken", testAppID, false)), "wrong MsgSignature"},
		{"another time", saying(strings.Replace(good, "1713424427", "1713424428", 1)), "wrong MsgSignature"},
		{"another account", saying(sealed(answerXML(testSender, testGH), testToken, "wxother", false)), "another appid"},
		{"to somebody else", saying(sealed(answerXML("oSomebodyElse", testGH), testToken, testAppID, false)), "an answer to somebody else"},
		{"words", saying(sealed("hello", testToken, testAppID, false)), "neither XML nor JSON"},
		{"JSON in it", saying(sealed(answerJSON(testSender, testGH), testToken, testAppID, false)), "in another format"},
		{"in JSON", saying(sealed(answerXML(testSender, testGH), testToken, testAppID, true)), "in another format"},
	}
}

func TestWhatThePersonMustNotReadIsNotReturned(t *testing.T) {
	t.Parallel()
	elsewhere := newExisting(t, saying(success))
	for mode, edit := range map[string]func(*setup){"plain": func(*setup) {}, "safe": safe} {
		answers := badAnswers(elsewhere.URL)
		if mode == "safe" {
			answers = badEnvelopes()
		}
		for _, tt := range answers {
			e := newExisting(t, tt.answer)
			a := newAccount(t, edit, knowsHelp, e.handsOn)
			q, body := a.query(testNow), textMsg("WhatThePersonWrote", 1)
			if mode == "safe" {
				var encrypted string
				q, encrypted = a.encrypted(testNow, body, testAppID)
				body = encryptedBody(encrypted)
			}
			if rec := a.post(q, body); rec.Code != http.StatusOK || rec.Body.String() != success {
				t.Errorf("%s, %s: answered %d %.200q", mode, tt.name, rec.Code, rec.Body)
			}
			if log := a.log.String(); !strings.Contains(log, tt.reason) || !strings.Contains(log, "level=WARN") {
				t.Errorf("%s, %s: no %q in the log:\n%s", mode, tt.name, tt.reason, log)
			}
			if n := len(e.requests()); n != 1 {
				t.Errorf("%s, %s: asked %d times", mode, tt.name, n)
			}
			for _, secret := range []string{
				testSender, strings.ToLower(testSender), "WhatThePersonWrote", testToken, q.Get("signature"), e.requests()[0].query.Get("signature"),
			} {
				if strings.Contains(a.log.String(), secret) {
					t.Errorf("%s, %s: the log tells %q:\n%s", mode, tt.name, secret, a.log)
				}
			}
		}
	}
	if got := elsewhere.requests(); len(got) != 0 {
		t.Errorf("a redirect was followed: %v", got)
	}
}

// The platform minds no Content-Type, and neither space nor nothing is a fault.
func TestWhatServersAnswerIsReturned(t *testing.T) {
	t.Parallel()
	good := answerXML(testSender, testGH)
	for _, tt := range []struct{ name, contentType, answer, want string }{
		{"nothing", "", "", "text/plain; charset=utf-8"},
		{"success", "text/html; charset=UTF-8", "success", "text/plain; charset=utf-8"},
		{"success and a new line", "", "success\n", "text/plain; charset=utf-8"},
		{"by PHP", "text/html; charset=UTF-8", good, "application/xml; charset=utf-8"},
		{"by others", "application/xml", good, "application/xml; charset=utf-8"},
		{"the longest", "text/xml", good + strings.Repeat(" ", maxRelayed-len(good)), "application/xml; charset=utf-8"},
		{"with a byte order mark", "text/xml", "\ufeff" + strings.TrimSpace(good), "application/xml; charset=utf-8"},
	} {
		e := newExisting(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tt.contentType)
			saying(tt.answer)(w, nil)
		})
		a := newAccount(t, knowsHelp, e.handsOn)
		rec := a.push(textMsg("hello", 1))
		if rec.Code != http.StatusOK || rec.Body.String() != tt.answer || rec.Header().Get("Content-Type") != tt.want {
			t.Errorf("%s: %d %q %.100q", tt.name, rec.Code, rec.Header().Get("Content-Type"), rec.Body)
		}
		if strings.Contains(a.log.String(), "level=WARN") {
			t.Errorf("%s: %s", tt.name, a.log)
		}
	}
}

func TestADeadServerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	for _, tt := range []struct{ url, reason string }{
		{fmt.Sprintf("http://127.0.0.1:%d/wx?key=SecretOfTheURL", port), "connection refused"},
		{fmt.Sprintf("http://localhost:%d/wx?key=SecretOfTheURL", port), "connection refused"},
		// The settings refuse it; a name could mean another machine tomorrow.
		{"http://192.0.2.1/wx?key=SecretOfTheURL", "for this machine alone"},
	} {
		a := newAccount(t, knowsHelp, func(c *setup) { c.UnknownText = tt.url })
		began := time.Now()
		if rec := a.push(textMsg("hello", 1)); rec.Code != http.StatusOK || rec.Body.String() != success {
			t.Errorf("%s: %d %q", tt.url, rec.Code, rec.Body)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s took %s", tt.url, took)
		}
		if log := a.log.String(); !strings.Contains(log, tt.reason) || strings.Contains(log, "SecretOfTheURL") {
			t.Errorf("%s: want %q in %s", tt.url, tt.reason, log)
		}
	}
}

// The existing server hangs, and two hundred people write. Nobody else notices.
func TestAServerThatHangsHoldsNobodyElseUp(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"before its answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"in its answer": func(w http.ResponseWriter, r *http.Request) {
			saying("<xml>")(w, nil)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newExisting(t, answer)
			a := newAccount(t, knowsHelp, e.handsOn)
			var people sync.WaitGroup
			for i := range 200 {
				people.Go(func() {
					began := time.Now()
					rec := a.push(textMsg("hello", int64(i+1)))
					if took := time.Since(began); rec.Code != http.StatusOK || rec.Body.String() != success || took > 2*answerWithin {
						// If each waited for a place, the last would wait four times answerWithin.
						t.Errorf("answered %d %q after %s", rec.Code, rec.Body, took)
					}
				})
			}
			for until := time.Now().Add(2 * time.Second); len(e.requests()) < relaysAtOnce && time.Now().Before(until); {
				<-time.After(10 * time.Millisecond)
			}
			began := time.Now()
			if got := a.reply(t, a.push(textMsg("help", 1000))); got != "re: help" {
				t.Errorf("a command is answered %q", got)
			}
			a.push(receiptMsg)
			if took := time.Since(began); took > time.Second {
				t.Errorf("a command and a receipt took %s", took)
			}
			people.Wait()
			if n := len(e.requests()); n != relaysAtOnce {
				t.Errorf("%d were handed on at a time, want %d", n, relaysAtOnce)
			}
		})
	}
}

func TestTwoHundredAtATimeGetTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	e := newExisting(t, nil)
	e.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(20 * time.Millisecond)
		saying(answerXML(r.URL.Query().Get("openid"), testGH))(w, nil)
	})
	a := newAccount(t, knowsHelp, e.handsOn)
	var people sync.WaitGroup
	for i := range 200 {
		people.Go(func() {
			openID := fmt.Sprintf("oPerson_abcdefghijklmnopq-%03d", i)
			q := a.query(testNow)
			q.Set("openid", openID)
			rec := a.post(q, strings.ReplaceAll(textMsg("hello", 1), testSender, openID))
			if want := answerXML(openID, testGH); rec.Body.String() != want {
				t.Errorf("%s got %q", openID, rec.Body)
			}
		})
	}
	people.Wait()
}

func TestAURLThatLeadsBackHereIsNoticed(t *testing.T) {
	t.Parallel()
	var a *account
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		a.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	a = newAccount(t, knowsHelp, func(c *setup) { c.UnknownText = server.URL + "/wechat" })
	if rec := a.push(textMsg("hello", 1)); rec.Body.String() != success {
		t.Errorf("answered %q", rec.Body)
	}
	if requests != 1 || !strings.Contains(a.log.String(), "UNKNOWN_TEXT leads back here") {
		t.Errorf("%d requests:\n%s", requests, a.log)
	}
}
