package wechat

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// detailRunes is how much of a foreign text is kept.
const detailRunes = 200

// call is one request to the platform.
type call struct {
	path  string
	query url.Values
	token string
	body  []byte // nil for a GET
	// limit is the longest answer read, in bytes; answerLimit if 0.
	limit   int64
	timeout time.Duration // the client's if 0
	// openID is the person it is about, kept out of error texts.
	openID string
}

// fault is a call that brought no usable answer. Its text holds no secret.
type fault struct {
	// unknown: the address serves no such call, so asking again is no use.
	unknown bool
	text    string
	cause   error
	// reached: a connection was had, so the request may have been carried out.
	reached bool
	after   time.Duration
}

func (f *fault) Error() string { return f.text }

// Unwrap leads to the cause, so that a caller can see its own cancellation.
func (f *fault) Unwrap() error { return f.cause }

// answer is what a call was answered.
type answer struct {
	status     int
	retryAfter string // the header
	date       string // the header
	body       []byte
}

// do makes the call and returns the body of a 200 answer. It never returns
// both.
func (c *Client) do(ctx context.Context, req call) ([]byte, *fault) {
	if c.base.Host == "" {
		return nil, &fault{text: "the platform's base URL is malformed"}
	}
	a, reached, err := c.exchange(ctx, req)
	switch {
	case a != nil && a.status != http.StatusOK:
		return nil, &fault{
			text:    "HTTP " + strconv.Itoa(a.status),
			reached: true,
			unknown: a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed,
			after:   retryAfter(a.retryAfter),
		}
	case err != nil:
		return nil, c.faultOf(req, err, reached)
	}
	return a.body, nil
}

// rawQuery is the call's query as it stands in its URL.
func (req call) rawQuery() string {
	if req.token == "" {
		return req.query.Encode()
	}
	return strings.TrimSuffix("access_token="+url.QueryEscape(req.token)+"&"+req.query.Encode(), "&")
}

// faultOf words a transport error.
func (c *Client) faultOf(req call, err error, reached bool) *fault {
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
