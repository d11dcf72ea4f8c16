package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/config"
	"wechat-broadcast/handlers"
	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
)

const (
	// reopenAfter is the first wait before an account that ended by a fault is opened
	// again. Each further one is twice as long, up to reopenAtMost.
	reopenAfter, reopenAtMost = 30 * time.Second, 5 * time.Minute
	// lookAtFile is how often it is looked whether the file of a database was replaced.
	lookAtFile = 10 * time.Second
)

// errStarting is the fault of a slot before its account is opened.
var errStarting = errors.New("the account is being started")

// errReplaced ends an account whose database file was replaced by another one.
var errReplaced = errors.New("the database file was replaced by another one")

// slot is the place of an account in the process. It stays when the account can't be
// opened or ends by a fault, and the account is opened again in it.
type slot struct {
	process  *process
	settings config.Account

	mu      sync.Mutex
	account *account // nil while there is none
	fault   error    // why there is none
}

// open opens the account, unless it is.
func (s *slot) open() (*account, error) {
	s.mu.Lock()
	a := s.account
	s.mu.Unlock()
	if a != nil {
		return a, nil
	}
	a, err := newAccount(s.settings, s.process)
	s.set(a, err)
	return a, err
}

func (s *slot) set(a *account, fault error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account, s.fault = a, fault
}

// opened returns the account, or why there is none.
func (s *slot) opened() (*account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account, s.fault
}

// place is how requests reach the account.
func (s *slot) place() handlers.Place {
	return handlers.Place{Name: s.settings.Name, Enter: func() (*handlers.Account, func(), error) {
		a, err := s.opened()
		if a == nil {
			return nil, nil, err
		}
		if !a.enter() {
			return nil, nil, errStarting
		}
		return a.served, a.using.RUnlock, nil
	}}
}

// run runs the account until ctx ends. One that is alone ends with its error. One of
// several is opened again after a while.
func (s *slot) run(ctx context.Context) error {
	log := s.process.logOf(s.settings)
	warnOfSettings(ctx, s.settings, log)
	for wait := s.process.reopenAfter; ; wait = min(2*wait, reopenAtMost) {
		began := time.Now()
		err := s.runOnce(ctx)
		if ctx.Err() != nil || s.process.alone() {
			return err
		}
		if time.Since(began) > reopenAtMost {
			wait = s.process.reopenAfter
		}
		pause := wait
		if errors.Is(err, errReplaced) { // the new file is opened at once; should that fail, it is no loop
			pause = 0
		}
		log.ErrorContext(ctx, "the account can't be served, trying again", "err", err, "wait", pause)
		if loop.Sleep(ctx, pause) != nil {
			return nil
		}
	}
}

// runOnce opens the account and runs it until ctx ends or it fails.
func (s *slot) runOnce(ctx context.Context) error {
	a, err := s.open()
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if !s.process.alone() {
		var watch sync.WaitGroup
		watch.Go(func() { s.watchFile(ctx, a, end) })
		defer watch.Wait()
	}
	err = a.run(ctx)
	if cause := context.Cause(ctx); errors.Is(cause, errReplaced) {
		err = cause
	}
	if err == nil || errors.Is(err, context.Canceled) { // the process ends, and closes it
		return err
	}
	end(nil)
	s.set(nil, err)
	return errors.Join(err, a.close())
}

// watchFile ends an account with errReplaced once another file stands in the place of
// its SQLite database, so that the new one is opened. One that is only gone is not made
// anew: nobody would be in it.
func (s *slot) watchFile(ctx context.Context, a *account, end context.CancelCauseFunc) {
	if s.settings.Database.Driver != config.SQLite {
		return
	}
	for loop.Sleep(ctx, lookAtFile) == nil {
		var unusable *models.Unusable
		if err := a.store.Ping(ctx); !errors.As(err, &unusable) {
			continue
		}
		if info, err := os.Stat(s.settings.Database.DSN); err == nil && info.Size() > 0 {
			end(errReplaced)
			return
		}
	}
}

// notServed shows Prometheus the slots that have no account.
type notServed struct{ process *process }

// Describe implements prometheus.Collector. Without any, nothing is said before.
func (notServed) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (n notServed) Collect(out chan<- prometheus.Metric) {
	for _, s := range n.process.slots {
		if a, _ := s.opened(); a == nil {
			out <- handlers.NotServed(s.settings.Name)
		}
	}
}

// close closes the account, once nothing runs it any more.
func (s *slot) close() error {
	a, _ := s.opened()
	if a == nil {
		return nil
	}
	return a.close()
}
