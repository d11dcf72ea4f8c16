package handlers

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	lru "github.com/hashicorp/golang-lru/v2"
)

// What a message gets that the program does not act on, as the setting UNKNOWN_TEXT
// has it. Any other value is the URL of the account's existing server.
//
//	                    text, image, voice …   event, click, scan   follow events
//	hint                a hint                 -                    WELCOME
//	silent              -                      -                    WELCOME
//	customer_service    transferred            -                    WELCOME
//	a URL               handed on              handed on            a copy handed on
//
// A click whose key is a command or a topic's name is acted on, and so is a scan whose
// scene joins or leaves a topic; whoever follows by such a scan is told so before WELCOME.
// Receipts are never handed on. To a subscribe event the person is answered WELCOME
// if there is one, else what the existing server says. A copy of a message that the
// platform delivers again is judged anew and handed on again: the existing server
// tells copies apart by MsgId, or by sender and time, as it had to before.
const (
	unknownHint            = "hint"
	unknownSilent          = "silent"
	unknownCustomerService = "customer_service"
)

// hintRests is how long a person who sends images and the like gets no second hint:
// nine pictures that are sent at once are nine messages.
const hintRests = 10 * time.Minute

// hints remembers who got a hint lately. Each replica has its own memory, so a person
// may get one from each.
type hints struct {
	mu  sync.Mutex
	got *lru.Cache[string, time.Time]
}

func newHints() *hints {
	got, err := lru.New[string, time.Time](maxAnswered)
	if err != nil {
		panic(err) // only a size below one is refused
	}
	return &hints{got: got}
}

// due tells whether a person is to get a hint now, and remembers that they do.
func (h *hints) due(openID string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at, ok := h.got.Get(openID); ok && now.Sub(at) < hintRests {
		return false
	}
	h.got.Add(openID, now)
	return true
}

// known tells whether the chat has an answer of its own to a text, a click or a scan. In
// the mode hint that is so for every text.
func (w *worker) known(ctx context.Context, m *received) bool {
	switch {
	case m.kind == kindText && w.hinting():
		return true
	case m.kind == kindScan, m.kind == kindSubscribe:
		return m.words() != "" && w.cfg.Chat.Scans(ctx, m.words())
	}
	return w.cfg.Chat.Knows(ctx, m.openID(), m.words(), m.kind == kindText)
}

func (w *worker) hinting() bool {
	return w.cfg.UnknownText == "" || w.cfg.UnknownText == unknownHint
}

// foreign answers what the program does not act on.
func (c *Callback) foreign(ctx context.Context, g *gin.Context, m *received) (outcome string) {
	n := noteOf(g)
	switch {
	case c.relay != nil:
		return c.passOn(g, c.relay.ask(ctx, m))
	case c.cfg.UnknownText == unknownCustomerService && !m.isEvent() && m.ToUserName != "":
		// WeChat: the message goes to the account's customer service (passive reply docs).
		body, contentType, err := c.body(m, m.head(c.cfg.Now(), "transfer_customer_service"))
		if err != nil {
			return c.refuse(g, err)
		}
		g.Data(http.StatusOK, contentType, body)
		return outcomeTransferred
	default:
		n.reason = m.what() + " is not acted on"
		g.String(http.StatusOK, success)
		return outcomeIgnored
	}
}

// passOn writes what the existing server answered.
func (c *Callback) passOn(g *gin.Context, a relayed) (outcome string) {
	if a.err != nil {
		noteOf(g).reason = "handed on, without an answer that can be used"
		g.String(http.StatusOK, success)
		return outcomeUnanswered
	}
	g.Data(http.StatusOK, a.contentType, a.body)
	return outcomeHandedOn
}
