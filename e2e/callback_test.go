package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // the platform signs with SHA-1
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const aesKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"

// post is a request to the callback, as the platform or somebody else makes it.
type post struct {
	body io.Reader
	// at is the timestamp; now if it is zero.
	at time.Time
	// nonce of the signature; one of its own if it is empty.
	nonce string
	query url.Values // wins over what is signed
}

// signature signs as the platform does.
func signature(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, ""))) //nolint:gosec // the platform signs with SHA-1
	return hex.EncodeToString(sum[:])
}

// signedQuery is the query of a request that is the platform's.
func (r post) signedQuery() string {
	if r.at.IsZero() {
		r.at = time.Now()
	}
	if r.nonce == "" {
		r.nonce = strconv.FormatInt(time.Now().UnixNano(), 36)
	}
	stamp := strconv.FormatInt(r.at.Unix(), 10)
	query := url.Values{"timestamp": {stamp}, "nonce": {r.nonce}, "signature": {signature(token, stamp, r.nonce)}}
	for name, values := range r.query {
		query[name] = values
		if values[0] == "" {
			query.Del(name)
		}
	}
	return query.Encode()
}

// send makes the request and returns the status. The answer is read while the
// body is still being written, since it may come before that is wanted.
func (r post) send(t *testing.T, s *server, method string) (status int, answer string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host(s.url))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+"/wechat?"+r.signedQuery(), r.body)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	go func() { _ = req.Write(conn) }() // it fails when the server has answered and hung up
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// message is a message with these fields after the usual head.
func message(fields string) string {
	return fmt.Sprintf("<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName>"+
		"<CreateTime>%d</CreateTime>%s</xml>", stranger, time.Now().Unix(), fields)
}

const textFields = "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[openid]]></Content><MsgId>23</MsgId>"

// What is not the platform's, or not what it says it is, gets the status of the
// contract and one line in the log, and does no harm.
func TestBadInput(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "--followers", "10")
	s := startServer(t, p, sqlite(t).url, nil)
	text := message(textFields)
	huge := strings.Replace(text, "openid", strings.Repeat("o", 8<<20), 1)
	tests := map[string]struct {
		post
		method string // POST if it is empty
		want   int
		answer string // if it matters
	}{
		"verification":                 {method: "GET", post: post{query: url.Values{"echostr": {"4375120948345356249"}}}, want: 200, answer: "4375120948345356249"},
		"verification, signed wrong":   {method: "GET", post: post{query: url.Values{"echostr": {"1"}, "signature": {strings.Repeat("0", 40)}}}, want: 403},
		"verification, not signed":     {method: "GET", post: post{query: url.Values{"echostr": {"1"}, "signature": {""}}}, want: 403},
		"a message":                    {post: post{body: strings.NewReader(text)}, want: 200},
		"the URL's openid":             {post: post{body: strings.NewReader(text), query: url.Values{"openid": {stranger}}}, want: 200},
		"another openid in the URL":    {post: post{body: strings.NewReader(text), query: url.Values{"openid": {admin}}}, want: 403},
		"signed wrong":                 {post: post{body: strings.NewReader(text), query: url.Values{"signature": {strings.Repeat("0", 40)}}}, want: 403},
		"not signed":                   {post: post{body: strings.NewReader(text), query: url.Values{"signature": {""}}}, want: 403},
		"no timestamp":                 {post: post{body: strings.NewReader(text), query: url.Values{"timestamp": {""}}}, want: 403},
		"stale":                        {post: post{body: strings.NewReader(text), at: time.Now().Add(-6 * time.Minute)}, want: 403},
		"of the future":                {post: post{body: strings.NewReader(text), at: time.Now().Add(6 * time.Minute)}, want: 403},
		"broken XML":                   {post: post{body: strings.NewReader(text[:len(text)/2])}, want: 400},
		"no XML":                       {post: post{body: strings.NewReader("openid")}, want: 400},
		"nothing":                      {post: post{body: http.NoBody}, want: 400},
		"no sender":                    {post: post{body: strings.NewReader("<xml>" + textFields + "</xml>")}, want: 400},
		"no type":                      {post: post{body: strings.NewReader(message("<Content>openid</Content><MsgId>1</MsgId>"))}, want: 400},
		"a text id":                    {post: post{body: strings.NewReader(message("<MsgType>text</MsgType><Content>openid</Content><MsgId>one</MsgId>"))}, want: 400},
		"a receipt of nothing":         {post: post{body: strings.NewReader(message("<MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><Status>success</Status>"))}, want: 400},
		"not UTF-8":                    {post: post{body: strings.NewReader(message("<MsgType>text</MsgType><Content>\xc8\xba\xb7\xa2</Content><MsgId>1</MsgId>"))}, want: 400},
		"declared as GBK":              {post: post{body: strings.NewReader(`<?xml version="1.0" encoding="GBK"?>` + text)}, want: 400},
		"with a document type":         {post: post{body: strings.NewReader(`<!DOCTYPE xml [<!ENTITY a "openid">]>` + text)}, want: 400},
		"a voice message":              {post: post{body: strings.NewReader(message("<MsgType>voice</MsgType><MediaId>m</MediaId><MsgId>5</MsgId>"))}, want: 200},
		"an event that is not handled": {post: post{body: strings.NewReader(message("<MsgType>event</MsgType><Event>LOCATION</Event>"))}, want: 200, answer: "success"},
		"an unknown receipt":           {post: post{body: strings.NewReader(message("<MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>4</MsgID><Status>success</Status>"))}, want: 200, answer: "success"},
		"encrypted, without a key":     {post: post{body: strings.NewReader("<xml><ToUserName>gh</ToUserName><Encrypt>AAAA</Encrypt></xml>")}, want: 400},
		"8 MiB":                        {post: post{body: strings.NewReader(huge)}, want: 413},
		"8 MiB, not declared":          {post: post{body: struct{ io.Reader }{strings.NewReader(huge)}}, want: 413},
		"another method":               {method: "PUT", post: post{body: strings.NewReader(text)}, want: 405},
	}
	for name, test := range tests {
		before := s.log.size()
		method := test.method
		if method == "" {
			method = http.MethodPost
		}
		status, answer := test.send(t, s, method)
		if status != test.want {
			t.Errorf("%s: status %d, want %d", name, status, test.want)
		}
		if test.answer != "" && answer != test.answer {
			t.Errorf("%s: answered %q, want %q", name, answer, test.answer)
		}
		if test.want < 400 {
			continue
		}
		eventually(t, patience, name+" is logged", func() bool { return s.log.size() > before })
		lines := strings.Split(strings.TrimSpace(s.log.text(before)), "\n")
		if len(lines) != 1 || strings.Contains(lines[0], "level=ERROR") {
			t.Errorf("%s: the log has %d lines:\n%s", name, len(lines), strings.Join(lines, "\n"))
		}
	}

	// One signature carries one body: the same again is the platform's redelivery,
	// another is somebody else's.
	again := post{body: strings.NewReader(text), nonce: "n1", at: time.Now()}
	first, _ := again.send(t, s, http.MethodPost)
	again.body = strings.NewReader(text)
	second, _ := again.send(t, s, http.MethodPost)
	again.body = strings.NewReader(strings.Replace(text, "openid", "broadcast all", 1))
	third, _ := again.send(t, s, http.MethodPost)
	if first != 200 || second != 200 || third != 403 {
		t.Errorf("a message, the same and another under its signature: %d, %d, %d; want 200, 200, 403", first, second, third)
	}

	if status, _ := s.get("/nowhere"); status != http.StatusNotFound {
		t.Errorf("/nowhere: status %d, want 404", status)
	}
	if reply := p.say(stranger, "openid"); reply != stranger {
		t.Errorf("after all that, openid is answered %q", reply)
	}
}

