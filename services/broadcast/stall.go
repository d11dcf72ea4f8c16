package broadcast

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const (
	// stallAfter is how long a running broadcast may get no further before its status
	// says why, and its admin is told. The longest rest that is no trouble is a minute
	// (a used-up minute quota, wechat-platform.md §2) or two (restAtMost).
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
	StallLimited  = "limited"  // the platform asks to go slower, and nothing passes (45011)
	StallBusy     = "busy"     // the platform says that it is busy (-1)
	StallMute     = "mute"     // the platform gives no usable answer
	StallAway     = "away"     // the platform can't be reached
	StallRedis    = "redis"    // Redis does not answer
	StallDatabase = "database" // the database does not answer
	StallDisk     = "disk"     // the database's disk is full
	StallUnknown  = "unknown"
)

// The kinds of notice about a Stall.
const (
	NoticeStalled = "stalled"
	NoticeGoesOn  = "goes_on"
)

// watched is a running broadcast and how it gets on.
type watched struct {
	b     models.Broadcast
	last  time.Time // when it last got on
	stall *Stall    // nil while it gets on
	told  bool      // the admin knows of the stall
	over  *Stall    // the last stall, of whose end the admin does not know yet
	at    time.Time // when the admin was last told of a stall
	rest  noticeRest
}

// stalls are the broadcasts that this process leads and watches.
type stalls struct {
	mu   sync.Mutex
	list map[int64]*watched
}

// health is whether one way to use the database works.
type health struct {
	mu  sync.Mutex
	err error
}

