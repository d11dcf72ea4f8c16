package handlers

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/lang"
)

const (
	// maxStreams is how many event streams are open at a time. They count among
	// the server's connections, and the callback must never wait for one.
	maxStreams = 250
	beatEvery  = 10 * time.Second
	// writeWithin is how long a client may take to take an event.
	writeWithin = 10 * time.Second
)

// events streams a broadcast to a page: its whole state at first and whenever it
// changes, and a beat in between, so that the page knows that it is live.
func (p *Pages) events(g *gin.Context) {
	to, ok := p.read(g, linkBroadcast)
	if !ok {
		return
	}
	if p.streams.Add(1) > maxStreams {
		p.streams.Add(-1)
		g.Header("Retry-After", "30")
		p.errorPage(g, http.StatusServiceUnavailable, "busy")
		return
	}
	defer p.streams.Add(-1)
	f := p.feed(to.id)
	woken, end := f.watch()
	defer end()
	if _, err := f.refresh(g.Request.Context()); err != nil {
		p.fail(g, err)
		return
	}
	h := g.Writer.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	s := &stream{
		g: g, control: http.NewResponseController(g.Writer), pages: p, feed: f,
		language: p.language(g), seen: g.GetHeader("Last-Event-ID"),
	}
	// The server's limits are for requests that end; the read limit would end
	// this one after seconds.
	_ = s.control.SetReadDeadline(time.Time{})
	s.run(woken, to.expires)
}

// stream is one page's event stream.
type stream struct {
	g        *gin.Context
	control  *http.ResponseController
	pages    *Pages
	feed     *feed
	language string
	// seen is the id of the last state that the page has.
	seen string
}

// run serves the stream until the page goes away, the link expires or the
// program stops.
func (s *stream) run(woken <-chan struct{}, expires time.Time) {
	// The delay is random, so that pages that lost the server don't all return at once.
	if !s.write(fmt.Appendf(nil, "retry: %d\n\n", 1000+rand.IntN(2000))) || !s.tell() { //nolint:gosec // not a secret
		return
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	expired := time.NewTimer(expires.Sub(s.pages.config.Now()))
	defer expired.Stop()
	for {
		select {
		case <-woken:
		case <-beat.C:
		case <-expired.C:
			return
		case <-s.g.Request.Context().Done():
			return
		case <-s.pages.ctx.Done():
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
	if id := s.pages.eventID(last); id != s.seen {
		fmt.Fprintf(&b, "id: %s\nevent: state\ndata: %s\n\n", id, last.events[s.language])
		s.seen = id
	}
	fmt.Fprintf(&b, "event: beat\ndata: %s\n\n", s.pages.words[s.language].Say("as_of", lang.Vars{"At": lang.Clock(last.at)}))
	return s.write(b.Bytes())
}

func (s *stream) write(data []byte) bool {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		noteOf(s.g).reason = "the connection takes no deadline"
	}
	if _, err := s.g.Writer.Write(data); err != nil {
		return false
	}
	return s.control.Flush() == nil
}
