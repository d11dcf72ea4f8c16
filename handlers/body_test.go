package handlers

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/silenceper/wechat/v2/util"
)

func TestReadBody(t *testing.T) {
	t.Parallel()
	c := &Callback{large: make(chan struct{}, 1)}
	read := func(ctx context.Context, size int) ([]byte, error) {
		body := bytes.Repeat([]byte{'x'}, size)
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/wechat", bytes.NewReader(body))
		return c.readBody(httptest.NewRecorder(), r, true)
	}
	for _, size := range []int{0, 1, smallBody - 1, smallBody, smallBody + 1, maxBody} {
		if body, err := read(t.Context(), size); err != nil || len(body) != size {
			t.Errorf("%d bytes: read %d, %v", size, len(body), err)
		}
	}
	if _, err := read(t.Context(), maxBody+1); err == nil {
		t.Error("a body above the limit was read")
	}

	// While largeBodies are being read, other large ones wait and small ones do not.
	c.large <- struct{}{}
	if _, err := read(t.Context(), smallBody-1); err != nil {
		t.Errorf("a small body waits for large ones: %v", err)
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if _, err := read(gone, smallBody+1); err == nil {
		t.Error("a large body was read without a place for it")
	}
	<-c.large
	if _, err := read(t.Context(), smallBody+1); err != nil {
		t.Errorf("with a place again: %v", err)
	}
}

func TestAClientThatWritesBeforeItReadsGetsTheRefusal(t *testing.T) {
	t.Parallel()
	block := strings.Repeat("x", 1<<16)
	for _, tt := range []struct {
		name         string
		head         string
		before, tail string // around each block
		end          string
		signed       bool
	}{
		{name: "declared", head: fmt.Sprintf("Content-Length: %d", 8<<20), signed: true},
		{name: "declared, unsigned", head: fmt.Sprintf("Content-Length: %d", 8<<20)},
		{name: "chunked", head: "Transfer-Encoding: chunked", before: "10000\r\n", tail: "\r\n", end: "0\r\n\r\n", signed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			server := httptest.NewUnstartedServer(nil)
			server.Config = NewHTTPServer(a)
			server.Start()
			t.Cleanup(server.Close)
			target := "/wechat"
			if tt.signed {
				target += "?" + a.query(testNow).Encode()
			}
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			body := strings.Repeat(tt.before+block+tt.tail, (8<<20)/len(block)) + tt.end
			if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s", target, tt.head, body); err != nil {
				t.Fatalf("write: %v", err)
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("read: %v", err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusRequestEntityTooLarge || !res.Close {
				t.Errorf("status %d, closing %t", res.StatusCode, res.Close)
			}
		})
	}
}

// endless is a body without end. It counts the bytes that are read.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.read += int64(len(p))
	return len(p), nil
}

func TestDrainIsLimited(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	for _, tt := range []struct {
		name   string
		length int64
		expect string
		most   int64
	}{
		{"no length", -1, "", maxBody + maxDrained + 64<<10},
		{"a declared terabyte", 1 << 40, "", maxDrained + 64<<10},
		{"who waits for leave", 8 << 20, "100-Continue", 0},
	} {
		body := &endless{}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/wechat?"+a.query(testNow).Encode(), body)
		r.ContentLength = tt.length
		r.Header.Set("Expect", tt.expect)
		rec := httptest.NewRecorder()
		a.ServeHTTP(rec, r)
		if rec.Code != http.StatusRequestEntityTooLarge || body.read > tt.most {
			t.Errorf("%s: status %d after %d bytes", tt.name, rec.Code, body.read)
		}
	}
}

// In plain mode the query is enough to refuse a forged request.
func TestNoBodyIsReadWithoutASignature(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	body := &endless{}
	for name, q := range map[string]url.Values{
		"no signature": {},
		"wrong":        {"signature": {strings.Repeat("0", 40)}, "timestamp": {"1"}, "nonce": {"1"}},
		"stale":        {"signature": {util.Signature(testToken, "1", "1")}, "timestamp": {"1"}, "nonce": {"1"}},
	} {
		if rec := a.do(http.MethodPost, "/wechat?"+q.Encode(), body); rec.Code != http.StatusForbidden || body.read != 0 {
			t.Errorf("%s: status %d after %d bytes", name, rec.Code, body.read)
		}
	}
}

// Requests with the platform's signature in the query do not wait for them.
func TestUnsignedBodiesWaitOnlyForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, safe)
		stop := make(chan struct{})
		statuses := make(chan int, 3*strangersAtOnce)
		for range cap(statuses) {
			go func() {
				q := a.query(testNow)
				q.Set("signature", strings.Repeat("0", 40))
				q.Set("encrypt_type", "aes")
				q.Set("msg_signature", strings.Repeat("0", 40))
				statuses <- a.do(http.MethodPost, "/wechat?"+q.Encode(), until{stop}).Code
			}()
		}
		synctest.Wait()
		began := time.Now()
		if got := a.reply(t, a.push(textMsg("openid", 1))); got != "re: openid" || time.Since(began) > time.Second/2 {
			t.Errorf("meanwhile the platform's message is answered %q after %s", got, time.Since(began))
		}
		for range 2 * strangersAtOnce {
			if status := <-statuses; status != http.StatusServiceUnavailable {
				t.Errorf("a stranger without a place is answered %d", status)
			}
		}
		if waited := time.Since(began); waited > 2*strangerWaits {
			t.Errorf("strangers waited for %s", waited)
		}
		close(stop)
		for range strangersAtOnce {
			if status := <-statuses; status != http.StatusBadRequest {
				t.Errorf("a stranger with a place is answered %d", status)
			}
		}
		// There is room again, also for the platform's body without the signature.
		q, encrypted := a.encrypted(testNow, textMsg("openid", 2), testAppID)
		q.Del("signature")
		if got := a.reply(t, a.post(q, encryptedBody(encrypted))); got != "re: openid" {
			t.Errorf("afterwards: %q", got)
		}
	})
}

// until is a body that breaks off once stop is closed.
type until struct{ stop chan struct{} }

func (u until) Read([]byte) (int, error) {
	<-u.stop
	return 0, io.ErrUnexpectedEOF
}
