// Package client talks to the HTTP API of wechat-broadcast.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// requestWithin is how long a request of the default client may take.
const requestWithin = time.Minute

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 16 << 20

// Client makes requests with a token. It is safe for concurrent use.
type Client struct {
	// HTTP makes the requests. A Client of New has one with a timeout.
	HTTP *http.Client

	baseURL, token string
}

// New returns a Client of the server at an address, such as "https://bot.example.com".
func New(baseURL, token string) *Client {
	return &Client{HTTP: &http.Client{Timeout: requestWithin}, baseURL: strings.TrimSuffix(baseURL, "/"), token: token}
}

// Problem is the error of a request that the server refused.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	// Detail says what is wrong and how to mend it, in the account's language.
	Detail string `json:"detail"`
	// Code says it to programs.
	Code string `json:"code"`
	// RetryAfter is when the same request may be made again; 0 if the server does not say.
	RetryAfter time.Duration `json:"-"`
}

// Error implements error.
func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Title, p.Detail) }

// Broadcasts iterates over all broadcasts, the newest first. An error ends it.
func (c *Client) Broadcasts(ctx context.Context) iter.Seq2[Broadcast, error] {
	return all[Broadcast](ctx, c, "/api/v1/broadcasts", 500)
}

// Broadcast returns a broadcast by its number.
func (c *Client) Broadcast(ctx context.Context, id int64) (*Broadcast, error) {
	return get[Broadcast](ctx, c, http.MethodGet, broadcastPath(id, ""), "", nil)
}

// CreateBroadcast asks for a broadcast. key names the request: the same key never makes a
// second broadcast, so a request whose answer is missing can be made again with it.
func (c *Client) CreateBroadcast(ctx context.Context, key string, r BroadcastRequest) (*Broadcast, error) {
	return get[Broadcast](ctx, c, http.MethodPost, "/api/v1/broadcasts", key, r)
}

// Pause pauses a broadcast.
func (c *Client) Pause(ctx context.Context, id int64) (*Broadcast, error) {
	return get[Broadcast](ctx, c, http.MethodPost, broadcastPath(id, "/pause"), "", nil)
}

// Resume goes on with a paused broadcast.
func (c *Client) Resume(ctx context.Context, id int64) (*Broadcast, error) {
	return get[Broadcast](ctx, c, http.MethodPost, broadcastPath(id, "/resume"), "", nil)
}

// Cancel ends a broadcast for good. What was sent stays sent.
func (c *Client) Cancel(ctx context.Context, id int64) (*Broadcast, error) {
	return get[Broadcast](ctx, c, http.MethodPost, broadcastPath(id, "/cancel"), "", nil)
}

// Deliveries iterates over what became of a broadcast for each recipient. An error ends it.
func (c *Client) Deliveries(ctx context.Context, id int64) iter.Seq2[Delivery, error] {
	return all[Delivery](ctx, c, broadcastPath(id, "/deliveries"), 1000)
}

// Recipient returns what is known of a person.
func (c *Client) Recipient(ctx context.Context, openID string) (*Recipient, error) {
	return get[Recipient](ctx, c, http.MethodGet, "/api/v1/recipients/"+url.PathEscape(openID), "", nil)
}

// Messages iterates over the messages that can be sent. An error ends it.
func (c *Client) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return all[Message](ctx, c, "/api/v1/messages", 500)
}

// Audiences iterates over those to whom a broadcast can go. An error ends it.
func (c *Client) Audiences(ctx context.Context) iter.Seq2[Audience, error] {
	return all[Audience](ctx, c, "/api/v1/audiences", 500)
}

func broadcastPath(id int64, more string) string {
	return "/api/v1/broadcasts/" + strconv.FormatInt(id, 10) + more
}

// all iterates over the items of a list, page by page.
func all[T any](ctx context.Context, c *Client, path string, limit int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			query := url.Values{"limit": {strconv.Itoa(limit)}}
			if cursor != "" {
				query.Set("cursor", cursor)
			}
			page, err := get[struct {
				Items []T    `json:"items"`
				Next  string `json:"next"`
			}](ctx, c, http.MethodGet, path+"?"+query.Encode(), "", nil)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if cursor = page.Next; cursor == "" {
				return
			}
		}
	}
}

// get makes a request, with a body if there is one, and reads the answer.
func get[T any](ctx context.Context, c *Client, method, path, key string, body any) (*T, error) {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.baseURL+path, in)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return nil, problem(answer, text)
	}
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return &value, nil
}

// problem reads a refusal. One that is not the API's, such as a proxy's, has only a status.
func problem(answer *http.Response, text []byte) error {
	p := &Problem{}
	if err := json.Unmarshal(text, p); err != nil || p.Code == "" {
		p = &Problem{Title: http.StatusText(answer.StatusCode), Detail: "the answer is not the API's"}
	}
	p.Status = answer.StatusCode
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}
