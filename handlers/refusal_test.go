package handlers

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/util"
)

func TestBadBodiesAreRefused(t *testing.T) {
	t.Parallel()
	for mode, edit := range map[string]func(*setup){"plain": func(*setup) {}, "safe": safe} {
		for name, tt := range badBodies() {
			a := newAccount(t, edit)
			if rec := a.push(tt.body); rec.Code != http.StatusBadRequest {
				t.Errorf("%s, %s: %d %q", mode, name, rec.Code, rec.Body)
			}
			if log := a.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, tt.reason) {
				t.Errorf("%s, %s: want one line with the reason %q: %s", mode, name, tt.reason, log)
			}
			if calls := a.calls(); len(calls) > 0 {
				t.Errorf("%s, %s: %q was acted on", mode, name, calls)
			}
		}
	}
}

func TestPlainModeRefuses(t *testing.T) {
	t.Parallel()
	text := textMsg("broadcast all", 1)
	for _, tt := range []struct {
		name   string
		status int
		push   func(a *account) *httptest.ResponseRecorder
	}{
		{"no signature", 403, func(a *account) *httptest.ResponseRecorder { return a.post(nil, text) }},
		{"wrong signature", 403, func(a *account) *httptest.ResponseRecorder {
			q := a.query(testNow)
			q.Set("signature", strings.Repeat("a", 40))
			return a.post(q, text)
		}},
		{"another timestamp", 403, func(a *account) *httptest.ResponseRecorder {
			q := a.query(testNow)
			q.Set("timestamp", strconv.FormatInt(testNow.Unix()+1, 10))
			return a.post(q, text)
		}},
		{"too old", 403, func(a *account) *httptest.ResponseRecorder {
			return a.post(a.query(testNow.Add(-fresh-time.Second)), text)
		}},
		{"from the future", 403, func(a *account) *httptest.ResponseRecorder {
			return a.post(a.query(testNow.Add(fresh+time.Second)), text)
		}},
		{"just fresh", 200, func(a *account) *httptest.ResponseRecorder { return a.post(a.query(testNow.Add(-fresh)), text) }},
		{"a little ahead", 200, func(a *account) *httptest.ResponseRecorder { return a.post(a.query(testNow.Add(fresh)), text) }},
		{"timestamp of nonsense", 403, func(a *account) *httptest.ResponseRecorder {
			return a.post(url.Values{"signature": {util.Signature(testToken, "-1", "1")}, "timestamp": {"-1"}, "nonce": {"1"}}, text)
		}},
		{"huge timestamp", 403, func(a *account) *httptest.ResponseRecorder {
			const ts = "9223372036854775807"
			return a.post(url.Values{"signature": {util.Signature(testToken, ts, "1")}, "timestamp": {ts}, "nonce": {"1"}}, text)
		}},
		{"no nonce", 403, func(a *account) *httptest.ResponseRecorder {
			ts := strconv.FormatInt(testNow.Unix(), 10)
			return a.post(url.Values{"signature": {util.Signature(testToken, ts, "")}, "timestamp": {ts}}, text)
		}},
		{"sender unlike the URL's openid", 403, func(a *account) *httptest.ResponseRecorder {
			q := a.query(testNow)
			q.Set("openid", strings.ToLower(testSender))
			return a.post(q, text)
		}},
		{"sender like the URL's openid", 200, func(a *account) *httptest.ResponseRecorder {
			q := a.query(testNow)
			q.Set("openid", testSender)
			return a.post(q, text)
		}},
		{"encrypted without a key", 400, func(a *account) *httptest.ResponseRecorder {
			q, encrypted := a.encrypted(testNow, text, testAppID)
			return a.post(q, encryptedBody(encrypted))
		}},
		{"compatible without a key: its plain part", 200, func(a *account) *httptest.ResponseRecorder {
			q, encrypted := a.encrypted(testNow, text, testAppID)
			return a.post(q, strings.Replace(text, "</xml>", "<Encrypt>"+encrypted+"</Encrypt></xml>", 1))
		}},
	} {
		a := newAccount(t)
		if rec := tt.push(a); rec.Code != tt.status {
			t.Errorf("%s: %d, want %d", tt.name, rec.Code, tt.status)
		}
		if calls := a.calls(); len(calls) > 0 != (tt.status == 200) {
			t.Errorf("%s: acted on %q", tt.name, calls)
		}
		if tt.name == "encrypted without a key" && !strings.Contains(a.log.String(), "set WECHAT_ENCODING_AES_KEY") {
			t.Errorf("the log does not say what to do: %s", a.log)
		}
	}
}

