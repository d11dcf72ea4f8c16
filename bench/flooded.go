package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"wechat-broadcast/config"
	"wechat-broadcast/models"
)

// floodedSizes are what a flood of callbacks beside a broadcast is.
type floodedSizes struct {
	// Lasts is how long it is flooded, once by receipts alone and once by a stranger too.
	Lasts time.Duration
	// Receipts, Sends and Forged are how many there are a second.
	Receipts, Sends, Forged int
	AskEvery                time.Duration // between what an admin asks
}

func floodedOf(quick bool) *floodedSizes {
	s := &floodedSizes{Lasts: 10 * time.Minute, Receipts: 1000, Sends: 500, Forged: 2000, AskEvery: time.Second}
	if quick {
		s.Lasts, s.AskEvery = 30*time.Second, 250*time.Millisecond
	}
	return s
}

// of is how many there are of what comes so often a second, in both floods.
func (s *floodedSizes) of(perSecond int) int { return int(2 * s.Lasts.Seconds() * float64(perSecond)) }

// ahead is how many are sent to before the floods: there are more receipts than sends in them.
func (s *floodedSizes) ahead() int {
	return max(0, s.of(s.Receipts)-s.of(s.Sends)) + s.of(s.Receipts)/10
}

// followers are so many that the broadcast outlasts the floods, whatever is still sent while
// the program that sends ahead is told to end.
func (s *floodedSizes) followers() int { return s.ahead() + 2*s.of(s.Sends) + 20_000 }

// floodedResult is what the program did in each flood, in their order.
type floodedResult struct {
	Receipts []floodResult
	// Delivered is how many receipts are counted in the end, and Missing how many of those
	// that were posted are not.
	Delivered, Missing int64
}

// floodResult is what the program did in one flood.
type floodResult struct {
	Posted        float64 // receipts a second
	Sent          float64 // messages a second
	Times         reportStats
	Status, Asked series  // milliseconds, of `broadcast status` and `openid`
	Half, Whole   float64 // MiB, the most that was resident until half of it, and until its end
	CPU           float64 // cores
	Forged        forgedResult
}

// flooded floods the program while it sends: on MariaDB, or on SQLite if there is none.
func (b *bench) flooded(ctx context.Context) error {
	drivers := b.dbs.drivers()
	if err := b.platform.set(ctx, b.Flooded.followers(), 0); err != nil {
		return err
	}
	more := map[string]string{"SEND_CONCURRENCY": strconv.Itoa(inFlight)}
	// Callbacks come over HTTP anyway, from whatever stands in front and speaks TLS.
	return b.onServer(ctx, drivers[len(drivers)-1], overTLS, more, func(s *server) error {
		if err := b.sendAhead(ctx, s); err != nil {
			return err
		}
		for _, forged := range []int{0, b.Flooded.Forged} {
			if err := b.floodOnce(ctx, s, forged); err != nil {
				return err
			}
		}
		return b.floodCounted(ctx, s)
	})
}

// sendAhead begins a broadcast as fast as it goes, until there are enough sends of which no
// receipt came, and goes on at the pace beside which it is flooded.
func (b *bench) sendAhead(ctx context.Context, s *server) error {
	within, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if _, err := s.sync(within, b.Flooded.followers(), 1); err != nil {
		return err
	}
	// They wait.
	if err := b.platform.report(within, reportTask{URL: s.url + "/wechat", Envelope: safeMode}); err != nil {
		return err
	}
	if _, err := s.ask(within); err != nil {
		return err
	}
	if err := b.sentAtLeast(within, int64(b.Flooded.ahead())); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	s.settings["SEND_RATE"] = strconv.Itoa(b.Flooded.Sends)
	if err := s.start(ctx); err != nil {
		return err
	}
	seen, err := b.platform.seen(within)
	if err != nil {
		return err
	}
	return b.sentAtLeast(within, seen.Sends+1)
}

// sentAtLeast waits until there were so many sends.
func (b *bench) sentAtLeast(ctx context.Context, n int64) error {
	for tick := time.Tick(look); ; {
		seen, err := b.platform.seen(ctx)
		if err != nil || seen.Sends >= n {
			return err
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return fmt.Errorf("only %d of %d were sent to: %w", seen.Sends, n, ctx.Err())
		}
	}
}

// floodOnce floods the program with receipts and, beside them, with so many forged bodies a
// second.
func (b *bench) floodOnce(ctx context.Context, s *server, forged int) (err error) {
	var r floodResult
	var stranger *process
	if forged > 0 {
		if stranger, err = launch(ctx, "stranger", forgeTask{URL: s.url + "/wechat", PerSecond: forged}); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stranger.stop()) }()
	}
	before, err := b.platform.seen(ctx)
	if err != nil {
		return err
	}
	used, err := s.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := b.platform.report(ctx, reportTask{PerSecond: b.Flooded.Receipts}); err != nil {
		return err
	}
	if err := b.askInFlood(ctx, s, &r); err != nil {
		return err
	}
	after, err := b.platform.seen(ctx)
	if err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	r.Posted = float64(after.Reports.Posted-before.Reports.Posted) / took
	r.Sent = float64(after.Sends-before.Sends) / took
	now, err := s.cpu()
	if err != nil {
		return err
	}
	r.CPU = (now - used) / took
	if stranger != nil {
		if r.Forged, err = end[forgedResult](stranger); err != nil {
			return err
		}
	}
	r.Times, err = b.answered(ctx)
	b.results.Flooded.Receipts = append(b.results.Flooded.Receipts, r)
	fmt.Fprintf(b.progress, "beside %d forged a second: %.0f receipts a second, half answered within %.1f ms, 99%% within %.1f ms, the last after %.0f ms\n",
		forged, r.Posted, r.Times.P50, r.Times.P99, r.Times.Max)
	return err
}

