// Package wechat is the platform's API side: the access token, template
// message sends, follower pages and notices to admins.
package wechat

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"wechat-broadcast/cache"
	"wechat-broadcast/services/wechat/transport"
)

// What a Config leaves empty.
const (
	// DefaultBaseURL is the platform's nearest entry.
	DefaultBaseURL = "https://api.weixin.qq.com"
	// DefaultMaxConns is the number of connections for sends.
	DefaultMaxConns = 64
	// DefaultTimeout is the time for one whole call.
	DefaultTimeout = 10 * time.Second
)

const (
	// pageTimeout is for answers of many kilobytes, such as follower pages.
	pageTimeout = 30 * time.Second
	// spareConns keep a token refresh from queueing behind sends that hang.
	spareConns = 8

	answerLimit = 1 << 20
	pageLimit   = 16 << 20
)

// Config is what a Client needs. AppID and AppSecret are required.
type Config struct {
	AppID     string
	AppSecret string
	// BaseURL is another entry domain, or a simulator; DefaultBaseURL if empty.
	BaseURL string
	// Transport replaces the tuned one if set.
	Transport http.RoundTripper
	// MaxConns is how many sends may be in flight at once on connections of
	// their own; DefaultMaxConns if 0. Not used when Transport is set.
	MaxConns int
	// Timeout bounds one call from the dial to the last byte; DefaultTimeout
	// if 0. Follower pages get 30 s if that is more.
	Timeout time.Duration
	// SharedTokens has the account's replicas share one access token; nil for a
	// process that is alone.
	SharedTokens SharedTokens
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Log is where token refreshes are told; nothing is logged if nil.
	Log *slog.Logger
	// OnTokenRefresh is told the outcome of each token refresh if set: "ok",
	// "forced", "shared" (another replica did it), "refused" (the platform said no) or "error" (it could not be
	// asked). It is told before anybody is given the token, and may be called for
	// one while it is for another.
	OnTokenRefresh func(outcome string)
}

// Client speaks to the platform for one account. It is safe for concurrent
// use.
type Client struct {
	appID     string
	secret    string
	base      *url.URL
	transport http.RoundTripper
	timeout   time.Duration
	tokens    *tokens
	closed    atomic.Bool
	// templates are those of KnownTemplates.
	templates *cache.Cache[struct{}, []Template]
	// tags are those of KnownTags.
	tags *cache.Cache[struct{}, []Tag]
}

// New makes a Client. Nothing is asked of the platform before the first call;
// a BaseURL that can't be parsed makes every call fail.
func New(cfg Config) *Client {
	c := &Client{
		appID:     cfg.AppID,
		secret:    cfg.AppSecret,
		base:      &url.URL{},
		transport: cfg.Transport,
		timeout:   cmp.Or(cfg.Timeout, DefaultTimeout),
	}
	if base, err := url.Parse(strings.TrimRight(cmp.Or(cfg.BaseURL, DefaultBaseURL), "/")); err == nil {
		c.base = base
	}
	if c.transport == nil {
		c.transport = transport.New(c.base, cmp.Or(cfg.MaxConns, DefaultMaxConns)+spareConns, http.ProxyFromEnvironment)
	}
	c.tokens = newTokens(c, cfg)
	c.templates = c.newTemplateCache()
	c.tags = c.newTagCache()
	return c
}

// Close ends a token refresh that is under way and the idle connections.
// Calls after it keep no connection, and fail as soon as they need a new token.
func (c *Client) Close() {
	c.closed.Store(true)
	c.tokens.close()
	(&http.Client{Transport: c.transport}).CloseIdleConnections()
}

// Token returns an access token that the platform has not refused yet,
// fetching one if there is none. The error says what is wrong with the
// credentials if that is the cause, and wraps an *APIError then.
func (c *Client) Token(ctx context.Context) (string, error) {
	return c.tokens.get(ctx)
}
