// Package wechat is the platform's API side: the access token, template
// message sends, follower pages and notices to admins.
//
// It uses the SDK's types but neither its HTTP client nor its token cache:
// those know no context, print the access token in errors, keep a token that
// the platform has refused, and live in process globals.
package wechat

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/silenceper/wechat/v2/credential"

	"wechat-broadcast/cache"
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
	dialTimeout = 5 * time.Second
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
	// HTTP replaces the tuned client; its timeout and redirect policy are not
	// used.
	HTTP *http.Client
	// MaxConns is how many sends may be in flight at once on connections of
	// their own; DefaultMaxConns if 0. Not used when HTTP is set.
	MaxConns int
	// Timeout bounds one call from the dial to the last byte; DefaultTimeout
	// if 0. Follower pages get 30 s if that is more.
	Timeout time.Duration
	// Redis has the account's replicas share one access token; nil for a process
	// that is alone.
	Redis redis.UniversalClient
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
	appID   string
	secret  string
	base    *url.URL
	wire    exchanger
	close   func() // ends the idle connections
	timeout time.Duration
	tokens  *tokens
	// templates are those of KnownTemplates.
	templates *cache.Cache[struct{}, []Template]
}

// The SDK's parts can take their token from a Client.
var _ credential.AccessTokenContextHandle = (*Client)(nil)

// New makes a Client. Nothing is asked of the platform before the first call;
// a BaseURL that can't be parsed makes every call fail.
func New(cfg Config) *Client {
	c := &Client{
		appID:   cfg.AppID,
		secret:  cfg.AppSecret,
		timeout: cmp.Or(cfg.Timeout, DefaultTimeout),
	}
	if base, err := url.Parse(strings.TrimRight(cmp.Or(cfg.BaseURL, DefaultBaseURL), "/")); err == nil {
		c.base = base
	}
	c.wire, c.close = newWire(c.base, cfg, http.ProxyFromEnvironment)
	c.tokens = newTokens(c, cfg)
	c.templates = c.newTemplateCache()
	return c
}

// newWire returns what carries the calls, and what ends its idle connections.
func newWire(base *url.URL, cfg Config, proxy func(*http.Request) (*url.URL, error)) (exchanger, func()) {
	conns := cmp.Or(cfg.MaxConns, DefaultMaxConns) + spareConns
	if base == nil {
		return nil, func() {}
	}
	if cfg.HTTP != nil {
		return newWebClient(base, cfg.HTTP), func() {}
	}
	if through, err := proxy(&http.Request{URL: base}); through != nil || err != nil {
		own := newTransport(conns, proxy)
		return newWebClient(base, &http.Client{Transport: own}), own.CloseIdleConnections
	}
	own := newLanes(base, conns)
	return own, own.close
}

func newWebClient(base *url.URL, client *http.Client) webClient {
	own := *client
	own.Timeout = 0 // each call has its own
	own.CheckRedirect = func(*http.Request, []*http.Request) error {
		// A redirect would carry the access token to another host.
		return http.ErrUseLastResponse
	}
	return webClient{&own, base}
}

// newTransport is for calls through a proxy. No connection serves two: net/http
// closes one that says something unasked only when it comes to read it, and by
// then another call may wait for its answer there and take that. With eight
// calls at a time and an unasked answer behind every third that was one in 300.
func newTransport(conns int, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	return &http.Transport{
		Proxy:               proxy,
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		MaxConnsPerHost:     conns,
		DisableKeepAlives:   true,
	}
}

// Close ends a token refresh that is under way and the idle connections.
// Calls after it fail as soon as they need a new token.
func (c *Client) Close() {
	c.tokens.close()
	c.close()
}

// Token returns an access token that the platform has not refused yet,
// fetching one if there is none. The error says what is wrong with the
// credentials if that is the cause, and wraps an *APIError then.
func (c *Client) Token(ctx context.Context) (string, error) {
	return c.tokens.get(ctx)
}

// GetAccessTokenContext is Token under the SDK's name.
func (c *Client) GetAccessTokenContext(ctx context.Context) (string, error) {
	return c.Token(ctx)
}

// GetAccessToken is Token for the parts of the SDK that know no context; it
// takes at most two calls' time.
func (c *Client) GetAccessToken() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*c.timeout)
	defer cancel()
	return c.Token(ctx)
}
