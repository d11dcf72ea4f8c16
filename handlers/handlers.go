// Package handlers is how the outside reaches in over HTTP: the platform's
// callback, health, readiness, metrics and the pages. It is the only package
// with Gin.
package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models"
)

// Config is what the handlers work with. All fields are required unless they
// say otherwise.
type Config struct {
	// AppID is the account's; encrypted messages must name it.
	AppID string
	// Token signs the callbacks, as set on the platform.
	Token string
	// AESKey is the 43-character EncodingAESKey. With it only encrypted messages
	// are accepted; empty, only plain ones.
	AESKey string
	// Store remembers replies over a restart.
	Store *models.Store
	// Ready is closed once the database can be used. What needs it waits, for as
	// long as the platform has patience. Nil means that it can be.
	Ready <-chan struct{}
	// Redis has replicas share what they remember of callbacks; nil for a process
	// that is alone.
	Redis redis.UniversalClient
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	Log *slog.Logger
	// Registry gets the metrics of this package and is what /metrics shows; nil
	// means one of its own.
	Registry *prometheus.Registry
	// Replica is a label of this package's metrics; empty for none.
	Replica string

	// Text answers what a person wrote. An error is answered with Busy, and the
	// message is handled anew when the platform delivers it again.
	Text func(ctx context.Context, in Incoming) (Reply, error)
	// Remembers tells from a text alone, without effect, whether its reply may
	// have to outlive this process (Reply.Remember). Texts of which it says no
	// are answered without the database. Nil means that any may.
	Remembers func(text string) bool
	// Busy is the sentence that asks a person to try again in a moment.
	Busy string
	// Subscribed and Unsubscribed take the events, at being when the platform
	// says that they happened, and scene the event's EventKey. On an error the
	// platform is told to deliver again.
	Subscribed   func(ctx context.Context, openID string, at time.Time, scene string) error
	Unsubscribed func(ctx context.Context, openID string, at time.Time) error
	// Receipt takes a delivery report with its status as the platform spells it;
	// it returns once that is stored. On an error the platform is told to
	// deliver again.
	Receipt func(ctx context.Context, openID string, msgID int64, status string) error
	// Checks are what /readyz asks.
	Checks []Check
	// Pages are served under /b; nil for none.
	Pages *Pages
}

// Incoming is a text that a person wrote to the account.
type Incoming struct {
	OpenID string
	Text   string
	// Key names the message: every delivery of it has the same. It is ASCII and
	// at most 191 bytes.
	Key string
}

// Reply is the answer to a text.
type Reply struct {
	// Text is what the person reads; nothing is sent if it is empty.
	Text string
	// Remember keeps the reply over a restart: for commands that change the state
	// or read it. One that follows from the text alone need not be kept.
	Remember bool
}

// New returns the routes of the contract.
func New(cfg Config) http.Handler {
	releaseMode()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	r := gin.New()
	r.HandleMethodNotAllowed = true
	r.RedirectTrailingSlash = false
	r.Use(accessLog(cfg.Log), recovered(cfg.Log), noSniff)

	c := newCallback(cfg)
	r.GET("/wechat", c.verify)
	r.POST("/wechat", c.receive)

	r.GET("/healthz", func(g *gin.Context) { g.String(http.StatusOK, "ok") })
	r.GET("/readyz", newReadiness(cfg.Checks).serve)
	r.GET("/metrics", gin.WrapH(promhttp.HandlerFor(cfg.Registry, promhttp.HandlerOpts{})))
	if cfg.Pages != nil {
		cfg.Pages.register(r)
	}
	return r
}

// releaseMode stops Gin from printing its routes. The mode is one for the whole
// process, so it is set once and before the first engine reads it.
var releaseMode = sync.OnceFunc(func() { gin.SetMode(gin.ReleaseMode) })

// noSniff keeps a browser from taking an echoed value for a page.
func noSniff(g *gin.Context) { g.Header("X-Content-Type-Options", "nosniff") }

// NewHTTPServer returns a server for handler that gives no slow client more
// than seconds, and none more than 16 KiB of headers. Its address is not set.
func NewHTTPServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
