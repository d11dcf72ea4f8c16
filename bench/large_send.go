package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wechat-broadcast/models"
)

// tellEvery is how often a broadcast's progress is told.
const tellEvery = 15 * time.Second

// sending is a broadcast that is followed from the request to its end.
type sending struct {
	*largeRun
	points []point
	cpu    float64 // seconds of the processes that were killed, less what the first had before
	// kills are how many sends there are to be before each kill that is still to come.
	kills []int64
	// receipts is how many there are to be: the same share at each number of followers, as
	// the cost of a send is compared.
	receipts int
	// reportFrom is when receipts began, and reported whether all were answered.
	reportFrom time.Time
	reported   bool
	asked      time.Time
	told       point
}

// point is how many sends there were at a moment, in Unix nanoseconds.
type point struct{ at, sends int64 }

// broadcast asks for a broadcast to everyone, and follows it to its end: it asks how it
// stands, posts receipts of a part and kills the program.
func (l *largeRun) broadcast(ctx context.Context) error {
	s := &sending{largeRun: l, receipts: l.Large.Receipts * l.followers / l.Large.Followers}
	if l.whole {
		s.kills = []int64{int64(l.followers) / 3, 2 * int64(l.followers) / 3}
	}
	before, err := l.ledger.bytes(ctx)
	if err != nil {
		return err
	}
	used, err := l.s.cpu()
	if err != nil {
		return err
	}
	s.cpu = -used
	began := time.Now()
	reply, err := l.s.ask(ctx)
	if err != nil {
		return err
	}
	l.Asked, l.page = time.Since(began).Seconds(), l.s.local(progressLink.FindString(reply))
	b, err := s.follow(ctx)
	if err != nil {
		return err
	}
	if err := s.leaves(); err != nil {
		return err
	}
	seen, err := l.platform.seen(ctx)
	if err != nil {
		return err
	}
	l.Sends = seen.span(sample{N: l.followers, CPU: s.cpu})
	l.First = float64(seen.First-b.NotBefore.UnixNano()) / 1e9
	s.planned(b, seen)
	after, err := l.ledger.bytes(ctx)
	l.SendBytes = (after - before) / float64(l.followers)
	return err
}

// follow watches the broadcast until it ends.
func (s *sending) follow(ctx context.Context) (*models.Broadcast, error) {
	for tick := time.Tick(5 * look); ; {
		b, err := s.s.store.FindBroadcast(ctx, 1)
		if err != nil {
			return nil, err
		}
		seen, err := s.platform.seen(ctx)
		if err != nil {
			return nil, err
		}
		s.note(seen.Sends)
		if b.State.Final() || b.State == models.Paused {
			switch {
			case b.State != models.Finished:
				err = fmt.Errorf("the broadcast is %s (%s %s)", b.State, b.Reason, b.Detail)
			case len(s.kills) > 0 || s.whole && !s.reported:
				err = errors.New("the broadcast was over before it was killed twice, and all receipts posted")
			}
			return b, err
		}
		if err := s.disturb(ctx, seen); err != nil {
			return nil, err
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// note keeps how many sends there are, and tells it from time to time.
func (s *sending) note(sends int64) {
	now := point{time.Now().UnixNano(), sends}
	s.points = append(s.points, now)
	if since := now.at - s.told.at; sends > 0 && since >= int64(tellEvery) {
		if s.told.at > 0 {
			s.tell("%s sent, %.0f a second", grouped(int(sends)), float64(sends-s.told.sends)/float64(since)*1e9)
		}
		s.told = now
	}
}

// disturb does what is due beside the sends. The second kill waits for the receipts, so that
// none of them is one that nobody could answer.
func (s *sending) disturb(ctx context.Context, seen platformStats) error {
	if !s.reported && !s.reportFrom.IsZero() && seen.Reports.Answered+seen.Reports.Lost >= int64(s.receipts) {
		s.reported = true
		s.Receipts = float64(seen.Reports.Answered) / time.Since(s.reportFrom).Seconds()
	}
	switch {
	case seen.Sends == 0:
	case len(s.kills) > 0 && seen.Sends >= s.kills[0] && (s.reportFrom.IsZero() || s.reported):
		s.kills = s.kills[1:]
		return s.kill(ctx)
	case s.reportFrom.IsZero() && seen.Sends >= int64(s.followers)/3:
		s.reportFrom = time.Now()
		// No pace that is reached: as fast as they are answered.
		return s.platform.report(ctx, reportTask{URL: s.s.url + "/wechat", PerSecond: 1_000_000, Limit: s.receipts, Envelope: safeMode})
	case time.Since(s.asked) >= s.Large.AskEvery:
		s.asked = time.Now()
		return s.ask(ctx, &s.During)
	}
	return nil
}

// leaves notes what the process used that ends now.
func (s *sending) leaves() error {
	used, err := s.s.cpu()
	if err != nil {
		return err
	}
	s.cpu += used
	peak, err := s.s.peakMiB()
	if !s.reportFrom.IsZero() && len(s.ReceiptMiB) == 0 {
		s.ReceiptMiB = append(s.ReceiptMiB, peak)
	} else {
		s.SendMiB = append(s.SendMiB, peak)
	}
	return err
}

// kill kills the program, starts it again at once, and waits until it sends.
func (s *sending) kill(ctx context.Context) error {
	if err := s.leaves(); err != nil {
		return err
	}
	killed := time.Now()
	if err := s.s.kill(); err != nil {
		return err
	}
	before, err := s.platform.seen(ctx)
	if err != nil {
		return err
	}
	if err := s.s.start(context.WithoutCancel(ctx)); err != nil { // it outlives the phase
		return err
	}
	for tick := time.Tick(look); ; {
		seen, err := s.platform.seen(ctx)
		if err != nil {
			return err
		}
		s.note(seen.Sends)
		if seen.Sends+seen.Repeated > before.Sends+before.Repeated {
			s.Outage = append(s.Outage, time.Since(killed).Seconds())
			s.tell("killed at %s, sends again after %.1f s", grouped(int(before.Sends)), s.Outage[len(s.Outage)-1])
			return nil
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return fmt.Errorf("nothing is sent after a kill: %w", ctx.Err())
		}
	}
}

// planned compares the sends while the batches were cut with those afterwards.
func (s *sending) planned(b *models.Broadcast, seen platformStats) {
	s.Planning = b.PlannedAt.Sub(b.StartedAt.Time).Seconds()
	through := max(b.PlannedAt.UnixNano(), seen.First+int64(time.Second))
	until := seen.Last
	if s.whole {
		i, _ := slices.BinarySearchFunc(s.points, int64(s.followers)/3, func(p point, n int64) int { return int(p.sends - n) })
		until = s.points[min(i, len(s.points)-1)].at
	}
	s.WhilePlanned, s.Planned = s.rate(seen.First, through), s.rate(through, until)
}

// rate is how many sends there were a second from a moment to another.
func (s *sending) rate(from, to int64) float64 {
	if from >= to {
		return 0
	}
	return float64(s.sendsAt(to)-s.sendsAt(from)) / float64(to-from) * 1e9
}

// sendsAt is how many sends there were at a moment, between the points by their pace.
func (s *sending) sendsAt(at int64) int64 {
	i, found := slices.BinarySearchFunc(s.points, at, func(p point, at int64) int { return int(p.at - at) })
	switch {
	case found || i == 0:
		return s.points[i].sends
	case i == len(s.points):
		return s.points[i-1].sends
	}
	a, b := s.points[i-1], s.points[i]
	return a.sends + int64(float64(b.sends-a.sends)*float64(at-a.at)/float64(b.at-a.at))
}
