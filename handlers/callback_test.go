package handlers

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/services/wechat"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	const echo = "4375120948345356249"
	good := url.Values{
		"signature": {"f464b24fc39322e44b38aa78f5edd27bd1441696"},
		"timestamp": {"1714036504"}, "nonce": {"1514711492"}, "echostr": {echo},
	}
	with := func(key, value string) url.Values {
		q := url.Values{}
		for k, v := range good {
			q[k] = v
		}
		q.Set(key, value)
		return q
	}
	for mode, edit := range map[string]func(*setup){"plain": func(*setup) {}, "safe": safe} {
		a := newAccount(t, edit, func(c *setup) { c.Token = "AAAAA" })
		for _, tt := range []struct {
			name   string
			query  url.Values
			status int
			body   string
		}{
			{"V1", good, http.StatusOK, echo},
			{"echostr as it came", with("echostr", "<b>%d&甲</b>"), http.StatusOK, "<b>%d&甲</b>"},
			{"wrong signature", with("signature", strings.Repeat("0", 40)), http.StatusForbidden, "Forbidden"},
			{"another nonce", with("nonce", "1"), http.StatusForbidden, "Forbidden"},
			{"no signature", with("signature", ""), http.StatusForbidden, "Forbidden"},
			{"no echostr", with("echostr", ""), http.StatusBadRequest, "Bad Request"},
			{"nothing", nil, http.StatusForbidden, "Forbidden"},
		} {
			rec := a.do(http.MethodGet, "/wechat?"+tt.query.Encode(), nil)
			if rec.Code != tt.status || rec.Body.String() != tt.body {
				t.Errorf("%s, %s: %d %q, want %d %q", mode, tt.name, rec.Code, rec.Body, tt.status, tt.body)
			}
			if ct := rec.Header().Get("Content-Type"); ct != "text/plain; charset=utf-8" {
				t.Errorf("%s, %s: content type %q", mode, tt.name, ct)
			}
			if rec.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s, %s: a browser may sniff it", mode, tt.name)
			}
		}
	}
}

func TestTextIsAnswered(t *testing.T) {
	t.Parallel()
	for mode, edit := range map[string]func(*setup){"plain": func(*setup) {}, "safe": safe} {
		a := newAccount(t, edit)
		for i, text := range []string{"openid", "群发 🎉", "<b>&amp;", "]]]]><![CDATA[>", strings.Repeat("群", 700)} {
			rec := a.push(textMsg(text, int64(i+1)))
			want := wechat.FitText("re: " + strings.ReplaceAll(text, "]]]]><![CDATA[>", "]]>"))
			if got := a.reply(t, rec); got != want || len(got) > wechat.MaxText {
				t.Errorf("%s: reply to %q is %q", mode, text, got)
			}
			if plain := strings.Contains(rec.Body.String(), "re: "); plain == (a.AESKey != "") {
				t.Errorf("%s: body is %q", mode, rec.Body)
			}
		}
	}
}

func TestNoTwoEncryptedRepliesAreAlike(t *testing.T) {
	t.Parallel()
	a := newAccount(t, safe)
	one, two := a.push(textMsg("hi", 1)), a.push(textMsg("hi", 1))
	if one.Body.String() == two.Body.String() {
		t.Errorf("two replies are the same: %q", one.Body)
	}
}

func TestJSONIsAnsweredInJSON(t *testing.T) {
	t.Parallel()
	const msg = `{"ToUserName":"gh_1","FromUserName":"oA","CreateTime":1,"MsgType":"text","Content":"hi","MsgId":1}`
	a := newAccount(t)
	rec := a.push(msg)
	if ct := rec.Header().Get("Content-Type"); ct != "application/json; charset=utf-8" || !strings.Contains(rec.Body.String(), `"re: hi"`) {
		t.Errorf("plain: %s %q", ct, rec.Body)
	}
	a = newAccount(t, safe)
	q, encrypted := a.encrypted(testNow, msg, testAppID)
	rec = a.post(q, `{"ToUserName":"gh_1","Encrypt":"`+encrypted+`"}`)
	if ct := rec.Header().Get("Content-Type"); ct != "application/json; charset=utf-8" || !strings.Contains(rec.Body.String(), `"MsgSignature"`) {
		t.Errorf("safe: %s %q", ct, rec.Body)
	}
}

// The callback gets all of V4 (envelope_test.go), at the time of its timestamp.
func TestThePublishedVectorIsAccepted(t *testing.T) {
	t.Parallel()
	a := newAccount(t, func(c *setup) {
		c.AppID, c.Token, c.AESKey = "wxb11529c136998cb6", "pamtest", v4AESKey
		c.Now = func() time.Time { return time.Unix(1458300676, 0) }
	})
	rec := a.post(url.Values{
		"timestamp": {"1458300676"}, "nonce": {"260774613"}, "encrypt_type": {"aes"},
		"msg_signature": {"4f3ad57b6989f09f4eb392acce4f9e93942ed890"},
	}, encryptedBody(v4Encrypt))
	if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Body.String(), "<xml><Encrypt>") {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
	if diff := cmp.Diff([]string{"text asdasdasdsadasd hello m:asdasdasdsadasd:12345"}, a.calls()); diff != "" {
		t.Error(diff)
	}
}