// askInFlood has the admin ask for the status and the OpenID until the flood is to end, and
// reads the memory when half of it is over and at its end.
func (b *bench) askInFlood(ctx context.Context, s *server, r *floodResult) (err error) {
	tick := time.NewTicker(b.Flooded.AskEvery)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < b.Flooded.Lasts; {
		asked := time.Now()
		if _, err := s.status(ctx); err != nil {
			return err
		}
		r.Status = append(r.Status, millisSince(asked))
		asked = time.Now()
		if reply, err := s.say(ctx, admin, "openid"); err != nil || !strings.Contains(reply, openIDOf(admin)) {
			return fmt.Errorf("ask for the OpenID: %w: %.300q", err, reply)
		}
		r.Asked = append(r.Asked, millisSince(asked))
		if r.Half == 0 && time.Since(began) >= b.Flooded.Lasts/2 {
			if r.Half, err = s.peakMiB(); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.Whole, err = s.peakMiB()
	return err
}

// answered stops the receipts, and waits until those on their way are answered.
func (b *bench) answered(ctx context.Context) (reportStats, error) {
	seen, err := b.platform.seen(ctx) // whose times are those of this flood
	if err != nil {
		return seen.Reports, err
	}
	times := seen.Reports
	if err := b.platform.report(ctx, reportTask{}); err != nil {
		return times, err
	}
	ctx, cancel := context.WithTimeout(ctx, (reportTries+1)*2*reportTimeout)
	defer cancel()
	for tick := time.Tick(look); ; {
		if seen, err = b.platform.seen(ctx); err != nil || seen.Reports.Posted == seen.Reports.Answered+seen.Reports.Lost {
			return times, err
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return times, errors.New("receipts are not answered")
		}
	}
}

// floodCounted waits until all receipts are counted, and holds the ledger against them.
func (b *bench) floodCounted(ctx context.Context, s *server) error {
	seen, err := b.platform.seen(ctx)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	r := &b.results.Flooded
	for tick := time.Tick(5 * look); r.Delivered < seen.Reports.Posted && within.Err() == nil; {
		counts, err := s.store.CountDeliveries(ctx, 1)
		if err != nil {
			return err
		}
		r.Delivered = counts.Delivered
		select {
		case <-tick:
		case <-within.Done():
		}
	}
	ledger, err := openLedger(s.db)
	if err != nil {
		return err
	}
	n, err := ledger.in(ctx, models.Delivered)
	r.Missing = seen.Reports.Posted - n
	switch b, findErr := s.store.FindBroadcast(ctx, 1); {
	case err != nil || findErr != nil:
		err = errors.Join(err, findErr)
	case r.Delivered != n || r.Missing != 0:
		err = fmt.Errorf("the program counts %d delivered, and the ledger has %d of %+v", r.Delivered, n, seen.Reports)
	case b.State != models.Running:
		err = fmt.Errorf("the broadcast is %s before the end of the flood", b.State)
	}
	return errors.Join(err, ledger.close())
}

// floodedRows are the table of the floods.
func (b *bench) floodedRows() (rows []row) {
	name := databaseNames[config.SQLite]
	if b.dbs.server != nil {
		name = databaseNames[config.MySQL]
	}
	for i, r := range b.results.Flooded.Receipts {
		what := fmt.Sprintf("receipts posted in safe mode, %s", name)
		if i > 0 {
			what = fmt.Sprintf("the same beside %s forged bodies a second", grouped(b.Flooded.Forged))
		}
		rows = append(rows,
			against(what, series{r.Posted}, perSecond, "asked for", series{float64(b.Flooded.Receipts)}, atLeast(0.98)),
			alone("half answered within", series{r.Times.P50}, milliseconds, noGoal),
			alone("99% answered within", series{r.Times.P99}, milliseconds, atMost(100)),
			alone("the slowest", series{r.Times.Max}, milliseconds, noGoal),
			against("sends beside them", series{r.Sent}, perSecond, "asked for", series{float64(b.Flooded.Sends)}, atLeast(0.95)),
			alone(fmt.Sprintf("broadcast status meanwhile, 99%% of %d", len(r.Status)), series{r.Status.share(0.99)}, milliseconds, atMost(300)),
			alone(fmt.Sprintf("openid meanwhile, 99%% of %d", len(r.Asked)), series{r.Asked.share(0.99)}, milliseconds, atMost(300)),
			against("peak memory at the end", series{r.Whole}, mebibytes, "half way", series{r.Half}, atMost(1.1)),
			alone("cores that the program uses", series{r.CPU}, "", noGoal))
		if i > 0 {
			rows = append(rows, against("forged bodies refused", series{float64(r.Forged.Refused)}, "", "posted", series{float64(r.Forged.Posted)}, atLeast(1)),
				against("forged bodies a second", series{r.Forged.PerSecond}, perSecond, "asked for", series{float64(b.Flooded.Forged)}, atLeast(0.98)))
		}
	}
	if n := b.results.Flooded.Delivered; n > 0 {
		rows = append(rows, alone("receipts counted", series{float64(n)}, "", noGoal),
			alone("receipts posted that the ledger has not", series{float64(b.results.Flooded.Missing)}, "", atMost(0)))
	}
	return rows
}
