package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/cache"
	"wechat-broadcast/config"
	"wechat-broadcast/handlers"
)

// process is what the program has once: everything that belongs to no account.
type process struct {
	settings *config.Settings
	log      *slog.Logger
	registry *prometheus.Registry // of the process; each account has one of its own
	// labels are on every metric: this replica's name, if there may be several.
	labels   prometheus.Labels
	slots    []*slot
	gatherer *cache.Cache[int, gathered]
	// handler serves LISTEN_ADDR, and inspection METRICS_ADDR: nil without one.
	handler, inspection http.Handler
	reopenAfter         time.Duration

	mu      sync.Mutex
	clients map[string]*redis.Client // by REDIS_URL
	counted map[string]bool          // database servers whose connections were counted
}

// newProcess wires the process. An account that is alone is opened, and it is an error
// if it can't be; several are opened when they run. close must follow.
func newProcess(settings *config.Settings, log *slog.Logger) (*process, error) {
	p := &process{
		settings: settings, log: log, registry: prometheus.NewRegistry(), labels: prometheus.Labels{},
		clients: map[string]*redis.Client{}, counted: map[string]bool{}, reopenAfter: reopenAfter,
	}
	p.gatherer = newGatherer(p)
	if slices.ContainsFunc(settings.Accounts, func(a config.Account) bool { return a.RedisURL != "" }) {
		p.labels["replica"] = replicaName()
	}
	prometheus.WrapRegistererWith(p.labels, p.registry).
		MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), notServed{p})
	var places []handlers.Place
	for _, of := range settings.Accounts {
		s := &slot{process: p, settings: of, fault: errStarting}
		p.slots = append(p.slots, s)
		places = append(places, s.place())
	}
	if p.alone() {
		if _, err := p.slots[0].open(); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	routes := handlers.Config{Metrics: prometheus.GathererFunc(p.gather), Now: time.Now, Log: log}
	if settings.MetricsAddr != "" {
		p.inspection = handlers.NewInspection(routes, places...)
		routes.Metrics = nil
	}
	p.handler = handlers.New(routes, places...)
	return p, nil
}

// alone tells whether the process has one account only, with or without a name.
func (p *process) alone() bool { return len(p.slots) == 1 }

// logOf returns the log of an account, which names it if it has a name.
func (p *process) logOf(settings config.Account) *slog.Logger {
	if settings.Name == "" {
		return p.log
	}
	return p.log.With("account", settings.Name)
}

// only returns the account of a process that has one.
func (p *process) only() *account {
	a, _ := p.slots[0].opened()
	return a
}

// named opens the account of a name, unless it is.
func (p *process) named(name string) (*account, error) {
	for _, s := range p.slots {
		if s.settings.Name == name {
			return s.open()
		}
	}
	return nil, fmt.Errorf("there is no account %q", name)
}

// close ends what newProcess and its accounts started, once nothing uses it any more.
func (p *process) close() error {
	var errs []error
	for _, s := range p.slots {
		errs = append(errs, s.close())
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
	p.mu.Lock()
	defer p.mu.Unlock()
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
