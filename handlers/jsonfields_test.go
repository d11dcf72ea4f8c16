package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The platform sends both (wechat-platform-more.md §13.4).
func TestJSONNumbersAreExactWithAndWithoutQuotes(t *testing.T) {
	t.Parallel()
	const event = `{"ToUserName":"gh_1","FromUserName":"oA","CreateTime":%s,"MsgType":"event","Event":%s}`
	const text = `{"ToUserName":"gh_1","FromUserName":"oA","CreateTime":"1714112445","MsgType":"text","Content":"hi","MsgId":%s}`
	for mode, edit := range map[string]func(*setup){"plain": func(*setup) {}, "safe": safe} {
		for _, tt := range []struct{ name, msg, want string }{
			{"receipt", fmt.Sprintf(event, `"1714112445"`, `"TEMPLATESENDJOBFINISH","MsgID":"3557254367693750277","Status":"success"`), "receipt 3557254367693750277 success"},
			{"receipt, unquoted", fmt.Sprintf(event, `1714112445`, `"TEMPLATESENDJOBFINISH","MsgID":3557254367693750279,"Status":"success"`), "receipt 3557254367693750279 success"},
			{"receipt by MsgId", fmt.Sprintf(event, `1`, `"TEMPLATESENDJOBFINISH","MsgId":"9223372036854775807","Status":"failed: system failed"`), "receipt 9223372036854775807 failed: system failed"},
			{"receipt with space", fmt.Sprintf(event, `" 1 "`, `"TEMPLATESENDJOBFINISH","MsgID":" 9007199254740993 ","Status":"success"`), "receipt 9007199254740993 success"},
			{"text", fmt.Sprintf(text, `"6054768590064713729"`), "text oA hi m:oA:6054768590064713729"},
			{"text, unquoted", fmt.Sprintf(text, `6054768590064713729`), "text oA hi m:oA:6054768590064713729"},
			{"text, no id", fmt.Sprintf(text, `""`), "text oA hi t:oA:1714112445:" + digest("hi")},
			{"text, null", fmt.Sprintf(text, `null`), "text oA hi t:oA:1714112445:" + digest("hi")},
			{"subscribe", fmt.Sprintf(event, `"1714112445"`, `"subscribe","EventKey":"qrscene_7"`), "subscribed oA 1714112445 qrscene_7"},
			{"subscribe with a number", fmt.Sprintf(event, `1714112445`, `"subscribe","EventKey":7`), "subscribed oA 1714112445 7"},
			{"subscribe with null", fmt.Sprintf(event, `1714112445`, `"subscribe","EventKey":null`), "subscribed oA 1714112445 "},
			{"unsubscribe", fmt.Sprintf(event, `"1714112445"`, `"unsubscribe"`), "unsubscribed oA 1714112445"},
			{"an event with other numbers", fmt.Sprintf(event, `"1"`, `"subscribe_msg_popup_event","List":{"PopupScene":"2"},"Status":["x"],"MsgID":"x"`), ""},
		} {
			a := newAccount(t, edit)
			if rec := a.push(tt.msg); rec.Code != http.StatusOK {
				t.Errorf("%s, %s: status %d: %s", mode, tt.name, rec.Code, a.log)
			}
			if got := strings.Join(a.calls(), "; "); got != tt.want {
				t.Errorf("%s, %s: %q, want %q", mode, tt.name, got, tt.want)
			}
		}
		for _, id := range []string{`"one"`, `"9223372036854775808"`, `9223372036854775808`, `1.5`, `"1.5"`, `1e3`, `true`, `{}`, `[1]`} {
			a := newAccount(t, edit)
			if rec := a.push(fmt.Sprintf(text, id)); rec.Code != http.StatusBadRequest || len(a.calls()) > 0 {
				t.Errorf("%s, MsgId %s: status %d, acted on %q", mode, id, rec.Code, a.calls())
			}
		}
	}
}

// The callback gets all of V2, the official document's encrypted JSON
// (wechat-platform.md §8), and an encrypted receipt.
func TestEncryptedJSONThroughTheCallback(t *testing.T) {
	t.Parallel()
	a := newAccount(t, func(c *setup) {
		c.AppID, c.Token, c.AESKey = "wxba5fad812f8e6fb9", "AAAAA", v2AESKey
		c.Now = func() time.Time { return time.Unix(1714112445, 0) }
	})
	rec := a.post(url.Values{
		"signature": {"6c5c811b55cc85e0e1b54100749188c20beb3f5d"}, "timestamp": {"1714112445"}, "nonce": {"415670741"},
		"encrypt_type": {"aes"}, "msg_signature": {"046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"},
		"openid": {"o9AgO5Kd5ggOC-bXrbNODIiE3bGY"},
	}, `{"ToUserName":"gh_97417a04a28d","Encrypt":"`+v2Encrypt+`"}`)
	if rec.Code != http.StatusOK || rec.Body.String() != success || !strings.Contains(a.log.String(), "event debug_demo is not acted on") {
		t.Errorf("V2 is answered %d %q: %s", rec.Code, rec.Body, a.log)
	}

	a = newAccount(t, safe)
	q, encrypted := a.encrypted(testNow, `{"ToUserName":"gh_1","FromUserName":"oA","CreateTime":"1714112445","MsgType":"event",`+
		`"Event":"TEMPLATESENDJOBFINISH","MsgID":"3557254367693750277","Status":"success"}`, testAppID)
	rec = a.post(q, `{"ToUserName":"gh_1","Encrypt":"`+strings.ReplaceAll(encrypted, "/", `\/`)+`"}`)
	if rec.Code != http.StatusOK {
		t.Errorf("a receipt is answered %d: %s", rec.Code, a.log)
	}
	if diff := cmp.Diff([]string{"receipt 3557254367693750277 success"}, a.calls()); diff != "" {
		t.Error(diff)
	}
}

// An integer is read alike with and without quotes, or refused in both forms.
func FuzzJSONNumbers(f *testing.F) {
	f.Add("3557254367693750277")
	f.Add("-1")
	f.Add("9223372036854775808")
	f.Add("1e5")
	f.Fuzz(func(t *testing.T, number string) {
		if strings.ContainsAny(number, "\"\\, \t\r\n") || number == "" || number == "null" {
			return
		}
		decoded := func(value string) (int64, bool) {
			m, err := decode([]byte(`{"FromUserName":"oA","MsgType":"image","MsgId":` + value + `}`))
			if err != nil || m.MsgID == 0 && strings.Trim(number, "+-0") != "" {
				return 0, false
			}
			return int64(m.MsgID), true
		}
		bare, ok := decoded(number)
		quoted, okQuoted := decoded(`"` + number + `"`)
		if ok && (!okQuoted || bare != quoted) {
			t.Errorf("%s is %d, %t without quotes and %d, %t with", number, bare, ok, quoted, okQuoted)
		}
		if ok && fmt.Sprint(bare) != number && number != "-0" {
			t.Errorf("%s is read as %d", number, bare)
		}
	})
}
