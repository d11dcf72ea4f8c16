package simulator

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// A scan makes a follower of who is none, and user/info tells the scene by which people came.
func TestScans(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 2})
	old, comer := s.Follower(0), "oComer-0000000000000000000-A"
	callback := newCallbackServer(t, func(_ int, w http.ResponseWriter, _ *http.Request, body []byte) {
		answer := "success"
		if strings.Contains(string(body), comer) {
			answer = textReply(s, comer, "收到")
		}
		_, _ = io.WriteString(w, answer)
	})
	if err := s.SetCallback(callback.URL); err != nil {
		t.Fatal(err)
	}
	came := func(openID string) string {
		t.Helper()
		var info struct {
			Subscribe  int
			QRSceneStr string `json:"qr_scene_str"`
		}
		mustCall(t, s, http.MethodGet, "/cgi-bin/user/info?access_token="+mustToken(t, s)+"&openid="+openID, "", &info)
		return strings.Repeat("follows by ", info.Subscribe) + info.QRSceneStr
	}
	steps := []struct{ path, openID, scene, event, came string }{
		{"scan", comer, "订阅 讲座", "<Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[qrscene_订阅 讲座]]></EventKey><Ticket>", "follows by 订阅 讲座"},
		{"scan", comer, "door-3", "<Event><![CDATA[SCAN]]></Event><EventKey><![CDATA[door-3]]></EventKey><Ticket>", "follows by 订阅 讲座"},
		{"unfollow", comer, "", "<Event><![CDATA[unsubscribe]]></Event>", ""},
		{"scan", comer, "door-3", "<EventKey><![CDATA[qrscene_door-3]]></EventKey>", "follows by door-3"},
		{"unfollow", comer, "", "<Event><![CDATA[unsubscribe]]></Event>", ""},
		{"follow", comer, "", "<EventKey><![CDATA[]]></EventKey>", "follows by "},
		{"scan", old, "door-3", "<Event><![CDATA[SCAN]]></Event>", "follows by "},
	}
	for i, step := range steps {
		body := `{"openid":"` + step.openID + `"}`
		if step.path == "scan" {
			body = `{"openid":"` + step.openID + `","scene":"` + step.scene + `"}`
		}
		var got struct{ Reply string }
		mustCall(t, s, http.MethodPost, "/_sim/"+step.path, body, &got)
		if want := map[bool]string{true: "收到"}[step.path == "scan" && step.openID == comer]; step.openID == comer && got.Reply != want {
			t.Errorf("step %d: the reply is %q, want %q", i, got.Reply, want)
		}
		if body := callback.seen()[i].body; !strings.Contains(body, step.event) || strings.Contains(body, "<MsgId>") {
			t.Errorf("step %d: the callback got %s", i, body)
		}
		if got := came(step.openID); got != step.came {
			t.Errorf("step %d: %q, want %q", i, got, step.came)
		}
	}
	for _, body := range []string{`{"openid":"<xml>","scene":"a"}`, `{"openid":"oA","scene":""}`, `{"openid":"oA","scene":"` + strings.Repeat("长", 65) + `"}`} {
		if status, text := call(t, s, http.MethodPost, "/_sim/scan", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
}
