package transport_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/wechat/transport"
)

// hostileCertificate is that of the hostile servers. trustHostile makes it.
var hostileCertificate tls.Certificate

// trustHostile makes the certificate and has this process trust it as one of the
// system's. dir can be removed at the end.
func trustHostile() (dir string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", err
	}
	hostileCertificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	if dir, err = os.MkdirTemp("", "hostile"); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "root.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return "", err
	}
	return dir, os.Setenv("SSL_CERT_FILE", file)
}

// hostilePEM returns the certificate and its key.
func hostilePEM(tb testing.TB) [2][]byte {
	tb.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(hostileCertificate.PrivateKey)
	if err != nil {
		tb.Fatal(err)
	}
	return [2][]byte{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hostileCertificate.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}
}

// hostile is a platform that answers every send with the message's own msgid,
// and plays its trick with one answer in three.
type hostile struct {
	tb       testing.TB
	trick    trick
	listener net.Listener
	secure   *tls.Config // nil for plain HTTP
	// played is told after each answer to a send, once the trick is done.
	played chan struct{}

	mu     sync.Mutex
	number int
	got    map[string]int // sends by OpenID
	conns  int
}

// trick writes a message's own answer and one that nobody asked for. What it
// returns, if anything, is done when the next request is there.
type trick func(h *hostileConn, own, unasked string) (later func())

// hostileConn is a connection whose bytes can be held back below TLS.
type hostileConn struct {
	net.Conn
	wire *corked
}

func (h *hostileConn) say(text string) { _, _ = io.WriteString(h.Conn, text) }

// corked is a connection that collects what is written while it is corked.
type corked struct {
	net.Conn
	cork bool
	held []byte
}

