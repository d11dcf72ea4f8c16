package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wechat-broadcast/models"
)

const (
	// ledgerUndo is the undo window, at most, of broadcasts whose times are not measured.
	ledgerUndo    = 500 * time.Millisecond
	ledgerLatency = 2 * time.Millisecond
	capWithin     = 24 * time.Hour
	capRounds     = 3
)

// groupResults are the figures of the audiences on one database.
type groupResults struct {
	Crowds []crowdSeries // in the order of the crowds
	Import series        // seconds
	// Uncapped and Capped are sends a second without a cap and with one that nobody has
	// reached.
	Uncapped, Capped series
}

type crowdSeries struct {
	Asked, First, Plan series // seconds
	PeakMiB, LedgerMiB series
	People             int64
}

// audiences measures the planning of each crowd among many followers, and has each sent to
// its end among fewer, where it must have reached whom it should and nobody else.
func (b *bench) audiences(ctx context.Context) error {
	b.results.Groups = map[string]*groupResults{}
	for _, driver := range b.dbs.drivers() {
		r := &groupResults{Crowds: make([]crowdSeries, len(crowds))}
		b.results.Groups[driver] = r
		if err := b.amongPeople(ctx, driver, b.LedgerFollowers, r, b.ledger); err != nil {
			return err
		}
		if err := b.amongPeople(ctx, driver, b.GroupFollowers, r, b.plans); err != nil {
			return err
		}
	}
	return nil
}

// amongPeople does something on a database with followers, a topic and lists.
func (b *bench) amongPeople(ctx context.Context, driver string, n int, r *groupResults, do func(context.Context, programTask, *groupResults) error) (err error) {
	if err := b.platform.set(ctx, n, 0); err != nil {
		return err
	}
	db, err := b.dbs.fresh(ctx, driver)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.drop()) }()
	task := programTask{Platform: b.platform.url(overHTTP), Driver: driver, DSN: db.DSN, Followers: n, InFlight: inFlight}
	made, err := run[peopleResult](ctx, "people", task)
	if err != nil {
		return err
	}
	if n == b.GroupFollowers {
		r.Import = series{made.Import.Wall}
	}
	return do(ctx, task, r)
}

// plans measures each crowd until it is planned.
func (b *bench) plans(ctx context.Context, task programTask, r *groupResults) error {
	half, err := run[audienceResult](ctx, "audience", audienceTask{programTask: task, StopAt: int64(task.Followers / 2)})
	if err != nil {
		return fmt.Errorf("send to half of all: %w", err)
	}
	left := int64(task.Followers) - half.Counts.Known()
	task.Undo = b.Undo
	for range b.GroupRounds {
		for i, c := range crowds {
			if err := b.setFor(ctx, c, task.Followers, latency); err != nil {
				return err
			}
			t := audienceTask{programTask: task, Crowd: i}
			want := int64(sizeOf(c.members(), task.Followers))
			if c.audience == models.AudienceRest {
				t.Of, want = half.ID, left
			}
			res, err := run[audienceResult](ctx, "audience", t)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if res.Counted != want && !res.Announced || res.Planned != want {
				return fmt.Errorf("%s: %d people were counted and %d planned, of %d", c.name, res.Counted, res.Planned, want)
			}
			if c.audience == models.AudienceRest {
				left -= res.Counts.Known()
			}
			stats, err := b.platform.seen(ctx)
			if err != nil {
				return err
			}
			s := &r.Crowds[i]
			s.People = want
			s.Asked, s.Plan, s.PeakMiB = append(s.Asked, res.Asked), append(s.Plan, res.Plan), append(s.PeakMiB, res.PeakMiB)
			s.First = append(s.First, float64(stats.First-res.Due)/1e9)
			fmt.Fprintf(b.progress, "%s, %s: asked %.3f s, first send %.3f s, planned %.2f s, %.0f MiB\n",
				databaseNames[task.Driver], c.name, res.Asked, s.First[len(s.First)-1], res.Plan, res.PeakMiB)
		}
	}
	return nil
}

// setFor sets the platform's end for a crowd.
func (b *bench) setFor(ctx context.Context, c crowd, followers int, latency time.Duration) error {
	return b.platform.setTo(ctx, platformSettings{Followers: followers, Latency: latency, Numbered: c.message != ""})
}

