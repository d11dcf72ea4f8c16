package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"wechat-broadcast/config"
	"wechat-broadcast/handlers"
	"wechat-broadcast/lang"
)

const (
	// closeHTTPAfter is how long requests may take to end when the program stops.
	closeHTTPAfter = 5 * time.Second
	// maxConnections is how many connections are served at a time. It bounds what
	// strangers can make the program hold in memory.
	maxConnections = 4096
)

type serveCommand struct{}

// Run serves until the program is told to stop.
func (serveCommand) Run(s *session) error {
	// The reader of the log may end before the program: a pipe in a terminal that closes.
	signal.Ignore(syscall.SIGPIPE)
	settings, log, err := s.load()
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(s.ctx, "tcp", settings.ListenAddr)
	if err != nil {
		return errors.New(s.words.Say("listen_fault", lang.Vars{"Address": settings.ListenAddr, "Reason": lang.SystemFault(err)}))
	}
	return serve(s.ctx, settings, log, listener)
}

// serve runs the program on a listener until ctx ends. What is in flight then is
// recorded; the rest goes on at the next start.
func serve(ctx context.Context, settings *config.Settings, log *slog.Logger, listener net.Listener) error {
	p, err := newProcess(settings, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	log.InfoContext(ctx, "serving", "address", listener.Addr().String(), "settings", settings)
	return p.serve(ctx, listener)
}

// serve runs the process on a listener until ctx ends, and closes it.
func (p *process) serve(ctx context.Context, listener net.Listener) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	server := handlers.NewHTTPServer(p.handler)
	for _, a := range p.accounts {
		server.RegisterOnShutdown(a.pages.Close) // open event streams would delay the stop
	}
	server.ErrorLog = slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := handlers.Serve(server, listener, maxConnections, p.log); !errors.Is(err, http.ErrServerClosed) {
			fail(fmt.Errorf("serve HTTP: %w", err))
		}
	})
	for _, a := range p.accounts {
		parts.Go(func() {
			if err := a.run(ctx); err != nil {
				fail(err)
			}
		})
	}
	tellSystemd(daemon.SdNotifyReady, p.log)
	<-ctx.Done()
	tellSystemd(daemon.SdNotifyStopping, p.log)
	p.log.Info("stopping: what is in flight is recorded, the rest goes on at the next start")
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeHTTPAfter)
	defer cancel()
	if err := server.Shutdown(closing); err != nil {
		_ = server.Close()
	}
	parts.Wait()
	err := p.close()
	p.log.Info("stopped")
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return errors.Join(cause, err)
	}
	return err
}
