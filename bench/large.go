package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// largeSizes are what is measured at a very large number of followers.
type largeSizes struct {
	Followers int
	// Smaller is the number that a send's cost is compared with, taken in so many rounds.
	Smaller, Rounds int
	Receipts        int // posted while it is sent
	InFlight        int
	Latency         time.Duration // of a send
	Undo            time.Duration
	AskEvery        time.Duration // between what an admin asks while it is sent
	Deleting        time.Duration // how long the deletion of its deliveries is watched at most
}

// largeOf are the sizes for a number of followers, 0 for the usual one.
func largeOf(followers int, quick bool) *largeSizes {
	s := &largeSizes{
		Followers: 10_000_000, Rounds: 3, InFlight: inFlight,
		Undo: 10 * time.Second, AskEvery: 2 * time.Second, Deleting: 2 * time.Minute,
	}
	if quick {
		s.Followers, s.Rounds, s.AskEvery, s.Deleting = 100_000, 1, 250*time.Millisecond, 20*time.Second
	}
	if followers > 0 {
		s.Followers = followers
	}
	s.Smaller, s.Receipts = min(100_000, s.Followers/2), min(200_000, s.Followers/10)
	return s
}

// largeResult is what the lives of the program took at a very large number of followers.
type largeResult struct {
	Smaller series // microseconds of CPU for a send at the smaller number
	largeLife
}

// largeLife is what one life took.
type largeLife struct {
	Pull, Again series  // seconds, of the followers
	PullMiB     series  // peak memory, as the others
	Asked       float64 // seconds until the reply to the request
	Planning    float64 // seconds from the start to the last batch
	First       float64 // seconds from the end of the undo window to the first send
	// WhilePlanned and Planned are sends a second until the last batch was there, for a
	// second at least, and from then on until the first kill.
	WhilePlanned, Planned float64
	Sends                 sample
	// SendMiB is of the processes that sent, and ReceiptMiB of the one that got receipts.
	SendMiB, ReceiptMiB, LaterMiB series
	Receipts                      float64 // a second
	Outage                        series  // seconds from a kill to the next send
	During, After, Gone           asks
	ledgerResult
	PullBytes, SendBytes float64 // of the database, for a recipient and for a delivery
	// Tally is how many seconds it took until the first delivery was deleted, and
	// Deleted how many were deleted in a second from then on.
	Tally, Deleted float64
}

// large measures each database at a very large number of followers. What fails on one leaves
// what was measured, and the other.
func (b *bench) large(ctx context.Context) error {
	b.results.Large = map[string]*largeResult{}
	var faults []error
	for _, driver := range b.dbs.drivers() {
		if err := b.largeOn(ctx, driver); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", databaseNames[driver], err))
		}
	}
	return errors.Join(faults...)
}

func (b *bench) largeOn(ctx context.Context, driver string) error {
	r := &largeResult{}
	b.results.Large[driver] = r
	for range b.Large.Rounds {
		smaller := &largeRun{bench: b, driver: driver, followers: b.Large.Smaller, undo: 0}
		if err := smaller.do(ctx); err != nil {
			return fmt.Errorf("at %s: %w", grouped(smaller.followers), err)
		}
		r.Smaller = append(r.Smaller, smaller.Sends.micros())
	}
	l := &largeRun{bench: b, driver: driver, followers: b.Large.Followers, undo: b.Large.Undo, whole: true}
	err := l.do(ctx)
	r.largeLife = l.largeLife
	return err
}

// largeRun is one life of the program: it pulls the followers and sends them a broadcast. A
// whole one is killed twice meanwhile, and goes on until its deliveries are deleted.
type largeRun struct {
	*bench
	driver    string
	followers int
	undo      time.Duration
	whole     bool

	s      *server
	ledger *ledger
	began  time.Time // of the life
	page   string    // of the broadcast
	largeLife
}

// phase is a part of a life that must end in time.
type phase struct {
	what   string
	within time.Duration
	do     func(context.Context) error
}

