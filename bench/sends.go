package main

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// sendResults are the figures of the sends over one wire.
type sendResults struct {
	Flood         loopSeries // what the platform's end takes; its own CPU
	Bare          loopSeries
	Program       byDriver
	PlatformCPU   series // microseconds for a send, beside the program
	Conns         series
	LatentBare    loopSeries
	Held          series // milliseconds at the platform's end, for those at 50 ms
	LatentProgram byDriver
	LatentSDK     byDriver
}

// over are the results of a wire.
func (r *results) over(w wire) *sendResults {
	if r.Sends == nil {
		r.Sends = map[wire]*sendResults{}
	}
	if r.Sends[w] == nil {
		r.Sends[w] = &sendResults{}
	}
	return r.Sends[w]
}

func (b *bench) floodPlatform(ctx context.Context) error {
	for _, over := range wires {
		if err := b.platform.set(ctx, b.Flood, 0); err != nil {
			return err
		}
		m, err := run[sample](ctx, "flood", loopTask{Platform: b.platform.url(over), Followers: b.Flood}, b.platform.trust())
		if err != nil {
			return err
		}
		stats, err := b.platform.stats(ctx, b.Flood)
		if err != nil {
			return err
		}
		m.CPU = stats.CPU
		b.results.over(over).Flood.add(m)
	}
	return nil
}

// sends compares the program with the bare loop, one after the other in each round.
func (b *bench) sends(ctx context.Context) error {
	for range b.Rounds {
		for _, over := range wires {
			r := b.results.over(over)
			m, _, err := b.loop(ctx, "bare", over, loopTask{Followers: b.Sends, InFlight: inFlight}, 0)
			if err != nil {
				return err
			}
			r.Bare.add(m)
			for _, driver := range b.dbs.drivers() {
				l, err := b.life(ctx, lifeTask{Driver: driver, Over: over, Followers: b.Sends, InFlight: inFlight})
				if err != nil {
					return err
				}
				r.Program.of(driver).add(l.Send)
				r.Conns = append(r.Conns, float64(l.Seen.Conns))
				r.PlatformCPU = append(r.PlatformCPU, 1e6*l.Seen.CPU/float64(l.Seen.Sends))
			}
		}
	}
	return nil
}

// latentSends is the same at 50 ms a call, and with the SDK.
func (b *bench) latentSends(ctx context.Context) error {
	for range min(b.Rounds, 3) {
		for _, over := range wires {
			r := b.results.over(over)
			m, held, err := b.loop(ctx, "bare", over, loopTask{Followers: b.LatentSends, InFlight: latentInFlight}, latency)
			if err != nil {
				return err
			}
			r.LatentBare.add(m)
			r.Held = append(r.Held, held)
			for _, driver := range b.dbs.drivers() {
				l, err := b.life(ctx, lifeTask{
					Driver: driver, Over: over, Followers: b.LatentSends, InFlight: latentInFlight, Latency: latency,
				})
				if err != nil {
					return err
				}
				r.LatentProgram.of(driver).add(l.Send)
				r.Held = append(r.Held, 1000*l.Seen.Held)
				if m, err = b.sdk(ctx, driver, over); err != nil {
					return err
				}
				r.LatentSDK.of(driver).add(m)
			}
		}
	}
	return nil
}

// sdk runs the loop of the SDK once.
func (b *bench) sdk(ctx context.Context, driver string, over wire) (sample, error) {
	db, err := b.dbs.fresh(ctx, driver)
	if err != nil {
		return sample{}, err
	}
	m, _, err := b.loop(ctx, "sdk", over, loopTask{
		Followers: b.SDKSends, InFlight: latentInFlight, DatabaseDriver: driver, DSN: db.DSN,
	}, latency)
	return m, errors.Join(err, db.drop())
}

// loop runs a baseline once and returns what it took, from the first send to the last answer,
// and for how many milliseconds a send was held.
func (b *bench) loop(ctx context.Context, name string, over wire, task loopTask, latency time.Duration) (sample, float64, error) {
	if err := b.platform.set(ctx, task.Followers, latency); err != nil {
		return sample{}, 0, err
	}
	task.Platform = b.platform.url(over)
	m, err := run[sample](ctx, name, task, b.platform.trust())
	if err != nil {
		return m, 0, err
	}
	stats, err := b.platform.stats(ctx, task.Followers)
	return stats.span(m), 1000 * stats.Held, err
}

// lifeTask is one life of the built program: it pulls the followers, once or twice, and sends
// them a broadcast.
type lifeTask struct {
	Driver              string
	Over                wire
	Followers, InFlight int
	Latency             time.Duration
	Resync              bool
}

// lifeResult is what that took.
type lifeResult struct {
	Sync, Resync float64 // seconds
	// Asked is how long the reply to the request took, in seconds; AskedAt is
	// when it was made, in Unix nanoseconds.
	Asked   float64
	AskedAt int64
	// Send is the time from the first send to the last answer, and the CPU from the request
	// to the end of the broadcast.
	Send    sample
	PeakMiB float64
	Seen    platformStats
}

// life runs the built program once on a fresh database.
func (b *bench) life(ctx context.Context, task lifeTask) (l lifeResult, err error) {
	if err := b.platform.set(ctx, task.Followers, task.Latency); err != nil {
		return l, err
	}
	more := map[string]string{"SEND_CONCURRENCY": strconv.Itoa(task.InFlight)}
	return l, b.onServer(ctx, task.Driver, task.Over, more, func(s *server) (err error) {
		if l.Sync, err = s.sync(ctx, task.Followers, 1); err != nil {
			return err
		}
		if task.Resync {
			if l.Resync, err = s.sync(ctx, task.Followers, 2); err != nil {
				return err
			}
		}
		before, err := s.cpu()
		if err != nil {
			return err
		}
		began := time.Now()
		l.AskedAt = began.UnixNano()
		if _, err := s.ask(ctx); err != nil {
			return err
		}
		l.Asked = time.Since(began).Seconds()
		if err := s.ended(ctx, 1, task.Followers); err != nil {
			return err
		}
		after, err := s.cpu()
		if err != nil {
			return err
		}
		if l.PeakMiB, err = s.peakMiB(); err != nil {
			return err
		}
		l.Seen, err = b.platform.stats(ctx, task.Followers)
		l.Send = l.Seen.span(sample{N: task.Followers, CPU: after - before})
		return err
	})
}

// onServer does something with a server on a fresh database. If that fails, the error has the
// end of its log.
func (b *bench) onServer(ctx context.Context, driver string, over wire, more map[string]string, do func(*server) error) (err error) {
	db, err := b.dbs.fresh(ctx, driver)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.drop()) }()
	s, err := newServer(b.binary, b.platform, over, db, more)
	if err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err = do(s); err != nil {
		err = errors.Join(err, s.told())
	}
	return errors.Join(err, s.close())
}