// note takes note of how the last use went, and returns its error.
func (h *health) note(err error) error {
	if errors.Is(err, context.Canceled) {
		return err // that says nothing
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
	return err
}

func (h *health) fault() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// StorageFault returns why the database could not be used when it last had to be,
// nil if it could.
func (e *Engine) StorageFault() error {
	if err := e.sender.writing.fault(); err != nil {
		return err
	}
	return e.reading.fault()
}

// hindered tells whether sending waits for the database or for Redis.
func (e *Engine) hindered() bool {
	return e.StorageFault() != nil || e.crew != nil && !e.crew.pulse.answers()
}

// cause says why nothing gets on now. A call's answer counts if it is newer than
// the last progress.
func (e *Engine) cause(last time.Time) (reason, detail string) {
	if err := e.StorageFault(); err != nil {
		if models.DiskFull(err) {
			return StallDisk, ""
		}
		return StallDatabase, ""
	}
	if e.crew != nil && !e.crew.pulse.answers() {
		return StallRedis, ""
	}
	res, at := e.sender.heard.trouble()
	switch {
	case at.Before(last.Add(-time.Minute)):
		return StallUnknown, ""
	case res.Verdict == wechat.Slow:
		return StallLimited, describe(res)
	case res.Verdict == wechat.Away:
		return StallAway, describe(res)
	case unusable(res) && res.Code == codeBusy:
		return StallBusy, describe(res)
	case unusable(res):
		return StallMute, describe(res)
	}
	return StallUnknown, describe(res)
}

// watch looks once whether the running broadcasts get on, and tells their admins.
// It goes on while the database is away, with what it remembers.
func (e *Engine) watch(ctx context.Context) {
	now := e.now()
	running := map[int64]*run{}
	for _, r := range e.ledRuns() {
		running[r.b.ID] = r
	}

	e.stalls.mu.Lock()
	for id, r := range running {
		if e.stalls.list[id] == nil {
			e.stalls.list[id] = &watched{b: r.b, last: now}
		}
	}
	all := make([]*watched, 0, len(e.stalls.list))
	for _, w := range e.stalls.list {
		all = append(all, w)
	}
	e.stalls.mu.Unlock()

	for _, w := range all {
		r := running[w.b.ID]
		if r == nil && e.settledElsewhere(ctx, w.b.ID) {
			e.stalls.mu.Lock()
			delete(e.stalls.list, w.b.ID)
			e.metrics.getsOn(w.b.ID)
			e.stalls.mu.Unlock()
			continue
		}
		got := r != nil && (r.pulling.Load() || e.rate(ctx, w.b.ID) > 0)
		e.judge(ctx, w, got)
		e.report(ctx, w)
	}
}

// settledElsewhere tells of a broadcast without a run here whether it needs no
// watching any more: it no longer runs, or another process leads. While the
// database does not say so, it does.
func (e *Engine) settledElsewhere(ctx context.Context, id int64) bool {
	ctx, cancel := context.WithTimeout(ctx, storageWithin)
	defer cancel()
	b, err := e.store.FindBroadcast(ctx, id)
	var known *models.Error
	if errors.As(err, &known) {
		return true
	}
	return err == nil && (b.State != models.Running || !e.leads.Load())
}

// judge notes whether a broadcast gets on.
func (e *Engine) judge(ctx context.Context, w *watched, gotOn bool) {
	now := e.now()
	e.stalls.mu.Lock()
	defer e.stalls.mu.Unlock()
	switch {
	case gotOn:
		w.last = now
		if w.stall == nil {
			return
		}
		e.log.InfoContext(ctx, "the broadcast gets on again", "broadcast", w.b.ID, "stood", now.Sub(w.stall.Since))
		// Of one that could not be told in time, its end is told.
		if w.told || w.at.IsZero() || now.Sub(w.at) > stallAgain {
			w.over, w.rest = w.stall, noticeRest{}
		}
		w.stall, w.told = nil, false
		e.metrics.getsOn(w.b.ID)
	case now.Sub(w.last) >= stallAfter:
		reason, detail := e.cause(w.last)
		if w.stall == nil {
			w.over, w.rest = nil, noticeRest{}
			e.log.WarnContext(ctx, "the broadcast gets no further", "broadcast", w.b.ID, "reason", reason, "detail", detail, "since", w.last)
		}
		w.stall = &Stall{Since: w.last, Reason: reason, Detail: detail}
		e.metrics.stands(w.b.ID, reason, now.Sub(w.last))
	}
}

// report tells the admin, and the other replicas, of a stall and of its end.
func (e *Engine) report(ctx context.Context, w *watched) {
	now := e.now()
	e.stalls.mu.Lock()
	stall, over, told, at, rest := w.stall, w.over, w.told, w.at, w.rest
	e.stalls.mu.Unlock()
	if e.crew != nil {
		e.crew.pulse.tellStall(ctx, w.b.ID, stall)
	}
	kind, of := NoticeStalled, stall
	switch {
	case now.Before(rest.until):
		return
	case over != nil:
		kind, of = NoticeGoesOn, over
	case stall == nil || told || !at.IsZero() && now.Sub(at) < stallAgain:
		return
	}
	done := e.tellStall(ctx, w.b, kind, of)
	e.stalls.mu.Lock()
	defer e.stalls.mu.Unlock()
	switch {
	case !done:
		w.rest = rest.longer(now, time.Minute)
	case kind == NoticeGoesOn:
		w.over = nil
	default:
		w.told, w.at = true, now
	}
}

// tellStall sends the notice and tells whether the matter is done.
func (e *Engine) tellStall(ctx context.Context, b models.Broadcast, kind string, of *Stall) bool {
	st := Status{Broadcast: b, Stall: of}
	err := e.platform.Notify(ctx, b.AskedBy, e.notice(kind, st))
	var refused *wechat.APIError
	if err == nil || !errors.As(err, &refused) {
		return err == nil
	}
	e.log.WarnContext(ctx, "the admin could not be told; `broadcast status` has the same",
		"broadcast", b.ID, "admin", models.MaskOpenID(b.AskedBy), "err", err)
	return true
}

// stalled returns why a running broadcast gets no further, nil if it does.
func (e *Engine) stalled(ctx context.Context, id int64) *Stall {
	e.stalls.mu.Lock()
	w := e.stalls.list[id]
	if w != nil && w.stall != nil {
		stall := *w.stall
		e.stalls.mu.Unlock()
		return &stall
	}
	e.stalls.mu.Unlock()
	if w != nil || e.crew == nil {
		return nil
	}
	return e.crew.pulse.stall(ctx, id)
}

// keepStall is how long what one replica told of a stall is believed.
const keepStall = 15 * time.Second

func stallName(id int64) string { return "stall:" + strconv.FormatInt(id, 10) }

// tellStall has the other replicas know why a broadcast gets no further, nil if it
// does.
func (p *pulse) tellStall(ctx context.Context, id int64, stall *Stall) {
	if stall == nil || !p.answers() {
		return // what was told before ends by itself
	}
	ctx, cancel := context.WithTimeout(ctx, pulseWithin)
	defer cancel()
	text, err := json.Marshal(stall)
	if err == nil {
		err = p.c.Redis.Set(ctx, p.c.key(stallName(id)), text, keepStall).Err()
	}
	if err != nil {
		p.log.DebugContext(ctx, "tell the other replicas of a stall", "err", err)
	}
}

// stall returns why a broadcast gets no further, as the replica that leads told; it
// is nil if it does, or if that is not known.
func (p *pulse) stall(ctx context.Context, id int64) *Stall {
	p.mu.Lock()
	up, since := p.up, p.since
	p.mu.Unlock()
	if !up {
		if since.IsZero() || p.c.e.now().Sub(since) < stallAfter {
			return nil
		}
		return &Stall{Since: since, Reason: StallRedis}
	}
	ctx, cancel := context.WithTimeout(ctx, pulseWithin)
	defer cancel()
	text, err := p.c.Redis.Get(ctx, p.c.key(stallName(id))).Result()
	var stall Stall
	if err != nil || json.NewDecoder(strings.NewReader(text)).Decode(&stall) != nil {
		return nil
	}
	return &stall
}
