package progress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"wechat-broadcast/lang"
)

const (
	// MaxStreams is how many event streams are open at a time. They count among
	// the server's connections, and the callback must never wait for one.
	MaxStreams = 250
	beatEvery  = 10 * time.Second
	// writeWithin is how long a client may take to take an event.
	writeWithin = 10 * time.Second
)

// ErrBusy says that as many event streams are open as may be.
var ErrBusy = errors.New("too many event streams are open")

// Watch is what a page wants to be told of.
type Watch struct {
	// ID is the broadcast's.
	ID int64
	// Language is that of the words: zh or en.
	Language string
	// Until is when the stream ends.
	Until time.Time
	// May tells whether the page may still be told. It is asked before each beat; nil
	// means always.
	May func(ctx context.Context) bool
}

// Stream streams a broadcast to a page: its whole state at first and whenever it
// changes, and a beat in between, so that the page knows that it is live. It
// returns when the page goes away, w ends, or the program stops. An error says why
// it did not begin, and nothing is written then: ErrBusy, or that of Snapshot.
func (p *Feeds) Stream(rw http.ResponseWriter, r *http.Request, w Watch) error {
	if p.streams.Add(1) > MaxStreams {
		p.streams.Add(-1)
		return ErrBusy
	}
	defer p.streams.Add(-1)
	f := p.feed(w.ID)
	woken, end := f.watch()
	defer end()
	if _, err := f.refresh(r.Context()); err != nil {
		return err
	}
	h := rw.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	s := &stream{
		Watch: w, w: rw, control: http.NewResponseController(rw), feeds: p, feed: f, seen: r.Header.Get("Last-Event-ID"),
	}
	// The server's limits are for requests that end; the read limit would end
	// this one after seconds.
	_ = s.control.SetReadDeadline(time.Time{})
	s.run(r.Context(), woken)
	return nil
}

// stream is one page's event stream.
type stream struct {
	Watch
	w       http.ResponseWriter
	control *http.ResponseController
	feeds   *Feeds
	feed    *feed
	// seen is the id of the last state that the page has.
	seen string
}

// run serves the stream until the page goes away, its time is over or the program
// stops.
func (s *stream) run(ctx context.Context, woken <-chan struct{}) {
	// The delay is random, so that pages that lost the server don't all return at once.
	if !s.write(fmt.Appendf(nil, "retry: %d\n\n", 1000+rand.IntN(2000))) || !s.tell() { //nolint:gosec // not a secret
		return
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	expired := time.NewTimer(s.Until.Sub(s.feeds.config.Now()))
	defer expired.Stop()
	for {
		select {
		case <-woken:
		case <-beat.C:
			if s.May != nil && !s.May(ctx) {
				return
			}
		case <-expired.C:
			return
		case <-ctx.Done():
			return
		case <-s.feeds.ctx.Done():
			return
		}
		if !s.tell() {
			return
		}
	}
}

// tell sends the state if the page does not have it, then a beat. If the state
// can't be read, it sends the event stale.
func (s *stream) tell() bool {
	last, live := s.feed.current()
	if !live {
		return s.write([]byte("event: stale\ndata: -\n\n"))
	}
	var b bytes.Buffer
	if id := s.feeds.eventID(last); id != s.seen {
		fmt.Fprintf(&b, "id: %s\nevent: state\ndata: %s\n\n", id, last.events[s.Language])
		s.seen = id
	}
	fmt.Fprintf(&b, "event: beat\ndata: %s\n\n", s.feeds.words[s.Language].Say("as_of", lang.Vars{"At": lang.Clock(last.at)}))
	return s.write(b.Bytes())
}

func (s *stream) write(data []byte) bool {
	_ = s.control.SetWriteDeadline(time.Now().Add(writeWithin)) // without one, the server's limit ends the stream
	if _, err := s.w.Write(data); err != nil {
		return false
	}
	return s.control.Flush() == nil
}