func TestSafeModeRefuses(t *testing.T) {
	t.Parallel()
	text := textMsg("broadcast all", 1)
	for _, tt := range []struct {
		name   string
		status int
		push   func(a *account) *httptest.ResponseRecorder
	}{
		{"plain", 403, func(a *account) *httptest.ResponseRecorder { return a.post(a.query(testNow), text) }},
		{"plain that says it is encrypted", 403, func(a *account) *httptest.ResponseRecorder {
			// With an empty Encrypt, msg_signature equals the signature of a plain push.
			q := a.query(testNow)
			q.Set("encrypt_type", "aes")
			q.Set("msg_signature", q.Get("signature"))
			return a.post(q, text)
		}},
		{"no encrypt_type", 403, func(a *account) *httptest.ResponseRecorder {
			q, encrypted := a.encrypted(testNow, text, testAppID)
			q.Del("encrypt_type")
			return a.post(q, encryptedBody(encrypted))
		}},
		{"encrypt_type raw", 403, func(a *account) *httptest.ResponseRecorder {
			q, encrypted := a.encrypted(testNow, text, testAppID)
			q.Set("encrypt_type", "raw")
			return a.post(q, encryptedBody(encrypted))
		}},
		{"no msg_signature", 403, func(a *account) *httptest.ResponseRecorder {
			q, encrypted := a.encrypted(testNow, text, testAppID)
			q.Del("msg_signature")
			return a.post(q, encryptedBody(encrypted))
		}},
		{"the plain signature as msg_signature", 403, func(a *account) *httptest.ResponseRecorder {
			q, encrypted := a.encrypted(testNow, text, testAppID)
			q.Set("msg_signature", q.Get("signature"))
			return a.post(q, encryptedBody(encrypted))
		}},
		{"another body under the signature", 403, func(a *account) *httptest.ResponseRecorder {
			q, _ := a.encrypted(testNow, textMsg("openid", 1), testAppID)
			_, encrypted := a.encrypted(testNow, text, testAppID)
			return a.post(q, encryptedBody(encrypted))
		}},
		{"stale", 403, func(a *account) *httptest.ResponseRecorder {
			q, encrypted := a.encrypted(testNow.Add(-fresh-time.Second), text, testAppID)
			return a.post(q, encryptedBody(encrypted))
		}},
		{"for another account", 403, func(a *account) *httptest.ResponseRecorder {
			q, encrypted := a.encrypted(testNow, text, "wx0000000000000000")
			return a.post(q, encryptedBody(encrypted))
		}},
		{"sender unlike the URL's openid", 403, func(a *account) *httptest.ResponseRecorder {
			q, encrypted := a.encrypted(testNow, text, testAppID)
			q.Set("openid", "oSomebodyElse")
			return a.post(q, encryptedBody(encrypted))
		}},
		{"signed noise", 400, func(a *account) *httptest.ResponseRecorder {
			q := a.query(testNow)
			q.Set("encrypt_type", "aes")
			q.Set("msg_signature", util.Signature(testToken, q.Get("timestamp"), q.Get("nonce"), "noise"))
			return a.post(q, encryptedBody("noise"))
		}},
		{"broken outside", 400, func(a *account) *httptest.ResponseRecorder {
			q, encrypted := a.encrypted(testNow, text, testAppID)
			return a.post(q, encryptedBody(encrypted)[:100])
		}},
		{"a wrong plain signature does not matter", 200, func(a *account) *httptest.ResponseRecorder {
			q, encrypted := a.encrypted(testNow, text, testAppID)
			q.Del("signature")
			return a.post(q, encryptedBody(encrypted))
		}},
	} {
		a := newAccount(t, safe)
		if rec := tt.push(a); rec.Code != tt.status {
			t.Errorf("%s: %d, want %d", tt.name, rec.Code, tt.status)
		}
		if calls := a.calls(); len(calls) > 0 != (tt.status == 200) {
			t.Errorf("%s: acted on %q", tt.name, calls)
		}
	}
}

func TestAVerificationsSignatureIsRefusedForAMessage(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	q := a.query(testNow)
	verify := func() {
		t.Helper()
		with := maps.Clone(q)
		with.Set("echostr", "4375120948345356249")
		if rec := a.do(http.MethodGet, "/wechat?"+with.Encode(), nil); rec.Code != http.StatusOK || rec.Body.String() != "4375120948345356249" {
			t.Errorf("verification: %d %q", rec.Code, rec.Body)
		}
	}
	verify()
	if rec := a.post(q, textMsg("broadcast all", 1)); rec.Code != http.StatusForbidden {
		t.Errorf("a message under it: %d", rec.Code)
	}
	verify()
	if calls := a.calls(); len(calls) > 0 {
		t.Errorf("acted on %q", calls)
	}
}

func TestASignatureIsRefusedForAnotherBody(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	q := a.query(testNow)
	if got := a.reply(t, a.post(q, textMsg("openid", 1))); got != "re: openid" {
		t.Fatalf("reply %q", got)
	}
	if rec := a.post(q, textMsg("broadcast all", 2)); rec.Code != http.StatusForbidden {
		t.Errorf("another body: %d", rec.Code)
	}
	// The platform's own redelivery has the same body.
	if got := a.reply(t, a.post(q, textMsg("openid", 1))); got != "re: openid" {
		t.Errorf("reply to the redelivery %q", got)
	}
	if calls := a.calls(); len(calls) != 1 {
		t.Errorf("handled: %q", calls)
	}
}
