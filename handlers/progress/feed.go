package progress

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

const (
	pollEvery  = time.Second     // while a page is open
	restEvery  = 5 * time.Second // while a page is open, restAfter the end
	restAfter  = 2 * time.Minute
	readWithin = 5 * time.Second
	feedsLast  = 10 * time.Minute // after the last page
	rateOver   = 10 * time.Second
	readsShare = 20 // a query is made again after this many times as long as it took
)

var errOlder = errors.New("the database showed an older state than before")

// Snapshot is the state of a broadcast at a moment.
type Snapshot struct {
	broadcast.Status
	at       time.Time
	rate     float64       // sends a second, now
	left     time.Duration // until the rest is sent; 0 if not known
	failures []models.Failures
	chart    chart
	from, to time.Time // what the chart shows
	// version counts the snapshots of a feed that differ.
	version int64
	events  map[string][]byte // by language
}

// until is the moment of the snapshot, or the broadcast's end if that was before.
func (s *Snapshot) until() time.Time {
	if s.Broadcast.FinishedAt.IsZero() {
		return s.at
	}
	return s.Broadcast.FinishedAt.Time
}

// feed is what all open pages of one broadcast share, so that the database is
// asked once for all of them.
type feed struct {
	feeds *Feeds
	id    int64
	turn  chan struct{} // holds a token while nobody refreshes

	// These belong to whoever has the turn.
	curve        curve
	curveAt      time.Time // when it got its last point
	curveEnded   bool      // it was read after the end
	failures     []models.Failures
	failed       int64     // how many these are
	failuresNext time.Time // not read again before
	next         time.Time // no other snapshot before

	mu       sync.Mutex
	last     *Snapshot
	failing  bool // the last try to refresh failed
	watchers map[chan struct{}]bool
	polling  bool
	used     time.Time
}

// feed returns the feed of a broadcast, and drops those that nobody used for
// feedsLast.
func (p *Feeds) feed(id int64) *feed {
	now := p.config.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, f := range p.feeds {
		if f.idleSince(now) > feedsLast {
			delete(p.feeds, other)
		}
	}
	f := p.feeds[id]
	if f == nil {
		f = &feed{feeds: p, id: id, turn: make(chan struct{}, 1), watchers: map[chan struct{}]bool{}}
		f.turn <- struct{}{}
		p.feeds[id] = f
	}
	f.mu.Lock()
	f.used = now
	f.mu.Unlock()
	return f
}

func (f *feed) idleSince(now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.watchers) > 0 {
		return 0
	}
	return now.Sub(f.used)
}

// refresh returns a snapshot that is at most pollEvery old. After a slow query it
// may be older: up to readsShare times as old as the query took.
func (f *feed) refresh(ctx context.Context) (*Snapshot, error) {
	select {
	case <-f.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { f.turn <- struct{}{} }()
	last, _ := f.current()
	began := f.feeds.config.Now()
	if last != nil && began.Before(f.next) {
		return last, nil
	}
	// Others wait for this snapshot too, so the end of this request must not end it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readWithin)
	defer cancel()
	s, err := f.read(ctx, last)
	f.next = began.Add(max(pollEvery-pollEvery/10, readsShare*f.feeds.config.Now().Sub(began)))
	f.publish(s, err)
	if errors.Is(err, errOlder) {
		return last, nil
	}
	return s, err
}

// read makes a snapshot. The caller has the turn.
func (f *feed) read(ctx context.Context, last *Snapshot) (*Snapshot, error) {
	at := f.feeds.config.Now()
	st, err := f.feeds.config.Engine.Status(ctx, f.id)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Status: *st, at: at, rate: st.Rate, left: st.Left}
	if last != nil && rank(s.Counts) < rank(last.Counts) {
		return nil, errOlder
	}
	if err := f.readFailures(ctx, s); err != nil {
		return nil, err
	}
	if err := f.readCurve(ctx, s); err != nil {
		return nil, err
	}
	f.draw(s)
	return s, nil
}

// readFailures counts the failures by cause if there are others than before.
func (f *feed) readFailures(ctx context.Context, s *Snapshot) error {
	if s.Counts.Failed+s.Counts.Uncertain+s.Counts.Skipped != f.failed && !s.at.Before(f.failuresNext) {
		list, err := f.feeds.config.Store.CountFailures(ctx, f.id)
		if err != nil {
			return err
		}
		f.failures, f.failed = list, 0
		for _, cause := range list {
			f.failed += cause.N
		}
		now := f.feeds.config.Now()
		f.failuresNext = now.Add(readsShare * now.Sub(s.at))
	}
	s.failures = f.failures
	return nil
}

