package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// sizes are how much of everything is measured.
type sizes struct {
	Rounds int
	// Sends is how many recipients a broadcast has where its speed is measured,
	// LatentSends the same at 50 ms a call.
	Sends, LatentSends int
	// Scale are the numbers of recipients over which costs are compared, from the
	// smallest, and ScaleRounds how often each is measured.
	Scale        []int
	ScaleRounds  []int
	WatchedSends int // recipients of a broadcast that is looked at; from 40,000 on it lasts longer than the pages' beat
	Calls        int // of the callback
	Receipts     int
	Flood        int
	// Audiences says that the audiences are measured and nothing else: with so many
	// followers, in so many rounds, and sent to their end with LedgerFollowers.
	Audiences                                    bool
	Watched                                      bool          // the open pages are measured and nothing else
	Undo                                         time.Duration // the undo window, in which tags are pulled
	GroupFollowers, GroupRounds, LedgerFollowers int
}

var (
	fullSizes = sizes{
		Rounds: 5, Sends: 100_000, LatentSends: 40_000,
		Scale: []int{10_000, 100_000, 1_000_000}, ScaleRounds: []int{5, 5, 2},
		WatchedSends: 40_000, Calls: 50_000, Receipts: 100_000, Flood: 500_000,
		Undo: 10 * time.Second, GroupFollowers: 1_000_000, GroupRounds: 3, LedgerFollowers: 50_000,
	}
	quickSizes = sizes{
		Rounds: 3, Sends: 20_000, LatentSends: 8_000,
		Scale: []int{10_000, 100_000}, ScaleRounds: []int{2, 1},
		WatchedSends: 8_000, Calls: 10_000, Receipts: 20_000, Flood: 200_000,
		Undo: 10 * time.Second, GroupFollowers: 100_000, GroupRounds: 2, LedgerFollowers: 10_000,
	}
	// smokeSizes are for the test that the benchmark works.
	smokeSizes = sizes{
		Rounds: 1, Sends: 150, LatentSends: 150,
		Scale: []int{100, 200}, ScaleRounds: []int{1, 1},
		WatchedSends: 150, Calls: 50, Receipts: 300, Flood: 500,
		Undo: 100 * time.Millisecond, GroupFollowers: 1_000, GroupRounds: 1, LedgerFollowers: 1_000,
	}
)

const (
	inFlight       = 64
	latentInFlight = 200
	latency        = 50 * time.Millisecond
	callers        = 64
)

type bench struct {
	sizes
	folder   string // for files that last as long as the run
	profiles string
	dbs      *databases
	platform string // its URL
	control  http.Client
	progress io.Writer

	results results
}

// results are the series of each figure, one value for each round.
type results struct {
	Bare, Fast                      loopSeries
	Program                         byDriver
	LatentBare                      loopSeries
	Held                            series // milliseconds at the platform's end, for those at 50 ms
	LatentProgram, LatentSDK        byDriver
	Conns                           series
	Unwatched, Watched, Consoles    byDriver
	Scale                           map[string]map[int]*scaleSeries // by driver and recipients
	Gin, Callback                   loopSeries
	Receipts, Update                byDriver
	PlatformAlone, PlatformAloneCPU float64
	PlatformCPU                     series                   // microseconds for a send, beside the program
	Groups                          map[string]*groupResults // by driver
}

// loopSeries are sends a second, and CPU microseconds of one.
type loopSeries struct{ Rate, CPU series }

func (s *loopSeries) add(m sample) {
	s.Rate, s.CPU = append(s.Rate, m.perSecond()), append(s.CPU, m.micros())
}

type byDriver map[string]*loopSeries

func (m *byDriver) of(driver string) *loopSeries {
	if *m == nil {
		*m = byDriver{}
	}
	if (*m)[driver] == nil {
		(*m)[driver] = &loopSeries{}
	}
	return (*m)[driver]
}

// scaleSeries is what a life of the program took at a number of recipients.
type scaleSeries struct {
	Fetch, Insert    series // seconds, of the baselines
	Sync, Resync     series // seconds
	Asked, FirstSend series // seconds from the request
	SendCPU          series // microseconds
	PeakMiB          series
}

// step is a part of what is measured.
type step struct {
	what string
	do   func(context.Context) error
}