// Connections that send nothing do not keep the others from being served.
func TestSilentConnections(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	s := startServer(t, p, sqlite(t).url, nil)
	for range 200 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host(s.url))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Write([]byte("POST /wechat HTTP/1.1\r\nHost: x\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	asked := time.Now()
	if reply := p.say(stranger, "openid"); reply != stranger || time.Since(asked) > 5*time.Second {
		t.Errorf("openid is answered %q after %s", reply, time.Since(asked))
	}
}

// In each of the platform's modes a chat, a broadcast and its receipts work.
func TestMessageModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"plain", "compat", "safe"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			flags, more := []string{"--followers", "20", "--mode", mode, "--receipt-delay-max", "300ms"}, settings{}
			if mode != "plain" {
				flags = append(flags, "--aes-key", aesKey)
				more["WECHAT_ENCODING_AES_KEY"] = aesKey
			}
			p := startPlatform(t, flags...)
			s := startServer(t, p, sqlite(t).url, more)
			p.ask(http.MethodPost, "/_sim/verify", nil, nil)
			if reply := p.say(stranger, "openid"); reply != stranger {
				t.Errorf("openid is answered %q", reply)
			}
			if reply := p.say(admin, "群发全部"); !strings.Contains(reply, "#1 ") {
				t.Errorf("the broadcast is answered %q", reply)
			}
			s.finishes()
			p.reached(20)
			if r := p.receiptsCome(); r.Acked != 20 || r.Refused != 0 {
				t.Errorf("%d receipts were taken, %d were not; want 20 and 0", r.Acked, r.Refused)
			}
		})
	}
}

// With an AES key set, only what was encrypted with it is listened to.
func TestOnlyEncrypted(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "--followers", "10", "--aes-key", aesKey)
	s := startServer(t, p, sqlite(t).url, settings{"WECHAT_ENCODING_AES_KEY": aesKey})
	text := message(textFields)
	sealed := "<xml><ToUserName>gh</ToUserName><Encrypt>AAAA</Encrypt></xml>"
	now, nonce := time.Now(), "n1"
	right := signature(token, strconv.FormatInt(now.Unix(), 10), nonce, "AAAA")
	tests := map[string]struct {
		body  string
		query url.Values
		want  int
	}{
		"plain":                    {body: text, want: 403},
		"plain, said to be sealed": {body: text, query: url.Values{"encrypt_type": {"aes"}, "msg_signature": {right}}, want: 403},
		"sealed, not signed":       {body: sealed, query: url.Values{"encrypt_type": {"aes"}}, want: 403},
		"sealed, signed wrong":     {body: sealed, query: url.Values{"encrypt_type": {"aes"}, "msg_signature": {strings.Repeat("0", 40)}}, want: 403},
		"sealed with nothing":      {body: sealed, query: url.Values{"encrypt_type": {"aes"}, "msg_signature": {right}}, want: 400},
	}
	for name, test := range tests {
		r := post{body: bytes.NewReader([]byte(test.body)), at: now, nonce: nonce, query: test.query}
		if status, _ := r.send(t, s, http.MethodPost); status != test.want {
			t.Errorf("%s: status %d, want %d", name, status, test.want)
		}
	}
	if reply := p.say(stranger, "openid"); reply != stranger {
		t.Errorf("openid is answered %q", reply)
	}
}
