package broadcast

import (
	"context"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/throttle"
)

const (
	// stallAfter is how long a running broadcast may get no further before its status
	// says why, and its admin is told. The longest rest that is no trouble is a minute
	// (a used-up minute quota, wechat-platform.md §2) or two (the longest of one
	// recipient).
	stallAfter = 3 * time.Minute
	// watchEvery is how often it is looked whether the broadcasts get on.
	watchEvery = 2 * time.Second
	// stallAgain is how soon an admin is told again that the same broadcast stands
	// still. A customer-service message is one of five after each of the admin's own
	// (wechat-platform.md §6), and that of the end must be among them.
	stallAgain = time.Hour
	// storageWithin is how long the database may take to say what became of a
	// broadcast that is watched.
	storageWithin = 3 * time.Second
)

// Stall says since when a running broadcast has got no further, and why.
type Stall struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	// Detail is what the platform said, if it is the platform.
	Detail string `json:"detail"`
}

// The reasons of a Stall.
const (
	StallLimited  = throttle.Limited
	StallBusy     = throttle.Busy
	StallNoAnswer = throttle.NoAnswer
	StallAway     = throttle.Away
	StallUnknown  = throttle.Unknown
	StallRedis    = "redis"    // Redis does not answer
	StallDatabase = "database" // the database does not answer
	StallDisk     = "disk"     // the database's disk is full
)

// watched are the broadcasts that this process leads and watches.
type watched struct {
	mu   sync.Mutex
	list map[int64]*progress
}

// progress is how a running broadcast gets on.
type progress struct {
	b     models.Broadcast
	last  time.Time // when it last got on
	stall *Stall    // nil while it gets on
	told  bool      // the admin is told of the stall
	at    time.Time // when the admin was last told of one
}

// hindered tells whether sending waits for the database or for Redis.
func (e *Engine) hindered() bool {
	return e.StorageFault() != nil || e.cluster != nil && !e.cluster.Answers()
}

// why says why nothing gets on now, in words. A call's answer counts if it is newer
// than the last progress.
func (e *Engine) why(last time.Time) (reason, detail string) {
	err := e.StorageFault()
	switch {
	case err != nil && models.DiskFull(err):
		return StallDisk, ""
	case err != nil:
		return StallDatabase, ""
	case e.hindered():
		return StallRedis, ""
	}
	return e.throttle.Why(last.Add(-time.Minute))
}

// watch looks whether the running broadcasts get on until ctx ends.
func (e *Engine) watch(ctx context.Context) {
	loop.Every(ctx, watchEvery, func() { e.watchOnce(ctx) })
}

// watchOnce goes on while the database is away, with what it remembers.
func (e *Engine) watchOnce(ctx context.Context) {
	running := map[int64]*run{}
	for _, r := range e.runs.all() {
		running[r.b.ID] = r
	}
	for _, p := range e.watchAlso(running) {
		r := running[p.b.ID]
		if r == nil && e.needsNoWatch(ctx, p.b.ID) {
			e.watched.mu.Lock()
			delete(e.watched.list, p.b.ID)
			e.watched.mu.Unlock()
			e.metrics.getsOn(p.b.ID)
			continue
		}
		got := r != nil && (r.pulling.Load() || e.rate(ctx, p.b.ID) > 0)
		tell, stall := e.judge(ctx, p, got)
		if stall != nil && e.cluster != nil {
			e.cluster.TellStall(ctx, p.b.ID, stall)
		}
		if tell != nil {
			e.emit(ctx, *tell)
		}
	}
}

// watchAlso has the running broadcasts watched, and returns all that are.
func (e *Engine) watchAlso(running map[int64]*run) []*progress {
	now := e.now()
	e.watched.mu.Lock()
	defer e.watched.mu.Unlock()
	for id, r := range running {
		if e.watched.list[id] == nil {
			e.watched.list[id] = &progress{b: r.b, last: now}
		}
	}
	all := make([]*progress, 0, len(e.watched.list))
	for _, p := range e.watched.list {
		all = append(all, p)
	}
	return all
}

// needsNoWatch tells of a broadcast without a run here whether it needs no watching
// any more: it no longer runs, or another process leads. While the database does not
// say so, it does.
func (e *Engine) needsNoWatch(ctx context.Context, id int64) bool {
	ctx, cancel := context.WithTimeout(ctx, storageWithin)
	defer cancel()
	b, err := e.store.FindBroadcast(ctx, id)
	if models.KindOf(err) != "" {
		return true
	}
	return err == nil && (b.State != models.Running || !e.leads.Load())
}

// judge notes whether a broadcast gets on. It returns what the admin is to be told,
// and why the broadcast stands still if it does.
func (e *Engine) judge(ctx context.Context, p *progress, gotOn bool) (tell *Event, stall *Stall) {
	now := e.now()
	e.watched.mu.Lock()
	defer e.watched.mu.Unlock()
	event := func(kind EventKind, of *Stall) *Event {
		return &Event{Kind: kind, AskedBy: p.b.AskedBy, Status: Status{Broadcast: p.b, Stall: of}}
	}
	switch {
	case gotOn && p.stall == nil:
		p.last = now
	case gotOn:
		p.last = now
		e.log.InfoContext(ctx, "the broadcast gets on again", "broadcast", p.b.ID, "stood", now.Sub(p.stall.Since))
		if p.told {
			tell = event(EventGoesOn, p.stall)
		}
		p.stall, p.told = nil, false
		e.metrics.getsOn(p.b.ID)
	case now.Sub(p.last) >= stallAfter:
		reason, detail := e.why(p.last)
		if p.stall == nil {
			e.log.WarnContext(ctx, "the broadcast gets no further", "broadcast", p.b.ID, "reason", reason, "detail", detail, "since", p.last)
		}
		p.stall = &Stall{Since: p.last, Reason: reason, Detail: detail}
		e.metrics.stands(p.b.ID, reason, now.Sub(p.last))
		if !p.told && (p.at.IsZero() || now.Sub(p.at) >= stallAgain) {
			p.told, p.at = true, now
			tell = event(EventStalled, p.stall)
		}
		stall = p.stall
	}
	return tell, stall
}

// stalled returns why a running broadcast gets no further, nil if it does: as this
// process watches it, or as the replica that leads told.
func (e *Engine) stalled(ctx context.Context, id int64) *Stall {
	e.watched.mu.Lock()
	p := e.watched.list[id]
	if p != nil && p.stall != nil {
		stall := *p.stall
		e.watched.mu.Unlock()
		return &stall
	}
	e.watched.mu.Unlock()
	if p != nil || e.cluster == nil {
		return nil
	}
	if down := e.cluster.Down(); !down.IsZero() {
		if e.now().Sub(down) < stallAfter {
			return nil
		}
		return &Stall{Since: down, Reason: StallRedis}
	}
	var stall Stall
	if !e.cluster.Stall(ctx, id, &stall) {
		return nil
	}
	return &stall
}
