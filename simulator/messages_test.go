package simulator

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestClicksAndMessagesThatAreNoText(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 3})
	openID := s.Follower(1)
	callback := newCallbackServer(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ []byte) {
		_, _ = io.WriteString(w, textReply(s, openID, "收到"))
	})
	if err := s.SetCallback(callback.URL); err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct{ path, body, has string }{
		{"/_sim/click", `{"openid":"` + openID + `","key":"a]]>b"}`, "<Event><![CDATA[CLICK]]></Event><EventKey><![CDATA[a]]]]><![CDATA[>b]]></EventKey>"},
		{"/_sim/send", `{"openid":"` + openID + `","kind":"image"}`, "<PicUrl>"},
		{"/_sim/send", `{"openid":"` + openID + `","kind":"voice"}`, "<Format>"},
		{"/_sim/send", `{"openid":"` + openID + `","kind":"video"}`, "<ThumbMediaId>"},
		{"/_sim/send", `{"openid":"` + openID + `","kind":"shortvideo"}`, "<ThumbMediaId>"},
		{"/_sim/send", `{"openid":"` + openID + `","kind":"location"}`, "<Location_X>"},
		{"/_sim/send", `{"openid":"` + openID + `","kind":"link"}`, "<Url>"},
	} {
		var got struct{ Reply string }
		mustCall(t, s, http.MethodPost, tt.path, tt.body, &got)
		if got.Reply != "收到" {
			t.Errorf("%s: the reply is %q", tt.body, got.Reply)
		}
		body := callback.seen()[i].body
		p := mustParse(t, body)
		if click := i == 0; !strings.Contains(body, tt.has) || p.FromUserName != openID || (p.MsgType == "event") != click || (p.MsgId == 0) != click {
			t.Errorf("%s: the callback got %s", tt.body, body)
		}
	}
	for path, body := range map[string]string{"/_sim/send": `{"openid":"oA","kind":"text"}`, "/_sim/click": `{"openid":"<xml>","key":"a"}`} {
		if status, text := call(t, s, http.MethodPost, path, body); status != http.StatusBadRequest {
			t.Errorf("%s %s: %d %s", path, body, status, text)
		}
	}
}

// A tap opens the window for customer-service messages for a minute.
func TestATapOpensTheWindow(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 1})
	callback := newCallbackServer(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ []byte) { _, _ = io.WriteString(w, "success") })
	if err := s.SetCallback(callback.URL); err != nil {
		t.Fatal(err)
	}
	openID := s.Follower(0)
	notify := func() int {
		var a answer
		mustCall(t, s, http.MethodPost, "/cgi-bin/message/custom/send?access_token="+mustToken(t, s),
			`{"touser":"`+openID+`","msgtype":"text","text":{"content":"hi"}}`, &a)
		return a.Code
	}
	if code := notify(); code != 45015 {
		t.Errorf("before: %d", code)
	}
	if _, err := s.Click(t.Context(), openID, "key"); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 0, 0, 45047} {
		if code := notify(); code != want {
			t.Errorf("message %d after a tap: %d, want %d", i+1, code, want)
		}
	}
}
