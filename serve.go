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
	if s.account != "" { // without it all are served
		if err := s.choose(settings); err != nil {
			return err
		}
	}
	on, err := s.listen(settings)
	if err != nil {
		return err
	}
	return serve(s.ctx, settings, log, on)
}

// listeners are where the program is reached.
type listeners struct {
	public  net.Listener // LISTEN_ADDR
	metrics net.Listener // METRICS_ADDR, nil without one
}

func (l listeners) close() error {
	if l.metrics == nil {
		return l.public.Close()
	}
	return errors.Join(l.public.Close(), l.metrics.Close())
}

// listen opens the addresses of the settings.
func (s *session) listen(settings *config.Settings) (on listeners, err error) {
	open := func(address string) (net.Listener, error) {
		listener, err := (&net.ListenConfig{}).Listen(s.ctx, "tcp", address)
		if err != nil {
			return nil, errors.New(s.words.Say("listen_fault", lang.Vars{"Address": address, "Reason": lang.SystemFault(err)}))
		}
		return listener, nil
	}
	if on.public, err = open(settings.ListenAddr); err != nil || settings.MetricsAddr == "" {
		return on, err
	}
	if on.metrics, err = open(settings.MetricsAddr); err != nil {
		return on, errors.Join(err, on.public.Close())
	}
	return on, nil
}

// serve runs the program on listeners until ctx ends. What is in flight then is
// recorded; the rest goes on at the next start.
func serve(ctx context.Context, settings *config.Settings, log *slog.Logger, on listeners) error {
	p, err := newProcess(settings, log)
	if err != nil {
		return errors.Join(err, on.close())
	}
	log.InfoContext(ctx, "serving", "address", on.public.Addr().String(), "settings", settings)
	if on.metrics != nil {
		log.InfoContext(ctx, "serving metrics", "address", on.metrics.Addr().String())
	}
	return p.serve(ctx, on)
}

// serve runs the process on listeners until ctx ends, and closes it.
func (p *process) serve(ctx context.Context, on listeners) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var parts sync.WaitGroup
	var servers []*http.Server
	for _, one := range []struct {
		listener net.Listener
		handler  http.Handler
	}{{on.public, p.handler}, {on.metrics, p.inspection}} {
		if one.listener == nil {
			continue
		}
		server := handlers.NewHTTPServer(one.handler)
		server.ErrorLog = slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)
		servers = append(servers, server)
		parts.Go(func() {
			if err := handlers.Serve(server, one.listener, maxConnections, p.log); !errors.Is(err, http.ErrServerClosed) {
				fail(fmt.Errorf("serve HTTP: %w", err))
			}
		})
	}
	for _, s := range p.slots {
		parts.Go(func() {
			if err := s.run(ctx); err != nil && p.alone() {
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
	for _, s := range p.slots {
		if a, _ := s.opened(); a != nil {
			parts.Go(a.progress.Close) // open event streams would delay the stop
		}
	}
	for _, server := range servers {
		if err := server.Shutdown(closing); err != nil {
			_ = server.Close()
		}
	}
	parts.Wait()
	err := p.close()
	p.log.Info("stopped")
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return errors.Join(cause, err)
	}
	return err
}