// ledger has each crowd sent to its end and compares the counts with what the platform's
// end saw, at last under a cap.
func (b *bench) ledger(ctx context.Context, task programTask, r *groupResults) error {
	task.Undo = min(b.Undo, ledgerUndo)
	var got [classes]int64 // broadcasts that each class got
	sent := int64(0)       // broadcasts so far
	late := func(c crowd) bool { return c.canary || c.audience == models.AudienceRest }
	for i, c := range crowds {
		if late(c) { // with these everybody has got too many for the cap
			continue
		}
		if err := b.ledgerOf(ctx, audienceTask{programTask: task, Crowd: i}, r, &got); err != nil {
			return err
		}
		sent++
	}
	// Three, so that the classes in most groups get this one no more.
	task.Cap = models.Cap{Max: slices.Max(got[:]), Within: capWithin}
	if err := b.ledgerOf(ctx, audienceTask{programTask: task}, nil, &got); err != nil {
		return err
	}
	sent++
	for range capRounds {
		for _, limit := range []int64{0, sent + 1} { // nobody got all of them
			task.Cap = models.Cap{Max: limit, Within: capWithin}
			span, err := b.speed(ctx, task)
			if err != nil {
				return err
			}
			sent++
			if limit == 0 {
				r.Uncapped = append(r.Uncapped, span.perSecond())
			} else {
				r.Capped = append(r.Capped, span.perSecond())
			}
		}
	}
	task.Cap = models.Cap{}
	for i, c := range crowds {
		if late(c) {
			if err := b.ledgerOf(ctx, audienceTask{programTask: task, Crowd: i}, r, &got); err != nil {
				return err
			}
		}
	}
	return nil
}

// ledgerOf sends one broadcast to its end, and compares. A rest is that of a broadcast which
// is cancelled midway. It adds to what each class got.
func (b *bench) ledgerOf(ctx context.Context, t audienceTask, r *groupResults, got *[classes]int64) error {
	c := crowds[t.Crowd]
	if err := b.setFor(ctx, c, t.Followers, ledgerLatency); err != nil {
		return err
	}
	before := int64(0)
	if c.audience == models.AudienceRest {
		half, err := run[audienceResult](ctx, "audience", audienceTask{programTask: t.programTask, StopAt: int64(t.Followers / 3)})
		if err != nil {
			return fmt.Errorf("send to a third of all: %w", err)
		}
		t.Of, before = half.ID, half.Counts.Accepted
	}
	t.Whole = true
	res, err := run[audienceResult](ctx, "audience", t)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	want, skipped := c.members(), int64(0)
	for class := range want {
		if want[class] && t.Cap.Max > 0 && got[class] >= t.Cap.Max {
			want[class] = false
			skipped += int64(sizeOf(membersOf(class), t.Followers))
		}
	}
	if err := b.compare(ctx, want, t.Followers, before, skipped, res); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	for class, in := range want {
		if in {
			got[class]++
		}
	}
	if r != nil {
		r.Crowds[t.Crowd].LedgerMiB = append(r.Crowds[t.Crowd].LedgerMiB, res.PeakMiB)
	}
	return nil
}

// compare fails unless the platform's end saw each member once and nobody else, and the
// program counts the same.
func (b *bench) compare(ctx context.Context, want members, n int, before, skipped int64, res audienceResult) error {
	stats, err := b.platform.stats(ctx, sizeOf(want, n))
	if err != nil {
		return err
	}
	for class, in := range want {
		size := 0
		if in {
			size = sizeOf(membersOf(class), n)
		}
		if stats.Reached[class] != int64(size) {
			return fmt.Errorf("of class %d %d people were reached, not %d", class, stats.Reached[class], size)
		}
	}
	if took := res.Counts.Taken(); took+before != stats.Sends || res.Counts.Skipped != skipped || res.Planned != took+skipped {
		return fmt.Errorf("%d of %d people were counted as accepted and %d as skipped, but the platform took %d, and %d must be skipped",
			took, res.Planned, res.Counts.Skipped, stats.Sends-before, skipped)
	}
	return nil
}

// speed sends a broadcast to all.
func (b *bench) speed(ctx context.Context, task programTask) (sample, error) {
	if err := b.platform.set(ctx, task.Followers, 0); err != nil {
		return sample{}, err
	}
	if _, err := run[audienceResult](ctx, "audience", audienceTask{programTask: task, Whole: true}); err != nil {
		return sample{}, err
	}
	stats, err := b.platform.stats(ctx, task.Followers)
	return stats.span(sample{N: task.Followers}), err
}

// audienceRows are the table of the audiences.
func (b *bench) audienceRows() (rows []row) {
	for _, d := range b.dbs.drivers() {
		name, r := databaseNames[d], b.results.Groups[d]
		rows = append(rows, alone(fmt.Sprintf("import of a list of %s, %s", grouped(b.GroupFollowers/10), name), r.Import, seconds, noGoal))
		for i, c := range crowds {
			s := r.Crowds[i]
			rows = append(rows,
				alone(fmt.Sprintf("%s (%s), %s: the reply", c.name, grouped(int(s.People)), name), s.Asked, seconds, noGoal),
				alone("first send after the undo window", s.First, seconds, atMost(1)),
				alone("planned after it", s.Plan, seconds, atMost(3)),
				against("peak memory", s.PeakMiB, mebibytes, "sent to the end of "+grouped(b.LedgerFollowers), series{s.LedgerMiB.median()}, atMost(1.2)))
		}
		rows = append(rows, against("sends with a cap, "+name, r.Capped, perSecond, "without", r.Uncapped, atLeast(0.95)))
	}
	return rows
}
