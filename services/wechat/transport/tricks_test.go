package transport_test

import (
	"fmt"
	"strings"
	"time"
)

// after is a trick that sends the unasked answer some time later.
func after(d time.Duration) trick {
	return func(h *hostileConn, own, unasked string) func() {
		h.say(own)
		<-time.After(d)
		h.say(unasked)
		return nil
	}
}

var tricks = map[string]trick{
	"in the same write": func(h *hostileConn, own, unasked string) func() { h.say(own + unasked); return nil },
	"in the next record of the same write": func(h *hostileConn, own, unasked string) func() {
		h.wire.cork = true
		h.say(own)
		h.say(unasked)
		h.wire.pour(len(h.wire.held))
		return nil
	},
	"at once": after(0), "1 ms later": after(time.Millisecond), "5 ms later": after(5 * time.Millisecond), "50 ms later": after(50 * time.Millisecond),
	"half of it at once": func(h *hostileConn, own, unasked string) func() {
		h.say(own + unasked[:10])
		return func() { h.say(unasked[10:]) }
	},
	"half a record at once": func(h *hostileConn, own, unasked string) func() {
		h.wire.cork = true
		h.say(own)
		whole := len(h.wire.held)
		h.say(unasked)
		h.wire.pour(whole + 10)
		return func() { h.wire.pour(len(h.wire.held)) }
	},
	"two bytes of a record at once": func(h *hostileConn, own, unasked string) func() {
		h.wire.cork = true
		h.say(own)
		whole := len(h.wire.held)
		h.say(unasked)
		h.wire.pour(whole + 2)
		return func() { h.wire.pour(len(h.wire.held)) }
	},
	"behind a long answer": func(h *hostileConn, own, unasked string) func() {
		_, body, _ := strings.Cut(own, "\r\n\r\n")
		h.wire.cork = true
		h.say(response(body+strings.Repeat(" ", 9000)) + unasked)
		h.wire.pour(len(h.wire.held))
		return nil
	},
	"behind an announcement": func(h *hostileConn, own, unasked string) func() {
		h.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + own + "HTTP/1.1 103 Early Hints\r\n\r\n" + unasked)
		return nil
	},
	"behind an announcement of its own": func(h *hostileConn, own, unasked string) func() {
		h.say(own + "HTTP/1.1 100 Continue\r\n\r\n")
		return func() { h.say(unasked) }
	},
	"behind chunks": func(h *hostileConn, own, unasked string) func() {
		_, body, _ := strings.Cut(own, "\r\n\r\n")
		h.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n%s", len(body), body, unasked))
		return nil
	},
}

// bodiless are answers of a kind that has no body, with one all the same.
var bodiless = map[string]trick{
	"behind a 204": func(h *hostileConn, _, unasked string) func() {
		h.say("HTTP/1.1 204 No Content\r\nContent-Length: 100\r\n\r\n" + unasked)
		return nil
	},
	"behind a 304": func(h *hostileConn, _, unasked string) func() {
		h.say("HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n" + unasked)
		return nil
	},
	"behind an answer that is shorter than it says": func(h *hostileConn, _, unasked string) func() {
		h.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + unasked)
		return nil
	},
}

// tricksOf returns some of the tricks.
func tricksOf(names ...string) map[string]trick {
	some := map[string]trick{}
	for _, name := range names {
		some[name] = tricks[name]
	}
	return some
}
