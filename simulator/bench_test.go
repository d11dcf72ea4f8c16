package simulator

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

// BenchmarkTemplateSend is what one send costs the simulator without the connection: decoding, checks, ledger, answer.
func BenchmarkTemplateSend(b *testing.B) {
	s := mustStart(b, Options{Followers: 1_000_000})
	path := pathSend + "?access_token=" + mustToken(b, s)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, path, nil)
	w := discard{header: make(http.Header)}
	var body bytes.Reader
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		body.Reset([]byte(message(s.Follower(i%1_000_000), fmt.Sprintf("b1-%d", i))))
		r.Body = io.NopCloser(&body)
		s.ServeHTTP(w, r)
		i++
	}
}

// BenchmarkTemplateSendHTTP is the same over loopback, client included.
func BenchmarkTemplateSendHTTP(b *testing.B) {
	s := mustStart(b, Options{Followers: 1_000_000})
	url := s.URL() + pathSend + "?access_token=" + mustToken(b, s)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var n atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			body := message(s.Follower(int(i%1_000_000)), fmt.Sprintf("b1-%d", i))
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	client.CloseIdleConnections()
}

// TestLedgerIsCompact enters a million messages and looks at what they weigh.
func TestLedgerIsCompact(t *testing.T) {
	if testing.Short() {
		t.Skip("a million messages take a few seconds")
	}
	l := &ledger{texts: newPayloads()}
	before := heapInUse()
	for i := range uint32(1_000_000) {
		l.accept(record{id: i, msgID: int64(i), clientID: fmt.Sprintf("b1-%d-0123456789abcdef", i), payload: 1})
	}
	if grown := heapInUse() - before; grown > 150<<20 {
		t.Errorf("a million messages take %d MiB", grown>>20)
	}
	if l.reached.Load() != 1_000_000 {
		t.Errorf("reached %d", l.reached.Load())
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
