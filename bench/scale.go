package main

import "context"

// scaleSeries is what a life of the program took at a number of recipients.
type scaleSeries struct {
	Fetch, Insert    series // seconds, of the baselines
	Sync, Resync     series // seconds
	Asked, FirstSend series // seconds from the request
	SendCPU          series // microseconds
	PeakMiB          series
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
	if err := b.platform.set(ctx, n, 0); err != nil {
		return err
	}
	task := programTask{Platform: b.platform.url(overTLS), Driver: driver, Followers: n, InFlight: inFlight}
	// Once unmeasured, for the pages that the platform's end makes when they are
	// first asked for.
	if _, err := run[sample](ctx, "fetch", task, b.platform.trust()); err != nil {
		return err
	}
	fetched, err := run[sample](ctx, "fetch", task, b.platform.trust())
	if err != nil {
		return err
	}
	inserted, err := onFresh[sample](ctx, b, "inserts", task)
	if err != nil {
		return err
	}
	l, err := b.life(ctx, lifeTask{Driver: driver, Over: overTLS, Followers: n, InFlight: inFlight, Resync: true})
	if err != nil {
		return err
	}
	s := b.results.Scale[driver][n]
	if s == nil {
		s = &scaleSeries{}
		b.results.Scale[driver][n] = s
	}
	s.Fetch, s.Insert = append(s.Fetch, fetched.Wall), append(s.Insert, inserted.Wall)
	s.Sync, s.Resync = append(s.Sync, l.Sync), append(s.Resync, l.Resync)
	s.Asked = append(s.Asked, l.Asked)
	s.FirstSend = append(s.FirstSend, float64(l.Seen.First-l.AskedAt)/1e9)
	s.SendCPU = append(s.SendCPU, l.Send.micros())
	s.PeakMiB = append(s.PeakMiB, l.PeakMiB)
	return nil
}
