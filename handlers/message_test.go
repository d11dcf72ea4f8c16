package handlers

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/silenceper/wechat/v2/officialaccount/message"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const receiptMsg = `<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName><FromUserName><![CDATA[oia2TjuEGTNoeX76QEjQNrcURxG8]]></FromUserName>
<CreateTime>1395658920</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>
<MsgID>3557254367693750277</MsgID><Status><![CDATA[failed:user block]]></Status></xml>`

func TestDecode(t *testing.T) {
	t.Parallel()
	type want struct {
		Kind, OpenID, Content, EventKey, Status string
		MsgID                                   int64
		JSON                                    bool
	}
	for _, tt := range []struct {
		name, body string
		want       want
	}{
		{"text", textMsg("群发 🎉 ]]]]><![CDATA[> <b>", 6054768590064713728), want{
			Kind: kindText, OpenID: testSender, Content: "群发 🎉 ]]> <b>", MsgID: 6054768590064713728,
		}},
		{"text with a DOCTYPE in its content", textMsg("<!DOCTYPE html>", 1), want{
			Kind: kindText, OpenID: testSender, Content: "<!DOCTYPE html>", MsgID: 1,
		}},
		{"declared UTF-8, BOM and space around", "\ufeff \n<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" +
			textMsg("hi", 1) + "\n<!-- end -->\n", want{Kind: kindText, OpenID: testSender, Content: "hi", MsgID: 1}},
		{"text as JSON", `{"ToUserName":"gh_1","FromUserName":"oA","CreateTime":1,"MsgType":"text","Content":"嗨","MsgId":6054768590064713729}`, want{
			Kind: kindText, OpenID: "oA", Content: "嗨", MsgID: 6054768590064713729, JSON: true,
		}},
		{"receipt", receiptMsg, want{
			Kind: kindReceipt, OpenID: testSender, Status: "failed:user block", MsgID: 3557254367693750277,
		}},
		{"receipt as JSON", `{"ToUserName":"gh_1","FromUserName":"oA","CreateTime":1,"MsgType":"event","Event":"TEMPLATESENDJOBFINISH","MsgID":3557254367693750277,"Status":"success"}`, want{
			Kind: kindReceipt, OpenID: "oA", Status: "success", MsgID: 3557254367693750277, JSON: true,
		}},
		{"receipt in lower case", eventMsg("templatesendjobfinish", "<MsgID>7</MsgID><Status>success</Status>"), want{
			Kind: kindReceipt, OpenID: testSender, Status: "success", MsgID: 7,
		}},
		{"subscribe by a code", eventMsg("subscribe", "<EventKey><![CDATA[qrscene_7]]></EventKey><Ticket>t</Ticket>"), want{
			Kind: kindSubscribe, OpenID: testSender, EventKey: "qrscene_7",
		}},
		{"unsubscribe", eventMsg("unsubscribe", "<EventKey></EventKey>"), want{Kind: kindUnsubscribe, OpenID: testSender}},
		{"unknown event", eventMsg("debug_demo", ""), want{Kind: kindOther, OpenID: testSender}},
		{"unknown event, as the SDK would not have it", eventMsg("audit", "<SuccTime>soon</SuccTime>"), want{
			Kind: kindOther, OpenID: testSender,
		}},
		{"unknown event as JSON, likewise", `{"ToUserName":"g","FromUserName":"oA","MsgType":"event","Event":"x","Latitude":1.5}`, want{
			Kind: kindOther, OpenID: "oA", JSON: true,
		}},
		{"image", xmlMsg("image", "<PicUrl>u</PicUrl><MsgId>1</MsgId>"), want{Kind: kindOther, OpenID: testSender, MsgID: 1}},
		{"official JSON event", v2Plain, want{Kind: kindOther, OpenID: "o9AgO5Kd5ggOC-bXrbNODIiE3bGY", JSON: true}},
	} {
		m, err := decode([]byte(tt.body))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := want{m.kind, m.openID(), string(m.Content), string(m.EventKey), string(m.Status), m.receiptID(), m.asJSON}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.name, diff)
		}
	}
}

// badBodies are bodies that cannot be parsed, with the reason.
func badBodies() map[string]struct{ body, reason string } {
	drop := func(msg, field string) string {
		start, end := strings.Index(msg, "<"+field+">"), strings.Index(msg, "</"+field+">")
		return msg[:start] + msg[end+len("</"+field+">"):]
	}
	text := textMsg("hi", 1)
	return map[string]struct{ body, reason string }{
		"empty":                {"", "empty body"},
		"only space":           {" \n ", "empty body"},
		"neither":              {"ToUserName=gh", "neither XML nor JSON"},
		"HTML":                 {"<html><body>hello</body></html>", "broken XML"},
		"cut XML":              {text[:len(text)/2], "broken XML"},
		"unclosed":             {strings.TrimSuffix(text, "</xml>"), "broken XML"},
		"crossed tags":         {"<xml><a><b></a></b></xml>", "broken XML"},
		"cut JSON":             {v2Plain[:40], "broken JSON"},
		"JSON of another type": {`{"FromUserName":7,"MsgType":"text"}`, "broken JSON"},
		"JSON and more":        {v2Plain + "{}", "broken JSON"},
		"two XML documents":    {text + text, "something after the XML"},
		"words after the XML":  {text + "x", "something after the XML"},
		"DOCTYPE":              {"<!DOCTYPE xml [<!ENTITY a \"aaaa\">]>" + text, "XML with a DOCTYPE"},
		"DOCTYPE after it":     {text + "<!DOCTYPE xml>", "XML with a DOCTYPE"},
		"unknown entity":       {strings.Replace(text, "<![CDATA[hi]]>", "&lol;", 1), "broken XML"},
		"deep nesting":         {"<xml>" + strings.Repeat("<a>", 100_000), "XML nested too deep"},
		"deep and well-formed": {"<xml>" + strings.Repeat("<a>", 20) + strings.Repeat("</a>", 20) + "</xml>", "XML nested too deep"},
		"deep JSON":            {`{"a":` + strings.Repeat("[", 100_000), "broken JSON"},
		"GBK":                  {textMsg("\xc8\xba\xb7\xa2", 1), "not UTF-8"},
		"declared GBK":         {`<?xml version="1.0" encoding="GBK"?>` + text, "broken XML"},
		"UTF-16":               {"\xff\xfe<\x00x\x00m\x00l\x00>\x00", "not UTF-8"},
		"control character":    {textMsg("\x01", 1), "broken XML"},
		"no FromUserName":      {drop(text, "FromUserName"), "no FromUserName"},
		"no ToUserName":        {drop(text, "ToUserName"), "no ToUserName"},
		"no MsgType":           {drop(text, "MsgType"), "no MsgType"},
		"no Event":             {xmlMsg("event", ""), "no Event"},
		"odd FromUserName":     {strings.Replace(text, testSender, "名 字", 1), "FromUserName is no OpenID"},
		"long FromUserName":    {strings.Replace(text, testSender, strings.Repeat("o", 129), 1), "FromUserName is no OpenID"},
		"MsgId in letters":     {strings.Replace(text, ">1<", ">one<", 1), "broken XML"},
		"MsgId above 64 bits":  {strings.Replace(text, ">1<", ">99999999999999999999<", 1), "broken XML"},
		"CreateTime a word":    {strings.Replace(text, "1395658920", "now", 1), "broken XML"},
		"receipt, no MsgID":    {drop(receiptMsg, "MsgID"), "no MsgID"},
		"receipt, odd MsgID":   {strings.Replace(receiptMsg, "3557254367693750277", "x", 1), "broken XML"},
		"receipt, MsgID 0":     {strings.Replace(receiptMsg, "3557254367693750277", "0", 1), "no MsgID"},
		"receipt, no Status":   {drop(receiptMsg, "Status"), "no Status"},
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range badBodies() {
		m, err := decode([]byte(tt.body))
		if err == nil {
			t.Errorf("%s: decoded as %+v", name, m)
		} else if err.Error() != tt.reason {
			t.Errorf("%s: %q, want %q", name, err, tt.reason)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	key := func(body string) string {
		t.Helper()
		m, err := decode([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return m.key()
	}
	if got, want := key(textMsg("hi", 7)), "m:"+testSender+":7"; got != want {
		t.Errorf("text: %q, want %q", got, want)
	}
	other := strings.ReplaceAll(textMsg("hi", 7), testSender, strings.ToLower(testSender))
	distinct := []string{
		textMsg("hi", 7), other, textMsg("hi", 8),
		textMsg("hi", 0), textMsg("ho", 0), strings.Replace(textMsg("hi", 0), "1395658920", "1395658921", 1),
		eventMsg("subscribe", ""), eventMsg("subscribe", "<EventKey>qrscene_1</EventKey>"), eventMsg("unsubscribe", ""),
		receiptMsg, strings.Replace(receiptMsg, "277<", "278<", 1),
	}
	seen := map[string]string{}
	for _, body := range distinct {
		k := key(body)
		if was, ok := seen[k]; ok {
			t.Errorf("one key %q for\n%s\n%s", k, was, body)
		}
		seen[k] = body
	}
	longest := strings.ReplaceAll(textMsg(strings.Repeat("长", 600), 0), testSender, strings.Repeat("o", 128))
	if k := key(longest); len(k) > 191 || !models.ValidOpenID(k[:128]) {
		t.Errorf("key does not fit its column: %q", k)
	}
}

func TestRenderReplyAsJSON(t *testing.T) {
	t.Parallel()
	m := &received{asJSON: true}
	m.FromUserName, m.ToUserName = "oA", "gh_1"
	got, err := render(m, m.inWords(`"嗨" <b>`, time.Unix(1713424427, 0)))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(got, &fields); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"ToUserName": "oA", "FromUserName": "gh_1", "CreateTime": 1713424427.0, "MsgType": "text", "Content": `"嗨" <b>`,
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func FuzzDecode(f *testing.F) {
	for _, tt := range badBodies() {
		if len(tt.body) < 10_000 {
			f.Add([]byte(tt.body))
		}
	}
	for _, body := range []string{
		textMsg("hi", 1), receiptMsg, v2Plain, v4Plain, eventMsg("subscribe", ""), eventMsg("LOCATION", "<Latitude>1</Latitude>"),
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := decode(body)
		if err != nil {
			if !utf8.ValidString(err.Error()) || len(err.Error()) > 60 {
				t.Errorf("the reason quotes the body: %q", err)
			}
			return
		}
		if !models.ValidOpenID(m.openID()) || m.kind == "" {
			t.Fatalf("incomplete: %+v", m)
		}
		if m.kind != kindText {
			return
		}
		if k := m.key(); len(k) > 191 {
			t.Errorf("key of %d bytes", len(k))
		}
		// A reply can repeat the text.
		reply := wechat.FitText(string(m.Content))
		out, err := render(m, m.inWords(reply, time.Unix(1, 0)))
		if err != nil || len(reply) > wechat.MaxText {
			t.Fatalf("reply %q: %v", reply, err)
		}
		var back message.Text
		if m.asJSON {
			err = json.Unmarshal(out, &back)
		} else {
			err = xml.Unmarshal(out, &back)
		}
		if err != nil || string(back.Content) != reply {
			t.Fatalf("told %q, read %q: %v", reply, back.Content, err)
		}
	})
}
