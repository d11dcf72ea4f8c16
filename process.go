package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/config"
	"wechat-broadcast/handlers"
)

// process is what the program has once: everything that belongs to no account.
type process struct {
	log      *slog.Logger
	registry *prometheus.Registry
	// metrics registers in registry, with this replica's name as a label if there
	// may be several.
	metrics prometheus.Registerer
	redis   *redis.Client // nil without REDIS_URL
	account *account
	handler http.Handler
}

// newProcess wires the process and its account. close must follow.
func newProcess(settings *config.Settings, log *slog.Logger) (*process, error) {
	registry := prometheus.NewRegistry()
	p := &process{log: log, registry: registry, metrics: registry}
	if url := settings.RedisURL.Reveal(); url != "" {
		var err error
		if p.redis, err = newRedis(url, log); err != nil {
			return nil, err
		}
		p.metrics = prometheus.WrapRegistererWith(prometheus.Labels{"replica": replicaName()}, registry)
	}
	p.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a, err := newAccount(settings.Account, p)
	if err != nil {
		p.closeRedis()
		return nil, err
	}
	p.account = a
	p.handler = handlers.New(
		handlers.Config{Metrics: registry, Checks: p.checks(), Now: time.Now, Log: log}, a.callback, a.pages)
	return p, nil
}

// close ends what newProcess started, once nothing uses it any more.
func (p *process) close() error {
	defer p.closeRedis()
	return p.account.close()
}

func (p *process) closeRedis() {
	if p.redis != nil {
		_ = p.redis.Close()
	}
}

// checks are what must be in order for the program to do its work.
func (p *process) checks() []handlers.Check {
	checks := p.account.checks()
	if p.redis != nil {
		checks = append(checks, handlers.Check{Name: "redis", Check: p.checkRedis})
	}
	return checks
}

// checkRedis tells whether Redis answers.
func (p *process) checkRedis(ctx context.Context) error {
	err := p.redis.Ping(ctx).Err()
	var fault net.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fault), errors.Is(err, context.DeadlineExceeded):
		return errors.New("can't reach Redis; sending waits for it")
	default:
		return fmt.Errorf("ask Redis: %w", err)
	}
}

// replicaName returns a name that no other running replica has.
func replicaName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "-" + strconv.Itoa(os.Getpid())
}
