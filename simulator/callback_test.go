package simulator

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const testKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"

func textReply(s *Simulator, to, content string) string {
	return fmt.Sprintf("<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>%s</Content></xml>",
		cdata(to), s.opts.OriginalID, cdata(content))
}

func sealedReply(s *Simulator, to, content, token string) string {
	sealed := s.seal.close([16]byte{1}, []byte(textReply(s, to, content)))
	return fmt.Sprintf("<xml><Encrypt><![CDATA[%s]]></Encrypt><MsgSignature><![CDATA[%s]]></MsgSignature><TimeStamp>5</TimeStamp><Nonce><![CDATA[6]]></Nonce></xml>",
		sealed, sign(token, "5", "6", sealed))
}

// pushed is a callback's body, whatever its kind.
type pushed struct {
	XMLName      xml.Name `xml:"xml"`
	ToUserName   string
	FromUserName string
	CreateTime   int64
	MsgType      string
	Content      string
	MsgId        int64 //nolint:revive // the platform's spelling
	Event        string
	MsgID        int64
	Status       string
	Encrypt      string
}

func mustParse(tb testing.TB, text string) (p pushed) {
	tb.Helper()
	if err := xml.Unmarshal([]byte(text), &p); err != nil {
		tb.Fatalf("%v: %s", err, text)
	}
	return p
}

func TestSayInEveryMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{ModePlain, ModeCompat, ModeSafe} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := mustStart(t, Options{Followers: 10, Mode: mode, EncodingAESKey: testKey, Token: "tok"})
			openID := s.Follower(3)
			const question = `广播 <all> ]]> & "me"`
			callback := newCallbackServer(t, func(_ int, w http.ResponseWriter, r *http.Request, body []byte) {
				query := r.URL.Query()
				if got := query.Get("signature"); got != sign("tok", query.Get("timestamp"), query.Get("nonce")) {
					t.Errorf("signature is %q", got)
				}
				if query.Get("openid") != openID || query.Get("keep") != "1" {
					t.Errorf("query is %v", query)
				}
				outer := mustParse(t, string(body))
				inner := outer
				if mode != ModePlain {
					if query.Get("encrypt_type") != "aes" || query.Get("msg_signature") != sign("tok", query.Get("timestamp"), query.Get("nonce"), outer.Encrypt) {
						t.Errorf("query is %v", query)
					}
					text, err := s.seal.open(outer.Encrypt)
					if err != nil {
						t.Error(err)
					}
					inner = mustParse(t, string(text))
				} else if query.Has("msg_signature") || outer.Encrypt != "" {
					t.Error("a plain message carries ciphertext")
				}
				if (outer.Content != "") != (mode != ModeSafe) {
					t.Errorf("in clear text: %q", outer.Content)
				}
				if inner.ToUserName != s.opts.OriginalID || inner.FromUserName != openID || inner.MsgType != "text" || inner.Content != question || inner.MsgId < 1e15 {
					t.Errorf("message: %+v", inner)
				}
				if mode == ModeSafe {
					_, _ = io.WriteString(w, sealedReply(s, openID, "答 <1>", "tok"))
					return
				}
				_, _ = io.WriteString(w, textReply(s, openID, "答 <1>"))
			})
			if err := s.SetCallback(callback.URL + "/wechat?keep=1"); err != nil {
				t.Fatal(err)
			}
			got, err := s.Say(t.Context(), openID, question)
			if err != nil || got != "答 <1>" {
				t.Errorf("reply %q, %v", got, err)
			}
		})
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 10, EncodingAESKey: testKey, Mode: ModeCompat})
	safe := mustStart(t, Options{Followers: 10, EncodingAESKey: testKey})
	openID := s.Follower(0)
	for _, tt := range []struct {
		name, answer, want string
		fault              bool
		safeFault          bool
	}{
		{"nothing", "", "", false, false},
		{"success", "success", "", false, false},
		{"plain", textReply(s, openID, "hi"), "hi", false, true},
		{"sealed", sealedReply(s, openID, "hi", "simulator"), "hi", false, false},
		{"sealed with a wrong signature", sealedReply(s, openID, "hi", "other"), "", true, true},
		{"JSON", `{"ok":true}`, "", true, true},
		{"half", "<xml><ToUserName>", "", true, true},
		{"another root", "<html></html>", "", true, true},
		{"to somebody else", textReply(s, "oX", "hi"), "", true, true},
		{"empty", textReply(s, openID, ""), "", true, true},
		{"2,047 bytes", textReply(s, openID, strings.Repeat("x", 2047)), strings.Repeat("x", 2047), false, true},
		{"2,048 bytes", textReply(s, openID, strings.Repeat("x", 2048)), "", true, true},
		{"not sealed but claimed", "<xml><Encrypt>AAAA</Encrypt></xml>", "", true, true},
		{"no MsgType", strings.Replace(textReply(s, openID, "hi"), "<MsgType>text</MsgType>", "", 1), "", true, true},
		{"transfer", strings.Replace(textReply(s, openID, ""), ">text<", ">transfer_customer_service<", 1), "[transfer_customer_service]", false, true},
	} {
		got, err := s.readReply([]byte(tt.answer), openID)
		if got != tt.want || errors.Is(err, ErrFaulty) != tt.fault || (err != nil) != tt.fault {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
		if _, err := safe.readReply([]byte(tt.answer), openID); (err != nil) != tt.safeFault {
			t.Errorf("%s in safe mode: %v", tt.name, err)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	s, err := New(Options{Followers: 1, EncodingAESKey: testKey, Mode: ModeCompat})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	f.Add([]byte(textReply(s, s.Follower(0), "hi")))
	f.Add([]byte(sealedReply(s, s.Follower(0), "hi", "simulator")))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if text, err := s.readReply(answer, s.Follower(0)); err == nil && len(text) > replyLength && !strings.HasPrefix(text, "[") {
			t.Errorf("a reply of %d bytes is taken", len(text))
		}
	})
}

