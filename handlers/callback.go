package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const (
	// answerWithin is how long the work of one callback may take: the platform
	// hangs up after 5 s and tells the person that the account is out of order.
	answerWithin = 4500 * time.Millisecond
	// fresh is how far the platform's clock and ours may be apart.
	fresh = 5 * time.Minute
)

// conversation is what the callback asks of a *chat.Chat.
type conversation interface {
	Reply(ctx context.Context, openID, text, key string) (reply string, remember bool, err error)
	// Act answers what a person tapped or scanned, via models.ViaMenu or ViaScan, as Reply
	// answers a text.
	Act(ctx context.Context, openID, text, via, key string) (reply string, remember bool, err error)
	// Scans tells whether there is an answer to the scene of a QR code.
	Scans(ctx context.Context, scene string) bool
	Remembers(text string) bool
	// Knows tells whether there is an answer to a text other than a hint. typed says
	// that a person wrote it.
	Knows(ctx context.Context, openID, text string, typed bool) bool
	// OnlyTexts is the hint for whoever sends an image and the like.
	OnlyTexts() string
	// Busy answers a text for which there was no time, or that failed.
	Busy(ctx context.Context, openID, text string) string
}

// followEvents is what the callback tells a *followers.Service.
type followEvents interface {
	Subscribed(ctx context.Context, openID string, at time.Time, scene string) error
	Unsubscribed(ctx context.Context, openID string, at time.Time) error
	// Heard keeps the last text that a person wrote.
	Heard(openID, text string)
}

// receipts is what the callback tells a *broadcast.Engine.
type receipts interface {
	Receipt(ctx context.Context, msgID int64, status string) error
}

// CallbackConfig is what a Callback works with. All fields are required unless
// they say otherwise.
type CallbackConfig struct {
	// AppID is the account's; encrypted messages must name it.
	AppID string
	// Token signs the callbacks, as set on the platform.
	Token string
	// AESKey is the 43-character EncodingAESKey. With it only encrypted messages
	// are accepted; empty, only plain ones.
	AESKey string
	// Welcome is what a new follower is answered; empty for nothing.
	Welcome string
	// UnknownText is what a message gets that the program does not act on, as in the
	// setting of that name; empty is "hint".
	UnknownText string
	// Store keeps replies over a restart.
	Store *models.Store
	// Ready is closed once the database can be used. What needs it waits for
	// readyWithin.
	Ready <-chan struct{}
	// Redis has replicas share what they remember of callbacks; nil for a process
	// that is alone.
	Redis redis.Scripter

	// Chat answers texts. After an error the person is asked to try again, and the
	// message is handled anew when the platform delivers it again.
	Chat conversation
	// Followers and Engine get the events. After an error the platform is told to
	// deliver again.
	Followers followEvents
	Engine    receipts

	// Metrics gets the metrics of callbacks.
	Metrics prometheus.Registerer
	Now     func() time.Time
	Log     *slog.Logger
}

// Callback answers the platform at /wechat, or /wechat/NAME of one of several accounts.
type Callback struct {
	cfg     CallbackConfig
	latency latency
	work    *worker
	// relay hands on what the program does not act on; nil unless UnknownText is a URL.
	relay *relay
	// seen is which body, or echostr, each signature came with; in plain mode only,
	// since msg_signature covers what it came with.
	seen *signatures
	// shared is what other replicas have seen; nil without any.
	shared *shared
	// large is a semaphore for the large bodies that are read at a time.
	large chan struct{}
	// strangers is a semaphore for the bodies without a signature in the query.
	strangers chan struct{}
}

// NewCallback returns a Callback.
func NewCallback(cfg CallbackConfig) *Callback {
	c := &Callback{
		cfg:     cfg,
		latency: newLatency(cfg.Metrics),
		work:    newWorker(cfg),
		relay:   newRelay(cfg),
		seen:    newSignatures(maxSeen, seenReserve),
		large:   make(chan struct{}, largeBodies),

		strangers: make(chan struct{}, strangersAtOnce),
	}
	if cfg.Redis != nil {
		c.shared = &shared{redis: cfg.Redis, app: cfg.AppID, log: cfg.Log, most: maxSeen, reserve: seenReserve}
		c.work.shared = c.shared
	}
	return c
}

