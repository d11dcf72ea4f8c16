package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// sizes are how much of everything is measured.
type sizes struct {
	Rounds int
	// Sends is how many recipients a broadcast has where its speed is measured,
	// LatentSends the same at 50 ms a call, and SDKSends that which the SDK sends to
	// there: a call of its may cost it a handshake.
	Sends, LatentSends, SDKSends int
	// Scale are the numbers of recipients over which costs are compared, from the
	// smallest, and ScaleRounds how often each is measured.
	Scale        []int
	ScaleRounds  []int
	WatchedSends int // recipients of a broadcast that is looked at; from 40,000 on it lasts longer than the pages' beat
	Pages        int // that are open
	Calls        int // of the callback
	Receipts     int
	Flood        int
	// Audiences says that the audiences are measured and nothing else: with so many
	// followers, in so many rounds, and sent to their end with LedgerFollowers.
	Audiences                                    bool
	Watched                                      bool          // the open pages are measured and nothing else
	Undo                                         time.Duration // the undo window, in which tags are pulled
	Opening                                      time.Duration // the undo window in which pages are opened
	GroupFollowers, GroupRounds, LedgerFollowers int
	// Large and Flooded are measured and nothing else, if they are there.
	Large   *largeSizes
	Flooded *floodedSizes
}

var (
	fullSizes = sizes{
		Rounds: 5, Sends: 100_000, LatentSends: 40_000, SDKSends: 10_000,
		Scale: []int{10_000, 100_000, 1_000_000}, ScaleRounds: []int{5, 5, 2},
		WatchedSends: 40_000, Pages: 200, Calls: 50_000, Receipts: 100_000, Flood: 500_000,
		Undo: 10 * time.Second, Opening: 3 * time.Second, GroupFollowers: 1_000_000, GroupRounds: 3, LedgerFollowers: 50_000,
	}
	quickSizes = sizes{
		Rounds: 3, Sends: 20_000, LatentSends: 8_000, SDKSends: 4_000,
		Scale: []int{10_000, 100_000}, ScaleRounds: []int{2, 1},
		WatchedSends: 8_000, Pages: 200, Calls: 10_000, Receipts: 20_000, Flood: 200_000,
		Undo: 10 * time.Second, Opening: 3 * time.Second, GroupFollowers: 100_000, GroupRounds: 2, LedgerFollowers: 10_000,
	}
	// smokeSizes are for the test that the benchmark works.
	smokeSizes = sizes{
		Rounds: 1, Sends: 150, LatentSends: 150, SDKSends: 60,
		Scale: []int{100, 200}, ScaleRounds: []int{1, 1},
		WatchedSends: 150, Pages: 20, Calls: 50, Receipts: 300, Flood: 500,
		Undo: 100 * time.Millisecond, Opening: time.Second, GroupFollowers: 1_000, GroupRounds: 1, LedgerFollowers: 1_000,
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
	binary   string // the built program
	profiles string // the folder for profiles, "" for none
	dbs      *databases
	platform *platformEnd
	progress io.Writer

	results results
}

// results are the series of each figure, one value for each round.
type results struct {
	Sends                        map[wire]*sendResults
	Unwatched, Watched, Consoles byDriver
	Scale                        map[string]map[int]*scaleSeries // by driver and recipients
	Gin, Callback                loopSeries
	Receipts, Update             byDriver
	Groups                       map[string]*groupResults // by driver
	Large                        map[string]*largeResult  // by driver
	Flooded                      floodedResult
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

// step is a part of what is measured.
type step struct {
	what string
	do   func(context.Context) error
}

// measure takes every measurement in a folder that it removes at the end.
func (b *bench) measure(ctx context.Context, databaseServer string) (err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if b.dbs, err = newDatabases(folder, databaseServer); err != nil {
		return err
	}
	if b.platform, err = startPlatform(ctx, folder); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.platform.stop()) }()
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
	case b.Large != nil:
		steps = []step{{"a very large number of followers", b.large}}
	case b.Flooded != nil:
		steps = []step{{"a flood of callbacks", b.flooded}}
	case b.Audiences:
		steps = []step{{"audiences", b.audiences}}
	case b.Watched:
		steps = []step{{"open pages", b.watchedSends}}
	case b.profiles != "":
		steps = append(steps, step{"profiles", b.profile})
	}
	for _, s := range steps {
		began := time.Now()
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("measure %s: %w", s.what, err)
		}
		fmt.Fprintf(b.progress, "%s: %.0f s\n", s.what, time.Since(began).Seconds())
	}
	return nil
}

// profile has the program's parts write the profiles of a broadcast.
func (b *bench) profile(ctx context.Context) error {
	for _, driver := range b.dbs.drivers() {
		if err := b.platform.set(ctx, b.Sends, 0); err != nil {
			return err
		}
		task := programTask{Driver: driver, Followers: b.Sends, InFlight: inFlight, Profiles: b.profiles}
		if _, err := onFresh[struct{}](ctx, b, "profiled", task); err != nil {
			return err
		}
	}
	return nil
}

// onFresh runs a role that works with the program's parts on a database of its own, with the
// platform's end over TLS.
func onFresh[Out any](ctx context.Context, b *bench, role string, task programTask) (out Out, err error) {
	db, err := b.dbs.fresh(ctx, task.Driver)
	if err != nil {
		return out, err
	}
	task.DSN, task.Platform = db.DSN, b.platform.url(overTLS)
	out, err = run[Out](ctx, role, task, b.platform.trust())
	return out, errors.Join(err, db.drop())
}
