package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Whoever speaks before being asked is not asked, and surely nothing was sent.
func TestNothingIsSentToAGreeting(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 1)
	var serving sync.WaitGroup
	serving.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		said, _ := io.ReadAll(conn)
		heard <- string(said)
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	base := &url.URL{Scheme: "http", Host: l.Addr().String()}
	own := New(base, 4, http.ProxyURL(nil))
	dial := own.DialContext
	own.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err == nil {
			awaitArrival(t, guarded(conn))
		}
		return conn, err
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base.String(), strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	res, reached, err := RoundTrip(own, r)
	if err == nil {
		res.Body.Close()
	}
	if !errors.Is(err, errUnasked) || reached {
		t.Errorf("asked all the same: reached %v, %v", reached, err)
	}
	if said := <-heard; said != "" {
		t.Errorf("it was sent %q", said)
	}
}

// awaitArrival waits until something has arrived on a connection.
func awaitArrival(tb testing.TB, conn *guardedConn) {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); quiet(conn.raw); {
		if time.Now().After(deadline) {
			tb.Error("nothing arrives")
			return
		}
		<-time.After(time.Millisecond)
	}
}