// refusal is why a request is turned away, with the status that says so.
type refusal struct {
	status int
	reason string
}

// Error implements error.
func (r *refusal) Error() string { return r.reason }

func forbidden(reason string) error { return &refusal{http.StatusForbidden, reason} }

func malformed(reason string) error { return &refusal{http.StatusBadRequest, reason} }

// verify answers the platform's question whether this is the account's server
// (WeChat: server config docs): the echostr as it came, in plain text.
func (c *Callback) verify(g *gin.Context) {
	start := time.Now()
	n := noteOf(g)
	n.kind = kindVerify
	q := g.Request.URL.Query()
	outcome := outcomeOK
	switch echo := q.Get("echostr"); {
	case !signed(q.Get("signature"), c.cfg.Token, q.Get("timestamp"), q.Get("nonce")):
		outcome = c.refuse(g, forbidden("wrong signature"))
	case echo == "":
		outcome = c.refuse(g, malformed("no echostr"))
	default:
		// In plain mode this signature must carry no message from now on. The echostr
		// is returned whatever bind finds.
		if at, err := signedAt(q); err == nil && c.cfg.AESKey == "" {
			_ = c.bind(g.Request.Context(), newClaim(q.Get("signature"), at, []byte(echo)))
		}
		g.String(http.StatusOK, "%s", echo)
	}
	c.latency.observe(kindVerify, outcome, time.Since(start))
}

// receive takes a message or an event.
func (c *Callback) receive(g *gin.Context) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(g.Request.Context(), answerWithin)
	defer cancel()
	n := noteOf(g)
	n.kind = kindUnknown
	var outcome string
	m, err := c.accept(g.Writer, g.Request, n)
	if err != nil {
		outcome = c.refuse(g, err)
	} else {
		outcome = c.answer(ctx, g, m)
	}
	c.latency.observe(n.kind, outcome, time.Since(start))
}

// refuse answers with the status of err and returns the outcome.
func (c *Callback) refuse(g *gin.Context, err error) (outcome string) {
	status := http.StatusInternalServerError
	outcome = outcomeError
	var r *refusal
	if errors.As(err, &r) {
		noteOf(g).reason = r.reason
		status = r.status
		switch status {
		case http.StatusForbidden:
			outcome = outcomeRefused
		case http.StatusRequestEntityTooLarge:
			outcome = outcomeTooLarge
			if leave, err := c.enter(g.Request.Context()); err == nil {
				drain(g.Request)
				leave()
			}
			g.Header("Connection", "close") // do not read what may be left
		case http.StatusServiceUnavailable:
			outcome = outcomeFull
			g.Header("Connection", "close")
		default:
			outcome = outcomeInvalid
		}
	} else {
		logPanic(g, c.cfg.Log, err)
	}
	g.String(status, "%s", http.StatusText(status))
	return outcome
}

// accept reads a callback and checks that it is from the platform, fresh and no
// replay. The error is a *refusal.
func (c *Callback) accept(w http.ResponseWriter, r *http.Request, n *note) (*received, error) {
	if r.ContentLength > maxBody {
		return nil, &refusal{http.StatusRequestEntityTooLarge, "body over 1 MiB"}
	}
	q := r.URL.Query()
	if err := c.checkURL(q); err != nil {
		return nil, err
	}
	body, plain, err := c.read(w, r, q)
	if err != nil {
		return nil, err
	}
	m, err := decode(plain)
	if m != nil {
		n.kind, n.openID = m.kind, m.openID()
	}
	switch {
	case err != nil && c.needsKey(body):
		return nil, malformed("encrypted, and no key to decrypt it: set WECHAT_ENCODING_AES_KEY")
	case err != nil:
		return nil, malformed(err.Error())
	}
	// The URL's openid is not signed either, but a forger who changes the one
	// must know to change the other.
	if id := q.Get("openid"); id != "" && id != m.openID() {
		return nil, forbidden("sender is not the URL's openid")
	}
	if c.cfg.AESKey == "" {
		at, err := signedAt(q)
		if err != nil {
			return nil, err
		}
		claim := newClaim(q.Get("signature"), at, body)
		claim.receipt = m.kind == kindReceipt
		if err := c.bind(r.Context(), claim); err != nil {
			return nil, err
		}
	}
	trust(r.Context())
	m.body, m.urlOpenID = body, q.Get("openid")
	m.contentType, m.userAgent = r.Header.Get("Content-Type"), r.Header.Get("User-Agent")
	m.via = strings.Contains(strings.Join(r.Header.Values("Via"), ","), relayVia)
	return m, nil
}

