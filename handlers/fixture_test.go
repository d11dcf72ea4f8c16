package handlers

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/util"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

const (
	testAppID  = "wxba5fad812f8e6fb9"
	testToken  = "TokenThatNobodyMaySee"
	testAESKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	testBusy   = "请稍后再试。"

	testOnlyTexts = "只看得懂文字。"
	testGH        = "gh_7f083739789a"
	testSender    = "oia2TjuEGTNoeX76QEjQNrcURxG8"
)

var testNow = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// account is a callback under test, with what reached the services behind it.
type account struct {
	setup
	http.Handler
	log  *syncBuffer
	mu   sync.Mutex
	seen []string
	// nonces makes each request's URL its own.
	nonces int
}

// setup is what an account is made of. An edit of a test may change any of it.
type setup struct {
	CallbackConfig
	services
	checks []Check
	pages  *Pages
}

// services stands in for the chat, the followers and the engine.
type services struct {
	text         func(ctx context.Context, in incoming) (outgoing, error)
	remembers    func(text string) bool
	knows        func(text string, typed bool) bool
	subscribed   func(ctx context.Context, openID string, at time.Time, scene string) error
	unsubscribed func(ctx context.Context, openID string, at time.Time) error
	receipt      func(ctx context.Context, msgID int64, status string) error
	heard        func(openID, text string)
}

// incoming is a text for the chat, and outgoing is its answer.
type (
	incoming struct{ openID, text, key string }
	outgoing struct {
		text     string
		remember bool
	}
)

func (s *services) Reply(ctx context.Context, openID, text, key string) (reply string, remember bool, err error) {
	out, err := s.text(ctx, incoming{openID, text, key})
	return out.text, out.remember, err
}

func (s *services) Act(ctx context.Context, openID, text, _, key string) (reply string, remember bool, err error) {
	return s.Reply(ctx, openID, text, key)
}

func (s *services) Scans(context.Context, string) bool { return false }

func (s *services) Remembers(text string) bool { return s.remembers(text) }

func (s *services) Knows(_ context.Context, _, text string, typed bool) bool {
	return s.knows(text, typed)
}

func (s *services) OnlyTexts() string { return testOnlyTexts }

func (s *services) Busy(context.Context, string, string) string { return testBusy }

func (s *services) Subscribed(ctx context.Context, openID string, at time.Time, scene string) error {
	return s.subscribed(ctx, openID, at, scene)
}

func (s *services) Unsubscribed(ctx context.Context, openID string, at time.Time) error {
	return s.unsubscribed(ctx, openID, at)
}

func (s *services) Receipt(ctx context.Context, msgID int64, status string) error {
	return s.receipt(ctx, msgID, status)
}

func (s *services) Heard(openID, text string) {
	if s.heard != nil {
		s.heard(openID, text)
	}
}

// syncBuffer is a buffer that several goroutines may write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// newAccount returns a callback in plain mode without a database that answers
// every text with "re: " and the text.
func newAccount(tb testing.TB, edits ...func(*setup)) *account {
	tb.Helper()
	a := &account{log: &syncBuffer{}}
	out := io.MultiWriter(a.log, tb.Output())
	ready := make(chan struct{})
	close(ready)
	a.setup = setup{
		CallbackConfig: CallbackConfig{
			AppID: testAppID, Token: testToken, Ready: ready, Chat: &a.services, Followers: &a.services, Engine: &a.services,
			Now: func() time.Time { return testNow },
			Log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		},
		services: services{
			text: func(_ context.Context, in incoming) (outgoing, error) {
				a.saw("text %s %s %s", in.openID, in.text, in.key)
				return outgoing{text: "re: " + in.text}, nil
			},
			remembers: func(string) bool { return false },
			knows:     func(_ string, typed bool) bool { return typed },
			subscribed: func(_ context.Context, openID string, at time.Time, scene string) error {
				a.saw("subscribed %s %d %s", openID, at.Unix(), scene)
				return nil
			},
			unsubscribed: func(_ context.Context, openID string, at time.Time) error {
				a.saw("unsubscribed %s %d", openID, at.Unix())
				return nil
			},
			receipt: func(_ context.Context, msgID int64, status string) error {
				a.saw("receipt %d %s", msgID, status)
				return nil
			},
		},
	}
	for _, edit := range edits {
		edit(&a.setup)
	}
	a.restart()
	return a
}

// restart builds the account anew, as another process does, and returns its
// callback.
func (a *account) restart() *Callback {
	registry := prometheus.NewRegistry()
	a.Metrics = registry
	c := NewCallback(a.CallbackConfig)
	a.Handler = New(Config{Metrics: registry, Now: a.Now, Log: a.Log},
		Fixed(&Account{Callback: c, Pages: a.pages, Readiness: NewReadiness(a.checks)}))
	return c
}

// safe puts the account in safe mode.
func safe(c *setup) { c.AESKey = testAESKey }

