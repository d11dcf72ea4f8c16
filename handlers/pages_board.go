package handlers

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
	pollEvery   = time.Second     // while a broadcast is watched
	restEvery   = 5 * time.Second // and has ended some time ago
	restAfter   = 2 * time.Minute
	readWithin  = 5 * time.Second
	boardsLast  = 10 * time.Minute // after nobody looked
	rateOver    = 10 * time.Second
	readsShare  = 20 // a query that took long is not made again before this many times as long
	chartPoints = 150
)

var errOlder = errors.New("the database showed an older state than before")

// shot is how a broadcast stood at a moment.
type shot struct {
	broadcast.Status
	at       time.Time
	rate     float64       // sends a second, now
	left     time.Duration // until the rest is sent; 0 if not known
	failures []models.Failures
	chart    chart
	from, to time.Time // what the chart shows
	// version counts the shots of a board that differ.
	version int64
	events  map[string][]byte // by language
}

// board is what the pages of one broadcast share: however many look at it, the
// database is asked once.
type board struct {
	pages *Pages
	id    int64
	turn  chan struct{} // holds a token while nobody refreshes

	// These belong to whoever has the turn.
	curve        curve
	curveAt      time.Time // when it got its last point
	curveEnded   bool      // it was read after the end
	failures     []models.Failures
	failed       int64     // how many these are
	failuresNext time.Time // not read again before
	next         time.Time // no other shot before

	mu       sync.Mutex
	last     *shot
	failing  bool // the last try to refresh failed
	watchers map[chan struct{}]bool
	polling  bool
	used     time.Time
}

// board returns the board of a broadcast, and forgets those that nobody needs.
func (p *Pages) board(id int64) *board {
	now := p.config.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, b := range p.boards {
		if b.idleSince(now) > boardsLast {
			delete(p.boards, other)
		}
	}
	b := p.boards[id]
	if b == nil {
		b = &board{pages: p, id: id, turn: make(chan struct{}, 1), watchers: map[chan struct{}]bool{}}
		b.turn <- struct{}{}
		p.boards[id] = b
	}
	b.mu.Lock()
	b.used = now
	b.mu.Unlock()
	return b
}

func (b *board) idleSince(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.watchers) > 0 {
		return 0
	}
	return now.Sub(b.used)
}

