package main

import (
	"errors"
	"log/slog"
	"net/http"
	"os"
	"slices"
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
	metrics  prometheus.Registerer
	clients  map[string]*redis.Client // by REDIS_URL
	accounts []*account
	handler  http.Handler
}

// newProcess wires the process and its accounts. close must follow.
func newProcess(settings *config.Settings, log *slog.Logger) (*process, error) {
	registry := prometheus.NewRegistry()
	p := &process{log: log, registry: registry, metrics: registry, clients: map[string]*redis.Client{}}
	if slices.ContainsFunc(settings.Accounts, func(a config.Account) bool { return a.RedisURL != "" }) {
		p.metrics = prometheus.WrapRegistererWith(prometheus.Labels{"replica": replicaName()}, registry)
	}
	p.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, of := range settings.Accounts {
		a, err := newAccount(of, p)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.accounts = append(p.accounts, a)
	}
	a := p.accounts[0]
	p.handler = handlers.New(
		handlers.Config{Metrics: registry, Checks: a.checks(), Now: time.Now, Log: log}, a.callback, a.pages)
	return p, nil
}

// close ends what newProcess started, once nothing uses it any more.
func (p *process) close() error {
	var errs []error
	for _, a := range p.accounts {
		errs = append(errs, a.close())
	}
	for _, client := range p.clients {
		_ = client.Close()
	}
	return errors.Join(errs...)
}

// redis returns the client of a REDIS_URL, which accounts share: nil without one.
func (p *process) redis(url config.Secret) (*redis.Client, error) {
	if url == "" {
		return nil, nil //nolint:nilnil // no Redis is no fault
	}
	if client, made := p.clients[url.Reveal()]; made {
		return client, nil
	}
	client, err := newRedis(url.Reveal(), p.log)
	if err == nil {
		p.clients[url.Reveal()] = client
	}
	return client, err
}

// replicaName returns a name that no other running replica has.
func replicaName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "-" + strconv.Itoa(os.Getpid())
}
