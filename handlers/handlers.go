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
	// Metrics is what /metrics shows; nil if it and /readyz are served at another
	// address.
	Metrics prometheus.Gatherer
	Now     func() time.Time
	Log     *slog.Logger
}

// New returns the routes of the process and of its accounts: one without a name, or
// several with names.
func New(cfg Config, list ...Place) http.Handler {
	r := newEngine(cfg.Log)
	a := places(list)
	if cfg.Metrics != nil {
		inspect(r, cfg.Metrics, a)
	}
	a.register(r, cfg.Now)
	return r
}

// NewInspection returns the routes of METRICS_ADDR, which show how the process and its
// accounts are.
func NewInspection(cfg Config, list ...Place) http.Handler {
	r := newEngine(cfg.Log)
	inspect(r, cfg.Metrics, list)
	return r
}

// newEngine returns the routes that every address has.
func newEngine(log *slog.Logger) *gin.Engine {
	releaseMode()
	r := gin.New()
	r.HandleMethodNotAllowed = true
	r.RedirectTrailingSlash = false
	r.Use(accessLog(log), recovered(log), noSniff)
	r.NoRoute(noPage)
	r.GET("/healthz", func(g *gin.Context) { g.String(http.StatusOK, "ok") })
	return r
}

func inspect(r *gin.Engine, metrics prometheus.Gatherer, a places) {
	r.GET("/readyz", a.readiness)
	r.GET("/metrics", gin.WrapH(promhttp.HandlerFor(metrics, promhttp.HandlerOpts{})))
}

// noPage answers in both languages: nobody who comes here is known to read one.
func noPage(g *gin.Context) {
	g.String(http.StatusNotFound, "404 没有这个页面 · There is no such page")
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
