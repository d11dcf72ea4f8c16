package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A request of which nothing was written goes once more, with its whole body.
func TestAnUnaskedAnswerIsThrownAway(t *testing.T) {
	t.Parallel()
	var sent []string
	over := roundTripper(func(r *http.Request) (*http.Response, error) {
		kept := &guardedConn{waiting: true}
		kept.changed.L = &kept.mu
		trace := httptrace.ContextClientTrace(r.Context())
		trace.GetConn("")
		trace.GotConn(httptrace.GotConnInfo{Conn: kept, Reused: true})
		body, err := io.ReadAll(r.Body)
		sent = append(sent, string(body))
		rec := httptest.NewRecorder()
		if kept.wrote = len(sent) == 2; kept.wrote {
			fmt.Fprint(rec, "own")
		} else {
			fmt.Fprint(rec, "unasked")
		}
		return rec.Result(), err
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://platform", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	res, _, err := RoundTrip(over, r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, err := ReadBody(res, 100); string(got) != "own" || err != nil {
		t.Errorf("answer %q, %v", got, err)
	}
	if diff := cmp.Diff([]string{"{}", "{}"}, sent); diff != "" {
		t.Error(diff)
	}
}