// readCurve adds the number of sends by now. The time in which no page was open is
// read from the database.
func (f *feed) readCurve(ctx context.Context, s *Snapshot) error {
	started, final := s.Broadcast.StartedAt, s.Broadcast.State.Final()
	if started.IsZero() || f.curveEnded {
		return nil
	}
	if final || len(f.curve.points) == 0 || s.at.Sub(f.curveAt) > 2*restEvery {
		until := s.until()
		span := models.SpanOf(until.Sub(started.Time))
		sends, err := f.feeds.config.Store.CountSends(ctx, f.id, span)
		if err != nil {
			return err
		}
		f.curve = newCurve(started.Time, until, sends, span)
		f.curveEnded = final
	}
	if !final {
		f.curve.add(s.at, s.Counts.Known()-s.Counts.Sending)
	}
	f.curveAt = s.at
	return nil
}

// draw fills in the chart, and the speed if another process does the sending.
func (f *feed) draw(s *Snapshot) {
	if s.Broadcast.StartedAt.IsZero() {
		return
	}
	s.from, s.to = s.Broadcast.StartedAt.Time, s.until()
	s.chart = f.curve.draw(s.from, s.to)
	if s.Broadcast.State != models.Running || s.rate > 0 {
		return
	}
	if s.rate = f.curve.rate(s.at, rateOver); s.rate > 0 {
		s.left = time.Duration(float64(s.Remaining()) / s.rate * float64(time.Second))
	}
}

// publish makes a snapshot the last one, and wakes the watchers if it differs from
// the one before.
func (f *feed) publish(s *Snapshot, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed := f.failing != (err != nil)
	f.failing = err != nil
	if err == nil {
		s.events = map[string][]byte{}
		for language, w := range f.feeds.words {
			s.events[language] = event(w.View(s))
		}
		s.version = 1
		if f.last != nil {
			s.version = f.last.version
			language := f.feeds.config.Language
			if string(s.events[language]) != string(f.last.events[language]) {
				s.version++
				changed = true
			}
		}
		f.last = s
	}
	if !changed {
		return
	}
	for w := range f.watchers {
		select {
		case w <- struct{}{}:
		default: // it was woken already
		}
	}
}

// event returns a view as JSON for the page's script, without its time, which is
// sent beside it.
func event(v *View) []byte {
	delete(v.Text, "at")
	data, _ := json.Marshal(v) // strings and numbers always encode
	return data
}

// watch keeps the feed up to date until end is called. woken gets a value for each
// change.
func (f *feed) watch() (woken <-chan struct{}, end func()) {
	w := make(chan struct{}, 1)
	f.mu.Lock()
	f.watchers[w] = true
	first := !f.polling
	f.polling = true
	f.mu.Unlock()
	if first {
		f.feeds.begin(f.poll) // not under the lock: it takes that of the pages
	}
	return w, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, w)
		f.used = f.feeds.config.Now()
	}
}

// poll refreshes the feed for as long as it has watchers.
func (f *feed) poll(ctx context.Context) {
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		f.mu.Lock()
		if len(f.watchers) == 0 {
			f.polling = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		s, err := f.refresh(ctx)
		if err != nil && ctx.Err() == nil {
			f.feeds.config.Log.DebugContext(ctx, "look at a broadcast for its page, trying again", "broadcast", f.id, "err", err)
		}
		timer.Reset(f.rest(s))
	}
}

// rest returns how long a poll waits after a snapshot.
func (f *feed) rest(s *Snapshot) time.Duration {
	if s != nil && s.Broadcast.State.Final() && s.at.Sub(s.Broadcast.FinishedAt.Time) > restAfter {
		return restEvery
	}
	return pollEvery
}

// current returns the last snapshot, and whether it is up to date.
func (f *feed) current() (s *Snapshot, live bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.last != nil && !f.failing
}

// eventID returns the id of a snapshot, which no other process uses.
func (p *Feeds) eventID(s *Snapshot) string {
	return p.tag + "-" + strconv.FormatInt(s.version, 10)
}