// stored gives the account a database, in which every reply is remembered.
func stored(s *models.Store) func(*setup) {
	return func(c *setup) {
		c.Store, c.remembers = s, func(string) bool { return true }
		text := c.text
		c.text = func(ctx context.Context, in incoming) (outgoing, error) {
			out, err := text(ctx, in)
			out.remember = true
			return out, err
		}
	}
}

func newStore(tb testing.TB) *models.Store { return modelstest.SQLite(tb) }

func (a *account) saw(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, fmt.Sprintf(format, args...))
}

// calls returns what reached the services.
func (a *account) calls() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.seen...)
}

// query returns the signed query of a plain push at t.
func (a *account) query(t time.Time) url.Values {
	a.mu.Lock()
	a.nonces++
	nonce := strconv.Itoa(415670741 + a.nonces)
	a.mu.Unlock()
	ts := strconv.FormatInt(t.Unix(), 10)
	return url.Values{
		"signature": {util.Signature(testToken, ts, nonce)},
		"timestamp": {ts},
		"nonce":     {nonce},
	}
}

// encrypted encrypts msg as the platform would and returns the query and Encrypt.
func (a *account) encrypted(t time.Time, msg, appID string) (url.Values, string) {
	q := a.query(t)
	encrypted, err := util.EncryptMsg([]byte("a8eedb185eb2fecf"), []byte(msg), appID, testAESKey)
	if err != nil {
		panic(err)
	}
	q.Set("encrypt_type", "aes")
	q.Set("msg_signature", util.Signature(testToken, q.Get("timestamp"), q.Get("nonce"), string(encrypted)))
	return q, string(encrypted)
}

func encryptedBody(encrypted string) string {
	return "<xml><ToUserName><![CDATA[" + testGH + "]]></ToUserName><Encrypt><![CDATA[" +
		encrypted + "]]></Encrypt></xml>"
}

// push delivers msg in the account's mode, signed anew.
func (a *account) push(msg string) *httptest.ResponseRecorder {
	if a.AESKey == "" {
		return a.post(a.query(testNow), msg)
	}
	q, encrypted := a.encrypted(testNow, msg, testAppID)
	return a.post(q, encryptedBody(encrypted))
}

func (a *account) post(q url.Values, body string) *httptest.ResponseRecorder {
	return a.do(http.MethodPost, "/wechat?"+q.Encode(), strings.NewReader(body))
}

func (a *account) do(method, target string, body io.Reader) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	a.ServeHTTP(rec, httptest.NewRequestWithContext(context.Background(), method, target, body))
	return rec
}

// reply returns the text of a reply as the platform would read it.
func (a *account) reply(tb testing.TB, rec *httptest.ResponseRecorder) string {
	tb.Helper()
	if rec.Code != http.StatusOK {
		tb.Fatalf("status %d, body %q", rec.Code, rec.Body)
	}
	body := rec.Body.Bytes()
	if a.AESKey != "" {
		var envelope message.ResponseEncryptedXMLMsg
		if err := xml.Unmarshal(body, &envelope); err != nil {
			tb.Fatalf("read reply %q: %v", body, err)
		}
		ts := strconv.FormatInt(envelope.Timestamp, 10)
		if want := util.Signature(testToken, ts, envelope.Nonce, envelope.EncryptedMsg); envelope.MsgSignature != want {
			tb.Errorf("reply is signed %q, want %q", envelope.MsgSignature, want)
		}
		if envelope.Timestamp != testNow.Unix() || envelope.Nonce == "" {
			tb.Errorf("reply's time %d, nonce %q", envelope.Timestamp, envelope.Nonce)
		}
		var err error
		if _, body, err = util.DecryptMsg(testAppID, envelope.EncryptedMsg, testAESKey); err != nil {
			tb.Fatalf("decrypt reply: %v", err)
		}
	}
	var text struct {
		XMLName      xml.Name `xml:"xml"`
		ToUserName   string
		FromUserName string
		CreateTime   int64
		MsgType      string
		Content      string
	}
	if err := xml.Unmarshal(body, &text); err != nil {
		tb.Fatalf("read reply %q: %v", body, err)
	}
	if text.ToUserName != testSender || text.FromUserName != testGH || text.MsgType != "text" ||
		text.CreateTime != testNow.Unix() {
		tb.Errorf("reply has the wrong envelope: %q", body)
	}
	return text.Content
}

// textMsg is a text as the platform sends it.
func textMsg(content string, msgID int64) string {
	return xmlMsg("text", fmt.Sprintf("<Content><![CDATA[%s]]></Content><MsgId>%d</MsgId>", content, msgID))
}

// eventMsg is an event with further fields.
func eventMsg(event, fields string) string {
	return xmlMsg("event", "<Event><![CDATA["+event+"]]></Event>"+fields)
}

func xmlMsg(kind, fields string) string {
	return "<xml><ToUserName><![CDATA[" + testGH + "]]></ToUserName><FromUserName><![CDATA[" + testSender +
		"]]></FromUserName><CreateTime>1395658920</CreateTime><MsgType><![CDATA[" + kind + "]]></MsgType>" +
		fields + "</xml>"
}
