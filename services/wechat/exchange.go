package wechat

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"

	"wechat-broadcast/services/wechat/transport"
)

const (
	contentType = "application/json; charset=utf-8"
	userAgent   = "wechat-broadcast"
)

// exchange carries a call to the platform and its answer back. reached tells of an
// error whether the call may have been carried out.
func (c *Client) exchange(ctx context.Context, req call) (a *answer, reached bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(req.timeout, c.timeout))
	defer cancel()
	r, err := c.request(ctx, req)
	if err != nil {
		return nil, false, err
	}
	res, reached, err := transport.RoundTrip(c.transport, r)
	if err != nil {
		return nil, reached, err
	}
	defer res.Body.Close()
	body, err := transport.ReadBody(res, cmp.Or(req.limit, answerLimit))
	return &answer{status: res.StatusCode, retryAfter: res.Header.Get("Retry-After"), date: res.Header.Get("Date"), body: body}, true, err
}

func (c *Client) request(ctx context.Context, req call) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if req.body != nil {
		method, body = http.MethodPost, bytes.NewReader(req.body)
	}
	r, err := http.NewRequestWithContext(ctx, method, "", body)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	u := *c.base
	u.Path, u.RawPath = u.Path+req.path, c.base.EscapedPath()+req.path
	u.RawQuery = req.rawQuery()
	r.URL = &u
	r.Close = c.closed.Load()
	if req.body != nil {
		r.Header.Set("Content-Type", contentType)
	}
	r.Header.Set("User-Agent", userAgent)
	r.Header.Set("Accept-Encoding", "identity")
	return r, nil
}