// checkURL judges what can be judged before the body is read.
func (c *Callback) checkURL(q url.Values) error {
	ts, nonce := q.Get("timestamp"), q.Get("nonce")
	if c.cfg.AESKey != "" {
		// The sender must not choose the mode.
		if q.Get("encrypt_type") != "aes" || q.Get("msg_signature") == "" {
			return forbidden("not encrypted, and a key is set")
		}
	} else if !signed(q.Get("signature"), c.cfg.Token, ts, nonce) {
		return forbidden("wrong signature")
	}
	at, err := signedAt(q)
	if err != nil || nonce == "" {
		return forbidden("no timestamp or nonce")
	}
	if c.cfg.Now().Sub(at).Abs() > fresh {
		return forbidden("stale timestamp")
	}
	return nil
}

func signedAt(q url.Values) (time.Time, error) {
	sec, err := strconv.ParseUint(q.Get("timestamp"), 10, 40)
	if err != nil {
		return time.Time{}, forbidden("no timestamp or nonce")
	}
	return time.Unix(int64(sec), 0), nil
}

// bind makes a valid signature belong to the body that it came with. The error
// is a *refusal: the signature belongs to another body, or there is no room to
// remember it. The platform repeats what is refused for want of room.
func (c *Callback) bind(ctx context.Context, cl claim) error {
	now := c.cfg.Now()
	found := c.seen.find(cl, now)
	if found == claimNew {
		found = c.remember(ctx, cl, now)
	}
	switch found {
	case claimOther:
		return forbidden("replayed: its signature came with another body")
	case claimFull:
		return &refusal{http.StatusServiceUnavailable, "no room to remember its signature"}
	default:
		return nil
	}
}

// remember stores a signature that this process has not seen, and returns what
// the other replicas know of it.
func (c *Callback) remember(ctx context.Context, cl claim, now time.Time) verdict {
	if c.shared == nil {
		return c.seen.add(cl, now)
	}
	common, ok := c.shared.add(ctx, cl, now)
	switch {
	case !ok: // Redis does not answer
		return c.seen.add(cl, now)
	case common == claimFull:
		c.seen.refuse(cl)
	case common != claimOther:
		_ = c.seen.add(cl, now) // without room here, the others still know it
	}
	return common
}

// answer handles the message and writes the answer.
func (c *Callback) answer(ctx context.Context, g *gin.Context, m *received) (outcome string) {
	n := noteOf(g)
	if m.kind == kindOther && (m.isEvent() || !c.work.hinting()) {
		return c.foreign(ctx, g, m)
	}
	var answer <-chan relayed
	if c.relay != nil && (m.kind == kindSubscribe || m.kind == kindUnsubscribe) {
		answer = c.relay.copyOf(ctx, m)
	}
	done, err := c.work.do(ctx, m)
	var p *panicked
	switch {
	case err == nil && done.foreign:
		return c.foreign(ctx, g, m)
	case err == nil && done.reply == "" && answer != nil:
		return c.passOn(g, <-answer)
	case err == nil:
		outcome = outcomeOK
		if done.repeated {
			outcome = outcomeRepeated
		}
	case (m.kind == kindText || m.kind == kindClick || m.kind == kindScan) && !errors.As(err, &p):
		n.err = err
		done.reply, outcome = wechat.FitText(c.cfg.Chat.Busy(ctx, m.openID(), m.words())), outcomeBusy
	default:
		return c.refuse(g, fmt.Errorf("handle %s: %w", m.kind, err))
	}
	if done.reply == "" || m.ToUserName == "" { // there would be nobody to reply as
		g.String(http.StatusOK, success)
		return outcome
	}
	body, contentType, err := c.body(m, m.inWords(done.reply, c.cfg.Now()))
	if err != nil {
		return c.refuse(g, err)
	}
	g.Data(http.StatusOK, contentType, body)
	return outcome
}