func (b *bench) all(ctx context.Context) error {
	p, err := launch(ctx, "platform", platformSettings{})
	if err != nil {
		return err
	}
	if b.platform, err = p.line(); err != nil {
		return err
	}
	steps := []step{
		{"what the platform's end can take", b.floodPlatform},
		{"sends without latency", b.sends},
		{"sends at 50 ms", b.latentSends},
		{"open pages", b.watchedSends},
		{"10,000 to 1,000,000 recipients", b.scale},
		{"the callback", b.callback},
		{"receipts", b.receipts},
	}
	switch {
	case b.Audiences:
		steps = []step{{"audiences", b.audiences}}
	case b.Watched:
		steps = []step{{"open pages", b.watchedSends}}
	}
	for _, s := range steps {
		began := time.Now()
		if err := s.do(ctx); err != nil {
			return errors.Join(fmt.Errorf("measure %s: %w", s.what, err), p.stop())
		}
		fmt.Fprintf(b.progress, "%s: %.0f s\n", s.what, time.Since(began).Seconds())
	}
	return p.stop()
}

func (b *bench) floodPlatform(ctx context.Context) error {
	if err := b.set(ctx, b.Flood, 0); err != nil {
		return err
	}
	m, err := run[sample](ctx, "flood", loopTask{Platform: b.platform, Followers: b.Flood})
	if err != nil {
		return err
	}
	stats, err := b.stats(ctx, b.Flood)
	b.results.PlatformAlone = m.perSecond()
	b.results.PlatformAloneCPU = 1e6 * stats.CPU / float64(b.Flood)
	return err
}

// sends compares the program with the baselines, one after the other in each
// round.
func (b *bench) sends(ctx context.Context) error {
	for range b.Rounds {
		task := loopTask{Followers: b.Sends, InFlight: inFlight}
		if err := b.loop(ctx, "bare", task, 0, &b.results.Bare); err != nil {
			return err
		}
		for _, driver := range b.dbs.drivers() {
			res, stats, err := b.life(ctx, programTask{
				Driver: driver, Followers: b.Sends, InFlight: inFlight, Profiles: b.profiles,
			}, 0)
			if err != nil {
				return err
			}
			b.results.Program.of(driver).add(stats.span(res.Send))
			b.results.Conns = append(b.results.Conns, float64(stats.Conns))
			b.results.PlatformCPU = append(b.results.PlatformCPU, 1e6*stats.CPU/float64(stats.Sends))
		}
		if err := b.loop(ctx, "fasthttp", task, 0, &b.results.Fast); err != nil {
			return err
		}
	}
	return nil
}

