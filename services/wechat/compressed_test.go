package wechat

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func zipped(tb testing.TB, text string) string {
	tb.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.String()
}

// An answer that was compressed unasked is read if it can be, and is never taken
// for a refusal if it can't.
func TestSendWithAnEncodedAnswer(t *testing.T) {
	t.Parallel()
	const ok = `{"errcode":0,"errmsg":"ok","msgid":3557254367693750277}`
	const tooLong = "the answer is too long"
	const notGzip = "read answer: the answer is not the gzip that it says it is"
	accepted := Result{Verdict: Accepted, MsgID: 3557254367693750277}
	unusable := func(detail string) Result { return Result{Verdict: Retry, MaybeSent: true, Detail: detail} }
	strange := func(name string) Result {
		return unusable(fmt.Sprintf("the answer has the Content-Encoding %q, which nobody asked for", name))
	}
	tests := map[string]struct {
		encoding []string
		body     string
		want     Result
	}{
		"gzip":              {[]string{"gzip"}, zipped(t, ok), accepted},
		"its old name":      {[]string{"X-GZip"}, zipped(t, ok), accepted},
		"in two parts":      {[]string{"gzip"}, zipped(t, ok[:9]) + zipped(t, ok[9:]), accepted},
		"none, in words":    {[]string{"Identity"}, ok, accepted},
		"a refusal":         {[]string{"gzip"}, zipped(t, `{"errcode":47003,"errmsg":"no"}`), Result{Verdict: Refused, Code: 47003, Detail: "no", Group: HaltContent}},
		"gzip of nonsense":  {[]string{"gzip"}, zipped(t, "<html>"), unusable("the answer is not the platform's JSON")},
		"no gzip":           {[]string{"gzip"}, ok, unusable(notGzip)},
		"nothing":           {[]string{"gzip"}, "", unusable(notGzip)},
		"half":              {[]string{"gzip"}, zipped(t, ok)[:40], unusable("the connection was cut")},
		"damaged":           {[]string{"gzip"}, zipped(t, ok)[:50] + "xxxxxxxx" + zipped(t, ok)[58:], unusable(notGzip)},
		"more behind it":    {[]string{"gzip"}, zipped(t, ok) + ok, unusable(notGzip)},
		"a bomb":            {[]string{"gzip"}, zipped(t, `{"errmsg":"`+strings.Repeat("x", 20*answerLimit)), unusable(tooLong)},
		"nothing, too long": {[]string{"gzip"}, strings.Repeat(zipped(t, ""), 2*answerLimit/len(zipped(t, ""))), unusable(tooLong)},
		"deflate":           {[]string{"deflate"}, ok, strange("deflate")},
		"brotli":            {[]string{"br"}, ok, strange("br")},
		"twice":             {[]string{"gzip", "br"}, zipped(t, ok), strange("gzip, br")},
		"a secret":          {[]string{testSecret}, ok, strange("***")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform()
			p.HandleFunc("POST "+sendPath, func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Values("Accept-Encoding"); len(got) != 1 || got[0] != "identity" {
					t.Errorf("Accept-Encoding is %q", got)
				}
				w.Header()["Content-Encoding"] = tt.encoding
				fmt.Fprint(w, tt.body)
			})
			if diff := cmp.Diff(tt.want, serve(t, p).Send(t.Context(), testMessage())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Reading what is compressed costs no connection.
func TestGzipKeepsItsConnection(t *testing.T) {
	t.Parallel()
	answer := zipped(t, "好")
	base, conns := serveCounted(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_ = http.NewResponseController(w).Flush() // in chunks
		fmt.Fprint(w, answer)
	}))
	c := newClient(t, base)
	for range 5 {
		req := testCall()
		req.timeout = 10 * time.Second
		a, _, err := c.exchange(t.Context(), req)
		if err != nil || string(a.body) != "好" {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	conns.want(t, 1)
}
