package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"wechat-broadcast/models"
)

const watchedLatency = 20 * time.Millisecond

// watchedSends compares a broadcast whose progress page is open on many phones, and
// one that many admins look at in the console, with one at which nobody looks.
func (b *bench) watchedSends(ctx context.Context) error {
	for range min(b.Rounds, 3) {
		for _, driver := range b.dbs.drivers() {
			for _, open := range []struct {
				pages, consoles int
				into            *byDriver
			}{{into: &b.results.Unwatched}, {pages: b.Pages, into: &b.results.Watched}, {consoles: b.Pages, into: &b.results.Consoles}} {
				if err := b.watchedOnce(ctx, driver, open.pages, open.consoles, open.into.of(driver)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *bench) watchedOnce(ctx context.Context, driver string, pages, consoles int, into *loopSeries) error {
	if err := b.platform.set(ctx, b.WatchedSends, watchedLatency); err != nil {
		return err
	}
	more := map[string]string{
		"SEND_CONCURRENCY": strconv.Itoa(inFlight), "PUBLIC_URL": publicURL, "UNDO_WINDOW": b.Opening.String(),
		"ADMIN_OPENIDS": openIDOf(admin),
	}
	for i := range consoles {
		if i != admin {
			more["ADMIN_OPENIDS"] += "," + openIDOf(i)
		}
	}
	return b.onServer(ctx, driver, overTLS, more, func(s *server) error {
		if _, err := s.sync(ctx, b.WatchedSends, 1); err != nil {
			return err
		}
		open, err := s.links(ctx, pages, consoles)
		if err != nil {
			return err
		}
		reply, err := s.ask(ctx)
		if err != nil {
			return err
		}
		if pages > 0 {
			open.URL = s.local(progressLink.FindString(reply)) + "/events"
		}
		m, err := b.watchedUntilEnd(ctx, s, open)
		into.add(m)
		return err
	})
}

// watchedUntilEnd has people look at the broadcast that was asked for, and waits until each
// of them is shown its end. The CPU is that from the moment at which all look.
func (b *bench) watchedUntilEnd(ctx context.Context, s *server, open viewersTask) (m sample, err error) {
	phones, err := launch(ctx, "viewers", open)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, phones.stop()) }()
	if _, err := phones.line(); err != nil {
		return m, err
	}
	before, err := s.cpu()
	if err != nil {
		return m, err
	}
	if err := s.ended(ctx, 1, b.WatchedSends); err != nil {
		return m, err
	}
	after, err := s.cpu()
	if err != nil {
		return m, err
	}
	stats, err := b.platform.stats(ctx, b.WatchedSends)
	if err != nil {
		return m, err
	}
	_, err = finish[struct{}](phones)
	return stats.span(sample{N: b.WatchedSends, CPU: after - before}), err
}

// publicURL is where the server says that people reach it. They don't: see local.
const publicURL = "https://push.example.com"

// progressLink is what a reply has of the page of a broadcast.
var progressLink = regexp.MustCompile(regexp.QuoteMeta(publicURL) + `/b/[\w-]+`)

// local is where a page of the server really is.
func (s *server) local(link string) string { return s.url + strings.TrimPrefix(link, publicURL) }

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