// latentSends is the same at 50 ms a call, and with the SDK.
func (b *bench) latentSends(ctx context.Context) error {
	for range min(b.Rounds, 3) {
		task := loopTask{Followers: b.LatentSends, InFlight: latentInFlight}
		if err := b.loop(ctx, "bare", task, latency, &b.results.LatentBare); err != nil {
			return err
		}
		for _, driver := range b.dbs.drivers() {
			res, stats, err := b.life(ctx, programTask{
				Driver: driver, Followers: b.LatentSends, InFlight: latentInFlight,
			}, latency)
			if err != nil {
				return err
			}
			b.results.LatentProgram.of(driver).add(stats.span(res.Send))
			b.results.Held = append(b.results.Held, 1000*stats.Held)
			db, err := b.dbs.fresh(ctx, driver)
			if err != nil {
				return err
			}
			task.DatabaseDriver, task.DSN = driver, db.DSN
			err = errors.Join(b.loop(ctx, "sdk", task, latency, b.results.LatentSDK.of(driver)), db.drop())
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// loop runs a baseline once.
func (b *bench) loop(ctx context.Context, name string, task loopTask, latency time.Duration, into *loopSeries) error {
	if err := b.set(ctx, task.Followers, latency); err != nil {
		return err
	}
	task.Platform = b.platform
	m, err := run[sample](ctx, name, task)
	if err != nil {
		return err
	}
	stats, err := b.stats(ctx, task.Followers)
	if latency > 0 {
		m = stats.span(m)
		b.results.Held = append(b.results.Held, 1000*stats.Held)
	}
	into.add(m)
	return err
}

// life runs the program once on a fresh database.
func (b *bench) life(ctx context.Context, task programTask, latency time.Duration) (programResult, platformStats, error) {
	if err := b.set(ctx, task.Followers, latency); err != nil {
		return programResult{}, platformStats{}, err
	}
	return b.lifeOn(ctx, task)
}

// lifeOn is life with the platform's end set.
func (b *bench) lifeOn(ctx context.Context, task programTask) (res programResult, stats platformStats, err error) {
	res, err = onFresh[programResult](ctx, b, "program", task)
	if err == nil {
		stats, err = b.stats(ctx, task.Followers)
	}
	return res, stats, err
}

// onFresh runs a role on a database of its own, with the platform's end.
func onFresh[Out any](ctx context.Context, b *bench, role string, task programTask) (out Out, err error) {
	db, err := b.dbs.fresh(ctx, task.Driver)
	if err != nil {
		return out, err
	}
	task.DSN, task.Platform = db.DSN, b.platform
	out, err = run[Out](ctx, role, task)
	return out, errors.Join(err, db.drop())
}

// scale compares lives of the program over numbers of recipients.
func (b *bench) scale(ctx context.Context) error {
	b.results.Scale = map[string]map[int]*scaleSeries{}
	for _, driver := range b.dbs.drivers() {
		b.results.Scale[driver] = map[int]*scaleSeries{}
	}
	for round := range b.ScaleRounds[0] {
		for i, n := range b.Scale {
			if round >= b.ScaleRounds[i] {
				continue
			}
			for _, driver := range b.dbs.drivers() {
				if err := b.scaleOne(ctx, driver, n); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *bench) scaleOne(ctx context.Context, driver string, n int) error {
	if err := b.set(ctx, n, 0); err != nil {
		return err
	}
	task := programTask{Platform: b.platform, Driver: driver, Followers: n, InFlight: inFlight, Resync: true}
	// Once unmeasured, for the pages that the platform's end makes when they are
	// first asked for.
	if _, err := run[sample](ctx, "fetch", task); err != nil {
		return err
	}
	fetched, err := run[sample](ctx, "fetch", task)
	if err != nil {
		return err
	}
	inserted, err := onFresh[sample](ctx, b, "inserts", task)
	if err != nil {
		return err
	}
	res, stats, err := b.lifeOn(ctx, task)
	if err != nil {
		return err
	}
	s := b.results.Scale[driver][n]
	if s == nil {
		s = &scaleSeries{}
		b.results.Scale[driver][n] = s
	}
	s.Fetch, s.Insert = append(s.Fetch, fetched.Wall), append(s.Insert, inserted.Wall)
	s.Sync, s.Resync = append(s.Sync, res.Sync.Wall), append(s.Resync, res.Resync.Wall)
	s.Asked = append(s.Asked, res.Asked)
	s.FirstSend = append(s.FirstSend, float64(stats.First-res.AskedAt)/1e9)
	s.SendCPU = append(s.SendCPU, res.Send.micros())
	s.PeakMiB = append(s.PeakMiB, res.PeakMiB)
	return nil
}

// set makes the platform's end forget what it saw.
func (b *bench) set(ctx context.Context, followers int, latency time.Duration) error {
	return b.setTo(ctx, platformSettings{Followers: followers, Latency: latency})
}

func (b *bench) setTo(ctx context.Context, set platformSettings) error {
	raw, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("set the platform: %w", err)
	}
	return b.ask(ctx, pathSet, raw, nil)
}

// stats returns what the platform's end saw, which must be n people once each.
func (b *bench) stats(ctx context.Context, n int) (platformStats, error) {
	var s platformStats
	err := b.ask(ctx, pathStats, nil, &s)
	if err == nil && (s.Sends != int64(n) || s.Twice != 0 || s.Refused != 0) {
		err = fmt.Errorf("the platform took %d sends of %d, %d twice, and refused %d", s.Sends, n, s.Twice, s.Refused)
	}
	return s, err
}

func (b *bench) ask(ctx context.Context, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.platform+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the platform: %w", err)
	}
	res, err := b.control.Do(req)
	if err != nil {
		return fmt.Errorf("ask the platform: %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the platform: HTTP %d, %w", res.StatusCode, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}