func TestCallbackRetries(t *testing.T) {
	t.Parallel()
	hangUp := func(w http.ResponseWriter, _ *http.Request) { cut(w) }
	for _, tt := range []struct {
		name     string
		failures int
		how      func(http.ResponseWriter, *http.Request)
		resign   bool
		calls    int
		fault    bool
	}{
		{"answered at once", 0, nil, false, 1, false},
		{"500 twice", 2, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, false, 3, false},
		{"cut twice, signed anew", 2, hangUp, true, 3, false},
		{"never", 9, hangUp, false, 3, true},
		{"late", 9, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, false, 3, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			try := func(timeout time.Duration) (calls []callbackCall, reply string, err error) {
				s := mustStart(t, Options{Followers: 1, CallbackRetry: 5 * time.Millisecond, CallbackTimeout: timeout, ResignRetries: tt.resign})
				callback := newCallbackServer(t, func(n int, w http.ResponseWriter, r *http.Request, _ []byte) {
					if n <= tt.failures {
						tt.how(w, r)
						return
					}
					_, _ = io.WriteString(w, textReply(s, s.Follower(0), "hi"))
				})
				if err := s.SetCallback(callback.URL); err != nil {
					t.Fatal(err)
				}
				reply, err = s.Say(t.Context(), s.Follower(0), "openid")
				return callback.seen(), reply, err
			}
			timeout := 5 * time.Second
			if tt.name == "late" {
				timeout = 40 * time.Millisecond
			}
			calls, reply, err := try(timeout)
			// On a busy machine the time of a try may be over before the callback sees it.
			for tt.name == "late" && len(calls) < tt.calls && timeout < 10*time.Second {
				timeout *= 2
				calls, reply, err = try(timeout)
			}
			if errors.Is(err, ErrFaulty) != tt.fault || (reply == "hi") == tt.fault {
				t.Errorf("reply %q, %v", reply, err)
			}
			if err != nil && strings.Contains(err.Error(), "signature=") {
				t.Errorf("the error shows a signed URL: %v", err)
			}
			if len(calls) != tt.calls {
				t.Fatalf("%d calls, want %d", len(calls), tt.calls)
			}
			for _, c := range calls[1:] {
				if c.body != calls[0].body {
					t.Error("a retry has another body")
				}
				if (c.url == calls[0].url) == tt.resign {
					t.Errorf("a retry has URL %s after %s", c.url, calls[0].url)
				}
			}
		})
	}
}

func TestSayCopies(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 1})
	callback := newCallbackServer(t, func(n int, w http.ResponseWriter, _ *http.Request, _ []byte) {
		_, _ = io.WriteString(w, textReply(s, s.Follower(0), fmt.Sprint(n)))
	})
	if err := s.SetCallback(callback.URL); err != nil {
		t.Fatal(err)
	}
	replies, err := s.SayCopies(t.Context(), s.Follower(0), "hi", 5)
	slices.Sort(replies)
	if diff := cmp.Diff([]string{"1", "2", "3", "4", "5"}, replies); diff != "" || err != nil {
		t.Errorf("%v, replies (-want +got):\n%s", err, diff)
	}
	calls := callback.seen()
	for _, c := range calls {
		if c != calls[0] {
			t.Errorf("a copy differs: %+v", c)
		}
	}
	if _, err := s.Say(t.Context(), s.Follower(0), "hi"); err != nil {
		t.Fatal(err)
	}
	if calls := callback.seen(); mustParse(t, calls[5].body).MsgId == mustParse(t, calls[0].body).MsgId {
		t.Error("another message has the same MsgId")
	}
}

func TestFollowEvents(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 1})
	callback := newCallbackServer(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ []byte) { _, _ = io.WriteString(w, "success") })
	if err := s.SetCallback(callback.URL); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Follow(t.Context(), "oNew"), s.Unfollow(t.Context(), "oNew")); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"subscribe", "unsubscribe"} {
		if got := mustParse(t, callback.seen()[i].body); got.Event != want || got.FromUserName != "oNew" || got.MsgType != "event" || got.CreateTime == 0 {
			t.Errorf("event %d: %+v", i, got)
		}
	}
	if err := s.Follow(t.Context(), "<xml>"); err == nil {
		t.Error("an OpenID with brackets may follow")
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Token: "tok"})
	if s.Verify(t.Context()) == nil {
		t.Error("verified without a callback")
	}
	var wrong atomic.Bool
	callback := newCallbackServer(t, func(_ int, w http.ResponseWriter, r *http.Request, _ []byte) {
		query := r.URL.Query()
		if r.Method != http.MethodGet || !signed(query.Get("signature"), "tok", query.Get("timestamp"), query.Get("nonce")) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if wrong.Load() {
			_, _ = io.WriteString(w, "hello")
			return
		}
		_, _ = io.WriteString(w, query.Get("echostr"))
	})
	if err := s.SetCallback(callback.URL); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	wrong.Store(true)
	if s.Verify(t.Context()) == nil {
		t.Error("a wrong echo is taken")
	}
}

func TestCallbackURLIsChecked(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{})
	for _, text := range []string{"localhost", "ftp://x", "http://", "://"} {
		if s.SetCallback(text) == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if _, err := url.Parse(s.URL()); err != nil {
		t.Error(err)
	}
}