func TestEventsReachTheirService(t *testing.T) {
	t.Parallel()
	for mode, edit := range map[string]func(*setup){"plain": func(*setup) {}, "safe": safe} {
		for _, tt := range []struct{ name, msg, want string }{
			{"subscribe", eventMsg("subscribe", "<EventKey>qrscene_7</EventKey>"), "subscribed " + testSender + " 1395658920 qrscene_7"},
			{"unsubscribe", eventMsg("unsubscribe", ""), "unsubscribed " + testSender + " 1395658920"},
			{"receipt", receiptMsg, "receipt 3557254367693750277 failed:user block"},
			{"no CreateTime", strings.Replace(eventMsg("unsubscribe", ""), "1395658920", "0", 1), "unsubscribed " + testSender + " " + strconv.FormatInt(testNow.Unix(), 10)},
			{"unknown event", eventMsg("debug_demo", ""), ""},
			{"menu click", eventMsg("CLICK", "<EventKey>k</EventKey>"), ""},
			{"place", eventMsg("LOCATION", "<Latitude>1.5</Latitude>"), ""},
		} {
			a := newAccount(t, edit)
			rec := a.push(tt.msg)
			// It is plain in safe mode too.
			if rec.Code != http.StatusOK || rec.Body.String() != "success" {
				t.Errorf("%s, %s: %d %q", mode, tt.name, rec.Code, rec.Body)
			}
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			if diff := cmp.Diff(want, a.calls()); diff != "" {
				t.Errorf("%s, %s: (-want +got)\n%s", mode, tt.name, diff)
			}
		}
	}
}

func TestEmptyReplyIsSuccess(t *testing.T) {
	t.Parallel()
	a := newAccount(t, safe, func(c *setup) {
		c.text = func(context.Context, incoming) (outgoing, error) { return outgoing{}, nil }
	})
	if rec := a.push(textMsg("hi", 1)); rec.Body.String() != "success" {
		t.Errorf("body %q", rec.Body)
	}
}

// A body of the compatible mode has plain fields beside Encrypt. Forged ones have
// no effect.
func TestCompatibleModeReadsTheEncryptedPartOnly(t *testing.T) {
	t.Parallel()
	a := newAccount(t, safe)
	q, encrypted := a.encrypted(testNow, textMsg("openid", 7), testAppID)
	forged := strings.ReplaceAll(textMsg("broadcast all", 8), testSender, "oForgedForgedForgedForged123")
	rec := a.post(q, strings.Replace(forged, "</xml>", "<Encrypt><![CDATA["+encrypted+"]]></Encrypt></xml>", 1))
	if got := a.reply(t, rec); got != "re: openid" {
		t.Errorf("reply %q", got)
	}
	if diff := cmp.Diff([]string{"text " + testSender + " openid m:" + testSender + ":7"}, a.calls()); diff != "" {
		t.Error(diff)
	}
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	// As long as is allowed, and one byte longer.
	fill := func(n int) string {
		msg := textMsg("hi", 1)
		return msg + strings.Repeat(" ", n-len(msg))
	}
	for _, tt := range []struct {
		name    string
		size    int
		chunked bool
		status  int
	}{
		{"1 MiB", maxBody, false, 200},
		{"1 MiB, chunked", maxBody, true, 200},
		{"a byte over", maxBody + 1, false, 413},
		{"a byte over, chunked", maxBody + 1, true, 413},
		{"8 MiB", 8 << 20, false, 413},
		{"8 MiB, chunked", 8 << 20, true, 413},
	} {
		a := newAccount(t)
		server := httptest.NewServer(a)
		var body io.Reader = strings.NewReader(fill(tt.size))
		if tt.chunked {
			body = io.MultiReader(body) // hides its length
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/wechat?"+a.query(testNow).Encode(), body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		_ = res.Body.Close()
		server.Close()
		if res.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", tt.name, res.StatusCode, tt.status)
		}
	}
	// Without a signature the body is not read.
	a := newAccount(t)
	body := strings.NewReader(strings.Repeat("x", 8<<20))
	if rec := a.do(http.MethodPost, "/wechat", io.MultiReader(body)); rec.Code != http.StatusForbidden || body.Len() != 8<<20 {
		t.Errorf("unsigned: %d, %d bytes read", rec.Code, 8<<20-body.Len())
	}
}

func TestBrokenBodyIsRefused(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	rec := a.do(http.MethodPost, "/wechat?"+a.query(testNow).Encode(),
		io.MultiReader(strings.NewReader("<xml>"), brokenReader{}))
	if rec.Code != http.StatusBadRequest {
		t.Errorf("%d", rec.Code)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func FuzzCallback(f *testing.F) {
	f.Add("", "", false, false)
	f.Add("openid="+testSender, textMsg("hi", 1), true, false)
	f.Add("", receiptMsg, true, true)
	f.Add("encrypt_type=aes&msg_signature=1", encryptedBody(v4Encrypt), false, true)
	f.Add("timestamp=9&timestamp=%zz;&nonce=", v2Plain, true, true)
	accounts := map[bool]*account{false: newAccount(f), true: newAccount(f, safe)}
	f.Fuzz(func(t *testing.T, query, body string, sign, inSafeMode bool) {
		a := accounts[inSafeMode]
		if sign {
			q := a.query(testNow)
			if inSafeMode && body != "" {
				var encrypted string
				q, encrypted = a.encrypted(testNow, body, testAppID)
				body = encryptedBody(encrypted)
			}
			query = q.Encode() + "&" + query
		}
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			rec := httptest.NewRecorder()
			a.ServeHTTP(rec, &http.Request{
				Method: method, URL: &url.URL{Path: "/wechat", RawQuery: query}, Header: http.Header{},
				Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1,
			})
			switch rec.Code {
			case 200, 400, 403, 413:
			default:
				t.Fatalf("%s: status %d", method, rec.Code)
			}
			if rec.Code == 200 && !sign && method == http.MethodPost {
				t.Fatalf("took what nobody signed: %q %q", query, body)
			}
		}
	})
}
