package simulator

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// messages are the errmsg texts as developers have met them (WeChat: global return codes, and field reports).
var messages = map[int]string{
	-1:    "system error",
	0:     "ok",
	40001: "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
	40002: "invalid grant_type",
	40003: "invalid openid",
	40008: "invalid message type",
	40013: "invalid appid",
	40014: "invalid access_token",
	40032: "invalid openid list size",
	40036: "invalid template_id size",
	40037: "invalid template_id",
	40039: "invalid url size",
	40066: "invalid url",
	40125: "invalid appsecret",
	40241: "The message is duplicate in 60 seconds",
	40249: "this template msg has been blocked for illegal content",
	41001: "access_token missing",
	41002: "appid missing",
	41004: "appsecret missing",
	42001: "access_token expired",
	43001: "require GET method",
	43002: "require POST method",
	43004: "require subscribe",
	43019: "require remove blacklist",
	43116: "This template_id is banned",
	43117: "Sending messages to this openid too frequently,please try later",
	44002: "empty post data",
	44004: "empty content",
	45002: "content size out of limit",
	45009: "reach max api daily quota limit",
	45011: "api minute-quota reach limit must slower retry next minute",
	45015: "response out of time limit or subscription is canceled",
	45047: "out of response count limit",
	45051: "template msg use invalid link",
	45159: "invalid tag id",
	47001: "data format error",
	47003: "argument invalid!",
	48001: "api unauthorized",
	48004: "api forbidden for irregularities",
	48006: "forbid to clear quota because of reaching the limit",
	49003: "not match openid with appid",
	50002: "user limited",
	50005: "user is unsubscribed",
	76003: "invalid cgi_path",
	76021: "cgi_path not found, please check",
	76022: "could not use this cgi_path, no permission",
}

// refuse answers with an error code: HTTP 200, and the request id behind the text. detail, if any, takes the place of
// the code's usual text.
func (s *Simulator) refuse(w http.ResponseWriter, code int, detail string) {
	s.tally.code(code)
	s.writeRefusal(w, code, detail)
}

func (s *Simulator) writeRefusal(w http.ResponseWriter, code int, detail string) {
	if detail == "" {
		detail = messages[code]
	}
	if detail == "" {
		detail = "error " + strconv.Itoa(code)
	}
	text, err := json.Marshal(detail + " rid: " + rid(s.opts.Now()))
	if err != nil {
		text = []byte(`"system error"`)
	}
	writeJSON(w, fmt.Appendf(nil, `{"errcode":%d,"errmsg":%s}`, code, text))
}

// rid is a request id: the Unix time and two random words, in hex.
func rid(now time.Time) string {
	return fmt.Sprintf("%08x-%08x-%08x", uint32(now.Unix()), rand.Uint32(), rand.Uint32()) //nolint:gosec // a label, not a secret
}

// done answers with errcode 0 and nothing else.
func (s *Simulator) done(w http.ResponseWriter) {
	s.tally.code(0)
	writeJSON(w, []byte(`{"errcode":0,"errmsg":"ok"}`))
}

// readJSON decodes a body and tells whether it could. One that is not UTF-8 is refused like broken JSON: that it has to be
// UTF-8 is documented, the code for another encoding (GBK) is unconfirmed.
func readJSON(body []byte, v any) bool { return utf8.Valid(body) && json.Unmarshal(body, v) == nil }

var jsonType = []string{"application/json; encoding=utf-8"}

func writeJSON(w http.ResponseWriter, body []byte) {
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(body) // whoever asked may have gone; there is nobody to tell
}

func writeHTML(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<html>\r\n<head><title>%[1]d %[2]s</title></head>\r\n<body>\r\n<center><h1>%[1]d %[2]s</h1></center>\r\n</body>\r\n</html>\r\n",
		status, http.StatusText(status))
}

// cut closes the connection of a request without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = conn.Close() // that it is closed is all that is wanted
}
