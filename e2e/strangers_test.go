package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// answered is how soon the platform must have its answer.
const answered = 5 * time.Second

// Whoever posts forged bodies in great number is refused, and neither keeps an
// admin waiting nor fills the log.
func TestForgedBodies(t *testing.T) {
	long(t)
	// Not at once with other trials: its speed is tried.
	for _, mode := range []string{"plain", "safe"} {
		t.Run(mode, func(t *testing.T) {
			flags, more := []string{"--mode", mode}, settings{}
			if mode == "safe" {
				flags = append(flags, "--aes-key", aesKey)
				more["WECHAT_ENCODING_AES_KEY"] = aesKey
			}
			p := startPlatform(t, flags...)
			s := startServer(t, p, sqlite(t).url, more)
			before := s.log.size()
			stop := s.forge(600)
			var slowest time.Duration
			for range 10 {
				asked := time.Now()
				if reply := p.say(admin, "openid"); reply != admin {
					t.Errorf("openid is answered %q", reply)
				}
				slowest = max(slowest, time.Since(asked))
			}
			posts := stop()
			if slowest > answered {
				t.Errorf("with forged bodies coming, the admin waited for %s", slowest)
			}
			if posts < 600 {
				t.Errorf("only %d forged posts were answered", posts)
			}
			refused := strings.Count(s.log.text(before), "level=WARN msg=request")
			if refused == 0 || refused > 100 {
				t.Errorf("%d lines for %d forged posts", refused, posts)
			}
			t.Logf("%d forged posts, %d lines, the slowest answer after %s", posts, refused, slowest)
		})
	}
}

// forge has so many connections post forged bodies of 65,000 bytes, one after the
// other, until stop, which returns how many were refused. All have begun.
func (s *server) forge(conns int) (stop func() int64) {
	s.t.Helper()
	body := "<xml>" + strings.Repeat("<a>b</a>", 8124) + "</xml>"
	transport := &http.Transport{MaxIdleConnsPerHost: conns}
	forger := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	var posts atomic.Int64
	var over atomic.Bool
	var all, begun sync.WaitGroup
	begun.Add(conns)
	for range conns {
		all.Go(func() {
			first := true
			for !over.Load() {
				query := post{query: url.Values{
					"signature": {strings.Repeat("0", 40)}, "encrypt_type": {"aes"}, "msg_signature": {strings.Repeat("0", 40)},
				}}.signedQuery()
				req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/wechat?"+query, strings.NewReader(body))
				if err != nil {
					s.t.Error(err)
				}
				resp, err := forger.Do(req)
				if first {
					first = false
					begun.Done()
				}
				if err != nil {
					continue // what the server does with a forger's connection is its own affair
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusServiceUnavailable {
					s.t.Errorf("a forged post is answered %d", resp.StatusCode)
				}
				posts.Add(1)
			}
		})
	}
	begun.Wait()
	return func() int64 {
		over.Store(true)
		all.Wait()
		transport.CloseIdleConnections()
		return posts.Load()
	}
}

// Thousands of connections that do nothing, or send a byte now and then, shut
// nobody out: not while they come, and not when they are there.
func TestIdleConnections(t *testing.T) {
	long(t)
	// One after the other: each takes thousands of files.
	const conns = 5000
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Max < conns+1000 {
		t.Skipf("skipped: this process may open %d files, and the test needs %d", files.Max, conns+1000)
	}
	for name, head := range map[string]string{
		"silent":      "",
		"half a head": "POST /wechat HTTP/1.1\r\nHost: x\r\nX-A: b",
		"half a body": "POST /wechat HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n<xml>",
	} {
		t.Run(name, func(t *testing.T) {
			p := startPlatform(t, "--followers", "10")
			s := startServer(t, p, sqlite(t).url, nil)
			kept, keep := s.keptConnection(t)
			held := make(chan net.Conn, conns)
			opened := make(chan struct{})
			go func() {
				defer close(opened)
				for range conns {
					conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host(s.url))
					if err != nil {
						t.Error(err)
						return
					}
					held <- conn
					_, _ = conn.Write([]byte(head)) // it may be closed already
				}
			}()
			defer func() {
				<-opened
				close(held)
				for conn := range held {
					_ = conn.Close()
				}
			}()
			say := func(when string) {
				t.Helper()
				asked := time.Now()
				if reply := p.say(admin, "openid"); reply != admin || time.Since(asked) > answered {
					t.Errorf("%s: openid is answered %q after %s", when, reply, time.Since(asked))
				}
			}
			for len(held) < conns {
				say("while they come")
				keep(kept)
				select {
				case <-opened:
					if len(held) < conns {
						t.Fatalf("only %d connections could be opened", len(held))
					}
				default:
				}
			}
			<-opened
			for range 5 {
				say("when they are there")
				keep(kept)
			}
		})
	}
}

// keptConnection returns a connection as a reverse proxy keeps it, and what makes
// a signed request on it.
func (s *server) keptConnection(t *testing.T) (net.Conn, func(net.Conn)) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host(s.url))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	keep := func(conn net.Conn) {
		t.Helper()
		_ = conn.SetDeadline(time.Now().Add(patience))
		body := message("<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[LOCATION]]></Event>")
		_, err := fmt.Fprintf(conn, "POST /wechat?%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", post{}.signedQuery(), len(body), body)
		if err != nil {
			t.Fatalf("the kept connection was closed: %v", err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("the kept connection was closed: %v", err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("on the kept connection the answer is %d", resp.StatusCode)
		}
	}
	keep(conn)
	return conn, keep
}