// do measures the life. Calls go over HTTP rather than TLS, as users have it: an hour is all
// there is, and what is compared here is one number of followers with another.
func (l *largeRun) do(ctx context.Context) error {
	l.began = time.Now()
	set := platformSettings{Followers: l.followers, Latency: l.Large.Latency, Unkept: true}
	if err := l.platform.setTo(ctx, set); err != nil {
		return err
	}
	more := map[string]string{
		"SEND_CONCURRENCY": strconv.Itoa(l.Large.InFlight), "UNDO_WINDOW": l.undo.String(), "PUBLIC_URL": publicURL, "RETENTION": "2d",
	}
	return l.onServer(ctx, l.driver, overHTTP, more, func(s *server) (err error) {
		l.s = s
		if l.ledger, err = openLedger(s.db); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.ledger.close()) }()
		for _, p := range l.phases() {
			if err := l.run(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// phases are those of the life. The time for each is several times what it took on two cores.
func (l *largeRun) phases() []phase {
	each := func(micros int) time.Duration { return time.Duration(micros*l.followers) * time.Microsecond }
	phases := []phase{
		{"pull", time.Minute + each(100), l.pull},
		{"broadcast", 2*time.Minute + each(300), l.broadcast},
	}
	if !l.whole {
		return phases
	}
	return append(phases,
		phase{"ledger", 2*time.Minute + each(20), l.check},
		phase{"second pull", time.Minute + each(50), l.pull},
		phase{"questions after the end", 2 * time.Minute, l.askAfter},
		phase{"deletion", 2*time.Minute + l.Large.Deleting + each(20), l.retention})
}

func (l *largeRun) run(ctx context.Context, p phase) error {
	began := time.Now()
	within, cancel := context.WithTimeoutCause(ctx, p.within, fmt.Errorf("not within %s", p.within))
	defer cancel()
	if err := p.do(within); err != nil {
		if cause := context.Cause(within); cause != nil {
			err = errors.Join(cause, err)
		}
		return fmt.Errorf("%s: %w", p.what, err)
	}
	l.tell("%s: %.1f s", p.what, time.Since(began).Seconds())
	return nil
}

// tell says how far it has got.
func (l *largeRun) tell(format string, args ...any) {
	fmt.Fprintf(l.progress, "%s, %s, %4.0f s: %s\n", databaseNames[l.driver], grouped(l.followers), time.Since(l.began).Seconds(), fmt.Sprintf(format, args...))
}

// pull pulls the followers: the first time, or once more.
func (l *largeRun) pull(ctx context.Context) error {
	log, err := os.ReadFile(l.s.logFile())
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	before, err := l.ledger.bytes(ctx)
	if err != nil {
		return err
	}
	days, end := context.WithCancel(ctx)
	newDays := make(chan error, 1)
	go func() { newDays <- l.ledger.newDays(days) }()
	took, err := l.s.sync(ctx, l.followers, 1+len(synced.FindAll(log, -1)))
	end()
	if err = errors.Join(err, <-newDays); err != nil {
		return err
	}
	peak, err := l.s.peakMiB()
	if err != nil {
		return err
	}
	if len(l.Pull) > 0 {
		l.Again, l.LaterMiB = append(l.Again, took), append(l.LaterMiB, peak)
		return nil
	}
	l.Pull, l.PullMiB = append(l.Pull, took), append(l.PullMiB, peak)
	after, err := l.ledger.bytes(ctx)
	l.PullBytes = (after - before) / float64(l.followers)
	return err
}

// check holds what the program says against the ledger and what the platform's end saw.
func (l *largeRun) check(ctx context.Context) (err error) {
	seen, err := l.platform.seen(ctx)
	if err != nil {
		return err
	}
	if err := l.receiptsCounted(ctx, seen.Reports); err != nil {
		return err
	}
	counts, err := l.s.store.CountDeliveries(ctx, 1)
	if err != nil {
		return err
	}
	l.ledgerResult, err = l.ledger.hold(ctx, counts, seen, l.followers)
	return err
}

// receiptsCounted waits until the receipts that were answered are counted: one that came
// before its send was recorded is joined to it later.
func (l *largeRun) receiptsCounted(ctx context.Context, posted reportStats) error {
	for tick := time.Tick(5 * look); ; {
		counts, err := l.s.store.CountDeliveries(ctx, 1)
		if err != nil || counts.Delivered == posted.Answered && posted.Lost == 0 {
			return err
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return fmt.Errorf("%d receipts are counted of %d answered, and %d are lost", counts.Delivered, posted.Answered, posted.Lost)
		}
	}
}

// leastAsks is how often each question is asked at least.
const leastAsks = 20

func (l *largeRun) askAfter(ctx context.Context) error {
	for range leastAsks {
		if err := l.ask(ctx, &l.After); err != nil {
			return err
		}
	}
	return nil
}

// retention makes the broadcast so old that its deliveries are deleted, and watches that for
// a while. What the program says of it must stay the same.
func (l *largeRun) retention(ctx context.Context) error {
	before, err := l.s.status(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(l.s.stop(), l.ledger.age(ctx, 3*24*time.Hour)); err != nil {
		return err
	}
	began := time.Now()
	if err := l.s.start(context.WithoutCancel(ctx)); err != nil { // it outlives the phase
		return err
	}
	if err := l.deleted(ctx, began); err != nil {
		return err
	}
	after, err := l.s.status(ctx)
	if err != nil {
		return err
	}
	// Below that the one says what could be done, and the other that they were deleted.
	if lines := func(reply string) string { return strings.Join(strings.SplitAfter(reply, "\n")[:3], "") }; lines(after) != lines(before) {
		return fmt.Errorf("before the deletion the status was %q, and after it %q", before, after)
	}
	peak, err := l.s.peakMiB()
	l.LaterMiB = append(l.LaterMiB, peak)
	return err
}

// deleted waits until all deliveries are deleted, or as long as it is watched.
func (l *largeRun) deleted(ctx context.Context, began time.Time) error {
	var from time.Time // of the deletion
	for tick := time.Tick(look); ; {
		b, err := l.s.store.FindBroadcast(ctx, 1)
		if err != nil {
			return err
		}
		switch {
		case b.TalliedAt.IsZero():
		case from.IsZero():
			from = time.Now()
			l.Tally = from.Sub(began).Seconds()
		}
		switch took := time.Since(from); {
		case from.IsZero():
		case b.Emptied:
			l.Deleted = float64(l.followers) / took.Seconds()
			return nil
		case took > l.Large.Deleting:
			left, err := l.ledger.left(ctx)
			l.Deleted = float64(int64(l.followers)-left) / took.Seconds()
			return err
		case len(l.Gone.Status) < leastAsks:
			if err := l.ask(ctx, &l.Gone); err != nil {
				return err
			}
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