// look returns a shot that is not older than pollEvery, or than a database that
// takes long to count allows.
func (b *board) look(ctx context.Context) (*shot, error) {
	select {
	case <-b.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { b.turn <- struct{}{} }()
	b.mu.Lock()
	last := b.last
	b.mu.Unlock()
	began := b.pages.config.Now()
	if last != nil && began.Before(b.next) {
		return last, nil
	}
	// Others wait for this shot too, so it does not end with whoever began it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readWithin)
	defer cancel()
	s, err := b.take(ctx, last)
	b.next = began.Add(max(pollEvery-pollEvery/10, readsShare*b.pages.config.Now().Sub(began)))
	b.publish(s, err)
	if errors.Is(err, errOlder) {
		return last, nil
	}
	return s, err
}

// take makes a shot; the caller has the turn.
func (b *board) take(ctx context.Context, last *shot) (*shot, error) {
	at := b.pages.config.Now()
	st, err := b.pages.config.Engine.Status(ctx, b.id)
	if err != nil {
		return nil, err
	}
	s := &shot{Status: *st, at: at, rate: st.Rate, left: st.Left}
	if last != nil && rank(s.Counts) < rank(last.Counts) {
		return nil, errOlder
	}
	if err := b.readFailures(ctx, s); err != nil {
		return nil, err
	}
	if err := b.readCurve(ctx, s); err != nil {
		return nil, err
	}
	b.draw(s)
	return s, nil
}

// readFailures counts the failures by cause if there are others than before.
func (b *board) readFailures(ctx context.Context, s *shot) error {
	if s.Counts.Failed+s.Counts.Uncertain != b.failed && !s.at.Before(b.failuresNext) {
		list, err := b.pages.config.Store.CountFailures(ctx, b.id)
		if err != nil {
			return err
		}
		b.failures, b.failed = list, 0
		for _, f := range list {
			b.failed += f.N
		}
		now := b.pages.config.Now()
		b.failuresNext = now.Add(readsShare * now.Sub(s.at))
	}
	s.failures = b.failures
	return nil
}

// readCurve notes how many sends there were by now. What was before, while
// nobody looked, is read from the database.
func (b *board) readCurve(ctx context.Context, s *shot) error {
	started := s.Broadcast.StartedAt
	if started.IsZero() {
		return nil
	}
	final := s.Broadcast.State.Final()
	if b.curveEnded {
		return nil
	}
	if final || len(b.curve.points) == 0 || s.at.Sub(b.curveAt) > 2*restEvery {
		until := s.at
		if !s.Broadcast.FinishedAt.IsZero() {
			until = s.Broadcast.FinishedAt.Time
		}
		span := max(time.Second, (until.Sub(started.Time) / chartPoints).Truncate(time.Second))
		sends, err := b.pages.config.Store.CountSends(ctx, b.id, span)
		if err != nil {
			return err
		}
		b.curve = newCurve(started.Time, until, sends, span)
		b.curveEnded = final
	}
	if !final {
		b.curve.add(s.at, s.Counts.Tried()-s.Counts.Sending)
	}
	b.curveAt = s.at
	return nil
}

// draw fills in the chart, and the speed if another process does the sending.
func (b *board) draw(s *shot) {
	if s.Broadcast.StartedAt.IsZero() {
		return
	}
	s.from, s.to = s.Broadcast.StartedAt.Time, s.at
	if !s.Broadcast.FinishedAt.IsZero() {
		s.to = s.Broadcast.FinishedAt.Time
	}
	s.chart = b.curve.draw(s.from, s.to)
	if s.Broadcast.State != models.Running || s.rate > 0 {
		return
	}
	if s.rate = b.curve.rate(s.at, rateOver); s.rate > 0 {
		s.left = time.Duration(float64(s.Remaining()) / s.rate * float64(time.Second))
	}
}

// publish makes a shot the last one and wakes who watches, if it differs from
// the one before.
func (b *board) publish(s *shot, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := b.failing != (err != nil)
	b.failing = err != nil
	if err == nil {
		s.events = map[string][]byte{}
		for language, w := range b.pages.words {
			s.events[language] = event(w.view(s))
		}
		s.version = 1
		if b.last != nil {
			s.version = b.last.version
			language := b.pages.config.Language
			if string(s.events[language]) != string(b.last.events[language]) {
				s.version++
				changed = true
			}
		}
		b.last = s
	}
	if !changed {
		return
	}
	for w := range b.watchers {
		select {
		case w <- struct{}{}:
		default: // it was woken already
		}
	}
}

// event is a view as a page's script gets it, save when it was taken: that is
// sent beside it.
func event(v *view) []byte {
	delete(v.Text, "at")
	data, _ := json.Marshal(v) // strings and numbers always encode
	return data
}

// watch begins to keep the board up to date. woken gets a value whenever there
// is something new; end must be called.
func (b *board) watch() (woken <-chan struct{}, end func()) {
	w := make(chan struct{}, 1)
	b.mu.Lock()
	b.watchers[w] = true
	first := !b.polling
	b.polling = true
	b.mu.Unlock()
	if first {
		b.pages.begin(b.poll) // not under the lock: it takes that of the pages
	}
	return w, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watchers, w)
		b.used = b.pages.config.Now()
	}
}

// poll looks again and again for as long as somebody watches.
func (b *board) poll(ctx context.Context) {
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		b.mu.Lock()
		if len(b.watchers) == 0 {
			b.polling = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		s, err := b.look(ctx)
		if err != nil && ctx.Err() == nil {
			b.pages.config.Log.DebugContext(ctx, "look at a broadcast for its page, trying again", "broadcast", b.id, "err", err)
		}
		timer.Reset(b.rest(s))
	}
}

// rest is how long a poll waits after a shot.
func (b *board) rest(s *shot) time.Duration {
	if s != nil && s.Broadcast.State.Final() && s.at.Sub(s.Broadcast.FinishedAt.Time) > restAfter {
		return restEvery
	}
	return pollEvery
}

// current returns the last shot, and whether it is known to be up to date.
func (b *board) current() (s *shot, live bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, b.last != nil && !b.failing
}

// eventID names a shot of this process.
func (p *Pages) eventID(s *shot) string {
	return p.tag + "-" + strconv.FormatInt(s.version, 10)
}
