package wechat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"
)

// detailRunes is how much of a foreign text is kept.
const detailRunes = 200

// call is one request to the platform.
type call struct {
	method string
	path   string
	query  url.Values
	token  string
	body   []byte
	// limit is the longest answer read, in bytes.
	limit   int64
	timeout time.Duration
	// openID is the person it is about, kept out of error texts.
	openID string
}

// fault is a call that brought no usable answer. Its text holds no secret.
type fault struct {
	// absent: the address serves no such call, so asking again is no use.
	absent bool
	text   string
	cause  error
	// reached: a connection was had, so the request may have been carried out.
	reached bool
	after   time.Duration
}

func (f *fault) Error() string { return f.text }

// Unwrap leads to the cause, so that a caller can see its own cancellation.
func (f *fault) Unwrap() error { return f.cause }

// do makes the call and returns the body of a 200 answer. It never returns
// both.
func (c *Client) do(ctx context.Context, req call) ([]byte, *fault) {
	if c.base == nil || c.base.Host == "" {
		return nil, &fault{text: "the platform's base URL is malformed"}
	}
	ctx, cancel := context.WithTimeout(ctx, req.timeout)
	defer cancel()
	var reached atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// The transport asks for another connection only when nothing was
		// written on the one before, so each attempt starts afresh.
		GetConn: func(string) { reached.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { reached.Store(true) },
	})
	r, err := c.request(ctx, req)
	if err != nil {
		return nil, &fault{text: "the request can't be built"}
	}
	res, err := c.http.Do(r)
	if err != nil {
		return nil, c.faultOf(req, err, reached.Load())
	}
	defer res.Body.Close()
	raw, err := readAll(res, req.limit)
	switch {
	case res.StatusCode != http.StatusOK:
		return nil, &fault{
			text:    "HTTP " + strconv.Itoa(res.StatusCode),
			reached: true,
			absent:  res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed,
			after:   retryAfter(res.Header.Get("Retry-After")),
		}
	case err != nil:
		return nil, c.faultOf(req, err, true)
	}
	return raw, nil
}

func (c *Client) request(ctx context.Context, req call) (*http.Request, error) {
	var body io.Reader
	if req.body != nil {
		body = bytes.NewReader(req.body)
	}
	r, err := http.NewRequestWithContext(ctx, req.method, "", body)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	u := *c.base
	u.Path += req.path
	if req.token != "" {
		u.RawQuery = "access_token=" + url.QueryEscape(req.token)
	}
	if len(req.query) > 0 {
		u.RawQuery += "&" + req.query.Encode()
	}
	r.URL = &u
	if req.body != nil {
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	return r, nil
}

// errTooLong is an answer above the call's limit.
var errTooLong = errors.New("the answer is too long")

// readAll reads the answer to its end, so that the connection can be used
// again.
func readAll(res *http.Response, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	if n := res.ContentLength; n > 0 && n <= limit {
		// ReadFrom wants this much room to see the end without growing.
		buf.Grow(int(n) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(res.Body, limit+1)); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if int64(buf.Len()) > limit {
		return nil, errTooLong
	}
	return buf.Bytes(), nil
}

// faultOf words a transport error. The *url.Error around it is taken off:
// it prints the URL with the access token.
func (c *Client) faultOf(req call, err error, reached bool) *fault {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	text := err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		text = "no answer in time"
		if !reached {
			text = "no connection in time"
		}
	case errors.Is(err, context.Canceled):
		text = "the call was cancelled"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		text = "the connection was cut"
	}
	return &fault{text: c.clean(req, text), cause: err, reached: reached}
}

// retryAfter reads the header's form in seconds; 0 for any other.
func retryAfter(header string) time.Duration {
	n, err := strconv.Atoi(header)
	if err != nil || n < 0 || n > 24*60*60 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// clean makes a foreign text fit for logs and chats: one line, not long, and
// without the secrets of the call that it belongs to.
func (c *Client) clean(req call, text string) string {
	for _, secret := range []string{c.secret, req.token, url.QueryEscape(req.token), req.openID} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return oneLine(text)
}

// oneLine cuts a text to detailRunes runes of one line of valid UTF-8.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.TrimSpace(text)
	if utf8.RuneCountInString(text) <= detailRunes {
		return text
	}
	return string([]rune(text)[:detailRunes-1]) + "…"
}
