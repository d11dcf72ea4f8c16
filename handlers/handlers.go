// Package handlers is how the outside reaches in over HTTP: the platform's
// callback, health, readiness, metrics and the pages. It is the only package
// with Gin.
package handlers

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is what the routes of the process work with. All fields are required.
type Config struct {
	// Metrics is what /metrics shows.
	Metrics prometheus.Gatherer
	// Checks are what /readyz asks.
	Checks []Check
	Now    func() time.Time
	Log    *slog.Logger
}

// Routes are routes of an account: a *Callback or *Pages.
type Routes interface{ register(r *gin.Engine) }

// New returns the routes of the process and of an account.
func New(cfg Config, account ...Routes) http.Handler {
	releaseMode()
	r := gin.New()
	r.HandleMethodNotAllowed = true
	r.RedirectTrailingSlash = false
	r.Use(accessLog(cfg.Log), recovered(cfg.Log), noSniff)

	// Nobody who comes here is known to read one language.
	r.NoRoute(func(g *gin.Context) { g.String(http.StatusNotFound, "404 没有这个页面 · There is no such page") })
	r.GET("/healthz", func(g *gin.Context) { g.String(http.StatusOK, "ok") })
	r.GET("/readyz", readiness(cfg.Checks))
	r.GET("/metrics", gin.WrapH(promhttp.HandlerFor(cfg.Metrics, promhttp.HandlerOpts{})))
	for _, routes := range account {
		routes.register(r)
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
