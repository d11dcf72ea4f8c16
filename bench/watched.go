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
	linkSecret     = "0123456789abcdef0123456789abcdef"
)

// watchedSends compares a broadcast whose progress page is open on many phones, and
// one that many admins look at in the console, with one at which nobody looks.
func (b *bench) watchedSends(ctx context.Context) error {
	for range min(b.Rounds, 3) {
		for _, driver := range b.dbs.drivers() {
			for _, open := range []struct {
				pages, consoles int
				into            *byDriver
			}{{into: &b.results.Unwatched}, {pages: openPages, into: &b.results.Watched}, {consoles: openPages, into: &b.results.Consoles}} {
				task := programTask{Driver: driver, Followers: b.WatchedSends, InFlight: inFlight, Pages: open.pages, Consoles: open.consoles}
				if err := b.watchedOnce(ctx, task, open.into.of(driver)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *bench) watchedOnce(ctx context.Context, task programTask, into *loopSeries) error {
	if err := b.set(ctx, b.WatchedSends, watchedLatency); err != nil {
		return err
	}
	taken, err := onFresh[sample](ctx, b, "watched", task)
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
	open, stop, err := p.serveWatched(ctx, id, task)
	if err != nil {
		return taken, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	phones, err := launch(ctx, "viewers", open)
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

// site is where pages are served, and what they share.
type site struct {
	url   string
	links *handlers.Links
	live  *progress.Feeds
	log   *slog.Logger
}

// serveWatched serves the pages of a broadcast as the program does, and returns who
// is to look at them.
func (p *parts) serveWatched(ctx context.Context, id int64, task programTask) (open viewersTask, stop func() error, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return open, nil, fmt.Errorf("listen: %w", err)
	}
	at := site{url: "http://" + listener.Addr().String(), log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if at.links, err = handlers.NewLinks(at.url, linkSecret, callbackToken, time.Now); err != nil {
		return open, nil, errors.Join(err, listener.Close())
	}
	at.live, err = progress.New(progress.Config{Store: p.store, Engine: p.engine, Platform: p.platform, Language: "zh", Now: time.Now, Log: at.log})
	if err != nil {
		return open, nil, errors.Join(err, listener.Close())
	}
	account := &handlers.Account{}
	if task.Consoles > 0 {
		account.Console, open, err = p.console(ctx, at, id, task.Consoles)
	} else {
		open = viewersTask{URL: at.links.Broadcast(id) + "/events", N: task.Pages}
		account.Pages, err = handlers.NewPages(handlers.PagesConfig{
			Links: at.links, Store: p.store, Engine: p.engine, Progress: at.live, Language: "zh", Now: time.Now, Log: at.log,
		})
	}
	if err != nil {
		at.live.Close()
		return open, nil, errors.Join(err, listener.Close())
	}
	server := handlers.NewHTTPServer(handlers.New(
		handlers.Config{Metrics: prometheus.NewRegistry(), Now: time.Now, Log: at.log}, handlers.Fixed(account)))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return open, func() error {
		at.live.Close()
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
	// Links are those by which each of them enters the console before; none of people
	// who have a progress page.
	Links []string
	// Pages are loaded by each of them once all of them show a state.
	Pages []string
}

// viewers says a line once all pages show a state, and returns when all show the
// end of the broadcast.
func viewers(ctx context.Context, task viewersTask, say func(string)) (struct{}, error) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	pages, ctx := errgroup.WithContext(ctx)
	var opened sync.WaitGroup
	opened.Add(task.N)
	for i := range task.N {
		pages.Go(func() error {
			shown := sync.OnceFunc(opened.Done)
			defer shown()
			v := &viewer{client: client}
			if len(task.Links) > 0 {
				if err := v.enter(ctx, task.Links[i]); err != nil {
					return err
				}
			}
			pages.Go(func() error {
				opened.Wait()
				return v.load(ctx, task.Pages)
			})
			return v.watch(ctx, task.URL, shown)
		})
	}
	opened.Wait()
	if ctx.Err() == nil {
		say("open")
	}
	return struct{}{}, pages.Wait()
}

// viewer is somebody who looks at pages.
type viewer struct {
	client *http.Client
	cookie *http.Cookie // nil outside the console
}

// open asks for a page. Its body is to be closed.
func (v *viewer) open(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("open a page: %w", err)
	}
	if v.cookie != nil {
		req.AddCookie(v.cookie)
	}
	res, err := v.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("open a page: %w", err)
	}
	return res, nil
}

// watch keeps a page open until it shows the end of the broadcast.
func (v *viewer) watch(ctx context.Context, url string, shown func()) error {
	res, err := v.open(ctx, url)
	if err != nil {
		return err
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
