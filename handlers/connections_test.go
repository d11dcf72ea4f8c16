package handlers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serveMost serves the account with so many connections and returns its address.
func serveMost(t *testing.T, h http.Handler, most int, a *account) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewHTTPServer(h)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := Serve(server, listener, most, a.Log); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return listener.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}

// ask makes a signed request on a connection and returns the answer's body.
func ask(t *testing.T, a *account, conn net.Conn, msg string) string {
	t.Helper()
	q := a.query(testNow)
	if a.AESKey != "" {
		var encrypted string
		q, encrypted = a.encrypted(testNow, msg, testAppID)
		msg = encryptedBody(encrypted)
	}
	if _, err := fmt.Fprintf(conn, "POST /wechat?%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", q.Encode(), len(msg), msg); err != nil {
		t.Fatalf("write: %v", err)
	}
	return answer(t, conn)
}

func answer(t *testing.T, conn net.Conn) string {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("status %d, %v", res.StatusCode, err)
	}
	return string(body)
}

// However many connections are open and idle, or nearly so, the platform is
// served: on a new connection, and on one that it keeps.
func TestUnsignedConnectionsGiveWay(t *testing.T) {
	t.Parallel()
	const most, many = 20, 100
	for name, begin := range map[string]func(a *account) string{
		"silent":       func(*account) string { return "" },
		"half a head":  func(*account) string { return "POST /wechat HTTP/1.1\r\nHost: x\r\nX-A: " },
		"half a body":  func(*account) string { return "POST /wechat HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n<xml>" },
		"after a page": func(*account) string { return "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" },
		"half a body under a captured signature": func(a *account) string {
			return "POST /wechat?" + a.query(testNow).Encode() + "&encrypt_type=aes&msg_signature=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n<xml>"
		},
	} {
		for mode, edit := range map[string]func(*setup){"plain": func(*setup) {}, "safe": safe} {
			t.Run(name+", "+mode, func(t *testing.T) {
				t.Parallel()
				a := newAccount(t, edit)
				address := serveMost(t, a, most, a)
				kept := dial(t, address)
				ask(t, a, kept, textMsg("openid", 1))
				for i := range many {
					if _, err := dial(t, address).Write([]byte(begin(a))); err != nil {
						t.Logf("closed at once: %v", err)
					}
					if i%25 == 0 {
						ask(t, a, dial(t, address), textMsg("openid", int64(i+2)))
					}
				}
				ask(t, a, dial(t, address), textMsg("openid", 1000))
				ask(t, a, kept, textMsg("openid", 1001))
				if n := len(a.calls()); n != 7 {
					t.Errorf("%d messages were handled, want 7", n)
				}
				if n := strings.Count(a.log.String(), "connections without a good signature were closed"); n != 1 {
					t.Errorf("told %d times", n)
				}
			})
		}
	}
}

// A signed request that is being handled keeps its connection, and so does an open
// page.
func TestNoSignedRequestIsCutOff(t *testing.T) {
	t.Parallel()
	const most = 10
	begun, finish := make(chan struct{}), make(chan struct{})
	a := newAccount(t, func(c *setup) {
		c.text = func(ctx context.Context, _ incoming) (outgoing, error) {
			close(begun)
			select {
			case <-finish:
			case <-ctx.Done():
			}
			return outgoing{text: "done"}, nil
		}
	})
	viewing, leave := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/wechat", a)
	mux.HandleFunc("/view", func(w http.ResponseWriter, r *http.Request) {
		trust(r.Context()) // as a page with a valid link does
		close(viewing)
		<-leave
		_, _ = io.WriteString(w, "seen")
	})
	address := serveMost(t, mux, most, a)
	viewer := dial(t, address)
	_, _ = io.WriteString(viewer, "GET /view HTTP/1.1\r\nHost: x\r\n\r\n")
	<-viewing
	asking := dial(t, address)
	msg := textMsg("broadcast all", 1)
	_, _ = fmt.Fprintf(asking, "POST /wechat?%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", a.query(testNow).Encode(), len(msg), msg)
	<-begun
	for range 5 * most {
		dial(t, address)
	}
	ask(t, a, dial(t, address), receiptMsg)
	close(finish)
	if got := answer(t, asking); !strings.Contains(got, "done") {
		t.Errorf("the message is answered %q", got)
	}
	close(leave)
	if got := answer(t, viewer); got != "seen" {
		t.Errorf("the page is %q", got)
	}
}

// While all places are taken by signed requests a connection waits for one.
func TestConnectionsWaitForAPlace(t *testing.T) {
	t.Parallel()
	const most = 3
	finish := make(chan struct{})
	begun := make(chan struct{}, most)
	a := newAccount(t, func(c *setup) {
		c.receipt = func(context.Context, int64, string) error {
			begun <- struct{}{}
			<-finish
			return nil
		}
	})
	address := serveMost(t, a, most, a)
	var busy []net.Conn
	for i := range most {
		conn := dial(t, address)
		msg := receipt(i + 1)
		_, _ = fmt.Fprintf(conn, "POST /wechat?%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", a.query(testNow).Encode(), len(msg), msg)
		<-begun
		busy = append(busy, conn)
	}
	waiting := dial(t, address)
	_, _ = io.WriteString(waiting, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	close(finish)
	for _, conn := range busy {
		answer(t, conn)
	}
	if got := answer(t, waiting); got != "ok" {
		t.Errorf("answered %q", got)
	}
}

// The limit holds, and each closed connection is counted once.
func TestConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	server := httptest.NewUnstartedServer(a)
	raw := server.Listener
	t.Cleanup(func() { _ = raw.Close() })
	all := &connections{Listener: raw, most: 5, log: a.Log}
	all.room.L = &all.mu
	for i := range 20 {
		dial(t, raw.Addr().String())
		conn, err := all.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			_ = conn.Close()
			_ = conn.Close()
		}
		if all.count > 5 || all.count != all.strangers.Len() {
			t.Fatalf("%d counted, %d listed", all.count, all.strangers.Len())
		}
	}
}

// The process may open fewer files than there are places.
func TestUnsignedConnectionsAreClosedWhenFilesRunOut(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	raw, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	all := &connections{Listener: &outOfFiles{Listener: raw}, most: 5, log: a.Log}
	all.room.L = &all.mu
	first := dial(t, raw.Addr().String())
	if _, err := all.Accept(); err != nil {
		t.Fatal(err)
	}
	dial(t, raw.Addr().String())
	if _, err := all.Accept(); err != nil {
		t.Errorf("the second is not accepted: %v", err)
	}
	if n, err := first.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("the first was not closed")
	}
	if all.count != 1 {
		t.Errorf("%d connections are counted", all.count)
	}
}

// outOfFiles has files for one connection, until one is closed.
type outOfFiles struct {
	net.Listener
	asked int
}

func (l *outOfFiles) Accept() (net.Conn, error) {
	l.asked++
	if l.asked == 2 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}
