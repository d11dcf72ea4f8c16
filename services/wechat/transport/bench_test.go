package transport_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp" //nolint:depguard // a baseline, and the platform's end

	"wechat-broadcast/services/wechat/transport"
)

// servePlatform makes this process the platform of BenchmarkCalls.
var servePlatform = flag.Bool("serve-platform", false, "serve BenchmarkCalls")

const benchAnswer = `{"errcode":0,"errmsg":"ok","msgid":3557254367693750277}`

// serveBench answers every request over TLS until in ends. in begins with the
// certificate, out is told the address.
func serveBench(in io.Reader, out io.Writer) error {
	var pair [2][]byte
	first := json.NewDecoder(in)
	if err := first.Decode(&pair); err != nil {
		return err
	}
	certificate, err := tls.X509KeyPair(pair[0], pair[1])
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, l.Addr())
	srv := &fasthttp.Server{Handler: func(r *fasthttp.RequestCtx) { r.SetBodyString(benchAnswer) }}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		os.Exit(0) // the benchmark is over
	}()
	return srv.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}))
}

// startBench starts serveBench as a process of its own and returns its URL.
func startBench(b *testing.B) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-serve-platform")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	if err := json.NewEncoder(in).Encode(hostilePEM(b)); err != nil {
		b.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return "https://" + strings.TrimSpace(address)
}

// fastCall makes a call with fasthttp's client as it is: it neither ends with a
// context nor looks at its connections.
func fastCall(base string) func(ctx context.Context, body string) (answer, bool, error) {
	client := &fasthttp.Client{MaxIdemponentCallAttempts: 1}
	return func(_ context.Context, body string) (answer, bool, error) {
		r, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		defer fasthttp.ReleaseRequest(r)
		defer fasthttp.ReleaseResponse(res)
		r.SetRequestURI(base + "/x?access_token=T%261")
		r.Header.SetMethod(http.MethodPost)
		r.SetBodyString(body)
		if err := client.DoTimeout(r, res, 10*time.Second); err != nil {
			return answer{}, true, err
		}
		return answer{res.StatusCode(), string(res.Body())}, true, nil
	}
}

// BenchmarkCalls compares the transport with others, 64 calls at a time over TLS.
// CPU is that of the caller; the platform is another process.
func BenchmarkCalls(b *testing.B) {
	base := startBench(b)
	own := caller{base, transport.New(parse(b, base), 72, http.ProxyURL(nil))}
	bare := caller{base, &http.Transport{MaxIdleConnsPerHost: 72}}
	each := caller{base, transport.New(parse(b, base), 72, http.ProxyURL(nil))}
	each.over.DisableKeepAlives = true
	for _, c := range []caller{own, bare} {
		b.Cleanup(c.over.CloseIdleConnections)
	}
	for _, who := range []struct {
		name string
		call func(ctx context.Context, body string) (answer, bool, error)
	}{{"transport", own.call}, {"bare net-http", bare.call}, {"bare fasthttp", fastCall(base)}, {"a connection each", each.call}} {
		b.Run(who.name, func(b *testing.B) {
			send64(b, 1000, who.call) // the connections
			before := cpuTime(b)
			b.ResetTimer()
			send64(b, b.N, who.call)
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

// benchBody is about as long as a message.
var benchBody = `{"touser":"oABCD1234567890abcdefghijklm","data":{"thing1":{"value":"` + strings.Repeat("图", 40) + `"}}}`

func send64(b *testing.B, n int, call func(ctx context.Context, body string) (answer, bool, error)) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var work sync.WaitGroup
	for range 64 {
		work.Go(func() {
			for left.Add(-1) >= 0 {
				a, _, err := call(b.Context(), benchBody)
				if err == nil && a.body != benchAnswer {
					err = errors.New("a strange answer")
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
}

// cpuTime returns the CPU time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
