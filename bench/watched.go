package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"wechat-broadcast/handlers"
	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/models"
)

const (
	openPages      = 200
	watchedLatency = 20 * time.Millisecond
)

// watchedSends compares a broadcast whose progress page is open on many phones
// with one at which nobody looks.
func (b *bench) watchedSends(ctx context.Context) error {
	for range min(b.Rounds, 3) {
		for _, driver := range b.dbs.drivers() {
			err := b.watchedOnce(ctx, driver, 0, b.results.Unwatched.of(driver))
			if err == nil {
				err = b.watchedOnce(ctx, driver, openPages, b.results.Watched.of(driver))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) watchedOnce(ctx context.Context, driver string, pages int, into *loopSeries) error {
	if err := b.set(ctx, b.WatchedSends, watchedLatency); err != nil {
		return err
	}
	taken, err := onFresh[sample](ctx, b, "watched", programTask{
		Driver: driver, Followers: b.WatchedSends, InFlight: inFlight, Pages: pages,
	})
	if err != nil {
		return err
	}
	stats, err := b.stats(ctx, b.WatchedSends)
	into.add(stats.span(taken))
	return err
}

// watched sends a broadcast that starts once all pages are open, and waits until
// each of them shows its end.
func watched(ctx context.Context, p *parts, task programTask) (taken sample, err error) {
	if _, err = p.sync(ctx, task.Followers); err != nil {
		return taken, err
	}
	id, err := p.ask(ctx)
	if err != nil {
		return taken, err
	}
	page, stop, err := p.servePages(ctx, id)
	if err != nil {
		return taken, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	phones, err := launch(ctx, "viewers", viewersTask{URL: page + "/events", N: task.Pages})
	if err != nil {
		return taken, err
	}
	if _, err := phones.line(); err != nil {
		return taken, err
	}

	running, cancel := context.WithCancel(ctx)
	var engine sync.WaitGroup
	defer engine.Wait()
	defer cancel()
	watch := start()
	engine.Go(func() { _ = p.engine.Run(running) })
	b, err := p.ended(ctx, id)
	if err == nil {
		taken = watch.stop(task.Followers)
		err = p.check(ctx, b, task.Followers)
	}
	if err != nil {
		return taken, errors.Join(err, phones.stop())
	}
	_, err = finish[struct{}](phones)
	return taken, err
}

// servePages serves the progress pages as the program does, and returns the
// address of one.
func (p *parts) servePages(ctx context.Context, id int64) (page string, stop func() error, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	links, err := handlers.NewLinks("http://"+listener.Addr().String(), "0123456789abcdef0123456789abcdef", callbackToken, time.Now)
	if err != nil {
		return "", nil, errors.Join(err, listener.Close())
	}
	live, err := progress.New(progress.Config{Store: p.store, Engine: p.engine, Platform: p.platform, Language: "zh", Now: time.Now, Log: log})
	if err != nil {
		return "", nil, errors.Join(err, listener.Close())
	}
	pages, err := handlers.NewPages(handlers.PagesConfig{
		Links: links, Store: p.store, Engine: p.engine, Progress: live, Language: "zh", Now: time.Now, Log: log,
	})
	if err != nil {
		live.Close()
		return "", nil, errors.Join(err, listener.Close())
	}
	server := handlers.NewHTTPServer(handlers.New(
		handlers.Config{Metrics: prometheus.NewRegistry(), Now: time.Now, Log: log},
		handlers.Fixed(&handlers.Account{Pages: pages})))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return links.Broadcast(id), func() error {
		live.Close()
		err := server.Close()
		if end := <-served; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, fmt.Errorf("serve: %w", end))
		}
		return err
	}, nil
}

// viewersTask is a row of people who each keep a page open.
type viewersTask struct {
	URL string // of the events
	N   int
}

// viewers says a line once all pages show a state, and returns when all show the
// end of the broadcast.
func viewers(ctx context.Context, task viewersTask, say func(string)) (struct{}, error) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	pages, ctx := errgroup.WithContext(ctx)
	var opened sync.WaitGroup
	opened.Add(task.N)
	for range task.N {
		pages.Go(func() error {
			shown := sync.OnceFunc(opened.Done)
			defer shown()
			return viewer(ctx, client, task.URL, shown)
		})
	}
	opened.Wait()
	if ctx.Err() == nil {
		say("open")
	}
	return struct{}{}, pages.Wait()
}

// viewer keeps a page open until it shows the end of the broadcast.
func viewer(ctx context.Context, client *http.Client, url string, shown func()) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("open a page: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("open a page: %w", err)
	}
	defer res.Body.Close()
	in := bufio.NewScanner(res.Body)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		data, ok := bytes.CutPrefix(in.Bytes(), []byte("data: {"))
		if !ok {
			continue
		}
		var view struct{ State models.BroadcastState }
		if err := json.Unmarshal(append([]byte("{"), data...), &view); err != nil {
			return fmt.Errorf("read a page: %w", err)
		}
		if shown(); view.State == models.Finished {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("a page ended before the broadcast (HTTP %d)", res.StatusCode), in.Err())
}