func (c *corked) Write(p []byte) (int, error) {
	if c.cork {
		c.held = append(c.held, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// pour sends the first n bytes that are held, in one piece.
func (c *corked) pour(n int) {
	_, _ = c.Conn.Write(c.held[:n])
	c.held = c.held[n:]
	c.cork = len(c.held) > 0
}

const (
	ownID     = `{"errcode":0,"errmsg":"ok","msgid":%d}`
	leftByNow = `{"errcode":43004,"errmsg":"require subscribe"}`
)

func response(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func startHostile(tb testing.TB, secure *tls.Config, t trick) *hostile {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	h := &hostile{tb: tb, trick: t, listener: l, secure: secure, played: make(chan struct{}, 1000), got: map[string]int{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { h.serve(conn) })
		}
	})
	tb.Cleanup(func() { l.Close(); serving.Wait() })
	return h
}

func (h *hostile) url() string {
	if h.secure != nil {
		return "https://" + h.listener.Addr().String()
	}
	return "http://" + h.listener.Addr().String()
}

func (h *hostile) serve(raw net.Conn) {
	c := &hostileConn{wire: &corked{Conn: raw}}
	c.Conn = c.wire
	if h.secure != nil {
		c.Conn = tls.Server(c.wire, h.secure)
	}
	defer raw.Close()
	h.mu.Lock()
	h.conns++
	h.mu.Unlock()
	in := bufio.NewReader(c)
	later := func() {}
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		if req.URL.Path == "/cgi-bin/stable_token" {
			c.say(response(`{"access_token":"T","expires_in":7200}`))
			continue
		}
		later()
		later = h.answer(c, body)
	}
}

// answer answers a send, and says what to do when the next request is there.
func (h *hostile) answer(c *hostileConn, body []byte) (later func()) {
	defer func() { h.played <- struct{}{} }()
	var m struct {
		ToUser string `json:"touser"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		h.tb.Errorf("a message that can't be read: %v", err)
	}
	var person int
	_, _ = fmt.Sscanf(m.ToUser, "person-%d", &person)
	h.mu.Lock()
	h.got[m.ToUser]++
	h.number++
	playing := h.number%3 == 0
	unasked := leftByNow
	if h.number%2 == 0 {
		unasked = fmt.Sprintf(ownID, 666)
	}
	h.mu.Unlock()
	own := response(fmt.Sprintf(ownID, 1000+person))
	if !playing {
		c.say(own)
		return func() {}
	}
	if later = h.trick(c, own, response(unasked)); later == nil {
		later = func() {}
	}
	return later
}

// overEach runs a test with a platform that plays each of these tricks, over plain
// HTTP and over both versions of TLS.
func overEach(t *testing.T, tricks map[string]trick, f func(t *testing.T, h *hostile, c *wechat.Client)) {
	t.Helper()
	for name, play := range tricks {
		for scheme, version := range map[string]uint16{"HTTP": 0, "TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
			t.Run(name+" over "+scheme, func(t *testing.T) {
				t.Parallel()
				var secure *tls.Config
				if version != 0 {
					secure = &tls.Config{Certificates: []tls.Certificate{hostileCertificate}, MinVersion: version, MaxVersion: version}
				}
				h := startHostile(t, secure, play)
				f(t, h, newSender(t, h.url()))
			})
		}
	}
}

// newSender makes a client of a platform; proxy is the way there, if one is given.
func newSender(tb testing.TB, base string, proxy ...*url.URL) *wechat.Client {
	tb.Helper()
	cfg := wechat.Config{AppID: "wx1", AppSecret: "secret", BaseURL: base}
	for _, p := range proxy {
		cfg.Transport = transport.New(parse(tb, base), 8, http.ProxyURL(p))
	}
	c := wechat.New(cfg)
	tb.Cleanup(c.Close)
	return c
}

func person(i int) string { return fmt.Sprintf("person-%d", i) }

// message returns a message to a person, and the msgid that the platform gives it.
func message(i int) (m wechat.Message, msgID int64) {
	return wechat.Message{ToUser: person(i), TemplateID: "TPL", ClientMsgID: "7-1", Data: []wechat.Field{{Key: "thing1", Value: "图书馆周三闭馆"}}}, int64(1000 + i)
}

// sendTo sends to a person, and tells of a result that is another's. It returns
// when the platform has done all it does about it.
func (h *hostile) sendTo(t *testing.T, c *wechat.Client, i int) wechat.Result {
	t.Helper()
	m, own := message(i)
	r := c.Send(t.Context(), m)
	select {
	case <-h.played:
	case <-time.After(10 * time.Second):
		t.Errorf("person %d was not sent to: %+v", i, r)
	}
	if r.Verdict == wechat.Accepted && r.MsgID != own || r.Verdict != wechat.Accepted && r.Verdict != wechat.Retry || r.Gone {
		t.Errorf("person %d: %+v", i, r)
	}
	return r
}

// crowd sends to n people, eight at a time.
func (h *hostile) crowd(t *testing.T, c *wechat.Client, n int) {
	t.Helper()
	todo := make(chan int, n)
	for i := range n {
		todo <- i
	}
	close(todo)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for i := range todo {
				if r := h.sendTo(t, c, i); r.Verdict != wechat.Accepted {
					t.Errorf("person %d: %+v", i, r)
				}
			}
		})
	}
	work.Wait()
	h.once(n)
}

// once fails unless each of n people was sent to once.
func (h *hostile) once(n int) {
	h.tb.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range n {
		if n := h.got[person(i)]; n != 1 {
			h.tb.Errorf("person %d was sent to %d times", i, n)
		}
	}
}

// An answer that nobody asked for is nobody's: each person's is their own, and
// nobody is taken for one who left.
func TestEachPersonGetsTheirOwnAnswer(t *testing.T) {
	t.Parallel()
	const people = 20
	overEach(t, tricks, func(t *testing.T, h *hostile, c *wechat.Client) {
		for i := range people {
			if r := h.sendTo(t, c, i); r.Verdict != wechat.Accepted {
				t.Errorf("person %d: %+v", i, r)
			}
		}
		h.once(people)
		if h.conns > 2+people/3 {
			t.Errorf("%d connections for %d people: none was kept", h.conns, people)
		}
	})
}

func TestAnswersWithoutABodyShiftNothing(t *testing.T) {
	t.Parallel()
	const people = 20
	overEach(t, bodiless, func(t *testing.T, h *hostile, c *wechat.Client) {
		for i := range people {
			r := h.sendTo(t, c, i)
			if tricked := (i+1)%3 == 0; tricked != (r.Verdict == wechat.Retry && r.MaybeSent) {
				t.Errorf("person %d: %+v", i, r)
			}
		}
		h.once(people)
	})
}

// Many at a time, as a broadcast sends.
func TestEachPersonGetsTheirOwnAnswerInACrowd(t *testing.T) {
	t.Parallel()
	some := tricksOf("in the same write", "in the next record of the same write", "behind a long answer")
	overEach(t, some, func(t *testing.T, h *hostile, c *wechat.Client) { h.crowd(t, c, 90) })
}

// Through a proxy each call has its own connection.
func TestEachPersonGetsTheirOwnAnswerThroughAProxy(t *testing.T) {
	t.Parallel()
	overEach(t, tricksOf("in the same write", "at once", "1 ms later"), func(t *testing.T, h *hostile, _ *wechat.Client) {
		h.crowd(t, newSender(t, h.url(), h.proxy()), 24)
	})
}

// proxy starts a proxy to the platform. It carries what it is given whatever
// the platform's scheme is: a request in plain text needs no CONNECT.
func (h *hostile) proxy() *url.URL {
	h.tb.Helper()
	if h.secure == nil {
		return &url.URL{Scheme: "http", Host: h.listener.Addr().String()}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		far, err := new(net.Dialer).DialContext(h.tb.Context(), "tcp", r.Host)
		if r.Method != http.MethodConnect || err != nil {
			h.tb.Errorf("%s %s: %v", r.Method, r.Host, err)
			return
		}
		defer far.Close()
		near, in, err := http.NewResponseController(w).Hijack()
		if err != nil {
			h.tb.Error(err)
			return
		}
		defer near.Close()
		_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		var ways sync.WaitGroup
		ways.Go(func() { _, _ = io.Copy(far, in); far.Close() })
		ways.Go(func() { _, _ = io.Copy(near, far); near.Close() })
		ways.Wait()
	}))
	h.tb.Cleanup(srv.Close)
	return parse(h.tb, srv.URL)
}
