package handlers

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/models"
)

// note is what a handler adds to the access log's line of its request.
type note struct {
	account string // the name of one of several
	kind    string // of the message
	openID  string // of the sender; masked when written
	reason  string // why it was refused or not acted on
	err     error  // what went wrong on our side
}

const noteKey = "note"

func noteOf(g *gin.Context) *note {
	if n, ok := g.Value(noteKey).(*note); ok {
		return n
	}
	return &note{}
}

// accessLog writes one line for each request: never its query, which carries
// signatures, nor its body, nor a full OpenID. Repeated refusals are only counted.
func accessLog(log *slog.Logger) gin.HandlerFunc {
	refused := &refusals{log: log}
	return func(g *gin.Context) {
		start := time.Now()
		n := &note{}
		g.Set(noteKey, n)
		g.Next()

		path := g.FullPath()
		if path == "" {
			path = cut(g.Request.URL.Path, 200)
			for _, secret := range []string{"/b/", "/console/"} { // what follows may be a link's signature
				if strings.HasPrefix(path, secret) {
					path = secret + "…"
				}
			}
		}
		ctx, status := g.Request.Context(), g.Writer.Status()
		level := n.level(path, status)
		if !refused.shown(status, n) || !log.Enabled(ctx, level) {
			return
		}
		attrs := []slog.Attr{
			slog.String("method", cut(g.Request.Method, 20)),
			slog.String("path", path),
			slog.Int("status", status),
			slog.Duration("took", time.Since(start).Round(time.Microsecond)),
			slog.Int("bytes", max(g.Writer.Size(), 0)),
			slog.String("ip", remoteIP(g.Request)),
		}
		log.LogAttrs(ctx, level, "request", append(attrs, n.attrs()...)...)
	}
}

func (n *note) level(path string, status int) slog.Level {
	switch {
	case path == "/healthz", path == "/readyz", path == "/metrics":
		return slog.LevelDebug
	case n.err != nil, status >= http.StatusInternalServerError && n.reason == "":
		return slog.LevelError
	case status >= http.StatusBadRequest && n.reason != "":
		return slog.LevelWarn
	case n.kind == kindReceipt:
		return slog.LevelDebug // there is one for each message that was sent; the engine logs how many
	default:
		return slog.LevelInfo
	}
}

func (n *note) attrs() []slog.Attr {
	var attrs []slog.Attr
	if n.account != "" {
		attrs = append(attrs, slog.String("account", n.account))
	}
	if n.kind != "" {
		attrs = append(attrs, slog.String("kind", n.kind))
	}
	if n.openID != "" {
		attrs = append(attrs, slog.String("openid", models.MaskOpenID(n.openID)))
	}
	if n.reason != "" {
		attrs = append(attrs, slog.String("reason", n.reason))
	}
	if n.err != nil {
		attrs = append(attrs, slog.String("error", masked(n.err.Error(), n.openID)))
	}
	return attrs
}

// masked returns text with the sender's OpenID masked in it.
func masked(text, openID string) string {
	if openID == "" {
		return text
	}
	return strings.ReplaceAll(text, openID, models.MaskOpenID(openID))
}

// cut returns at most n bytes of s, for a log.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

func remoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// recovered turns a panic of a handler into a 500 and a line with its stack.
func recovered(log *slog.Logger) gin.HandlerFunc {
	return func(g *gin.Context) {
		err := caught(func() error { g.Next(); return nil })
		if err == nil {
			return
		}
		var p *panicked
		if errors.As(err, &p) {
			if abort, ok := p.value.(error); ok && errors.Is(abort, http.ErrAbortHandler) {
				panic(abort) // net/http's own way to drop a connection
			}
		}
		logPanic(g, log, err)
		g.AbortWithStatus(http.StatusInternalServerError)
	}
}

// logPanic notes err and, if it is a panic, writes its stack.
func logPanic(g *gin.Context, log *slog.Logger, err error) {
	n := noteOf(g)
	n.err = err
	var p *panicked
	if errors.As(err, &p) {
		log.ErrorContext(g.Request.Context(), "handler panicked",
			"panic", masked(p.Error(), n.openID), "stack", masked(p.stack, n.openID))
	}
}

// panicked is a panic as an error.
type panicked struct {
	value any
	stack string
}

// Error implements error.
func (p *panicked) Error() string { return fmt.Sprint("panic: ", p.value) }

// caught runs f and returns its panic as a *panicked. Work in a goroutine of its
// own needs it: a panic that nobody catches there ends the process.
func caught(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{value: v, stack: string(debug.Stack())}
		}
	}()
	return f()
}
