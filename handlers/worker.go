package handlers

import (
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

// maxAnswered is how many answers are kept in memory. The platform delivers
// again within seconds; what was answered before is in the database if it
// matters.
const maxAnswered = 4096

// workWithin is how long the work may take. The answer must be written before
// answerWithin is over.
const workWithin = answerWithin - 200*time.Millisecond

// readyWithin is how long a callback waits for a database that is being set up;
// the rest of answerWithin is for the work.
const readyWithin = 4 * time.Second

// saveWithin is how long saving a reply may take. It does not count against
// workWithin: the reply must be saved even if the work used all of its time.
const saveWithin = 2 * time.Second

// done is the result of handling a message.
type done struct {
	reply    string
	repeated bool // it had been handled before
	handled  bool // it was handled now
	foreign  bool // it is nothing that the program acts on
}

// worker handles messages, each of them once, however often it is delivered.
type worker struct {
	cfg    CallbackConfig
	flight singleflight.Group
	// answered is the reply to each message, by key; events have an empty one.
	answered *lru.Cache[string, string]
	// shared is what other replicas have answered; nil without any.
	shared *shared
	hints  *hints
}

func newWorker(cfg CallbackConfig) *worker {
	answered, err := lru.New[string, string](maxAnswered)
	if err != nil {
		panic(err) // only a size below one is refused
	}
	return &worker{cfg: cfg, answered: answered, hints: newHints()}
}

// do handles m, or waits for the handling of another copy of it, until ctx is
// done. The work goes on after that, for workWithin at most. A panic of a handler
// is returned as a *panicked.
func (w *worker) do(ctx context.Context, m *received) (done, error) {
	apart := context.WithoutCancel(ctx)
	ch := w.flight.DoChan(m.key(), func() (any, error) {
		ctx, cancel := context.WithTimeout(apart, workWithin)
		defer cancel()
		var d done
		err := caught(func() (err error) {
			w.awaitDatabase(ctx, m)
			d, err = w.handle(ctx, m)
			return err
		})
		return d, err
	})
	select {
	case res := <-ch:
		d, _ := res.Val.(done)
		return d, res.Err
	case <-ctx.Done():
		return done{}, fmt.Errorf("wait for the answer: %w", ctx.Err())
	}
}

// awaitDatabase waits until the database is ready, if m needs it. After
// readyWithin the work goes on and fails with the database's error.
func (w *worker) awaitDatabase(ctx context.Context, m *received) {
	switch m.kind {
	case kindText, kindClick:
		if !w.cfg.Chat.Remembers(m.words()) {
			return
		}
	case kindScan:
		if m.words() == "" {
			return
		}
	case kindOther:
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	select {
	case <-w.cfg.Ready:
	case <-ctx.Done():
	}
}

func (w *worker) handle(ctx context.Context, m *received) (done, error) {
	if m.kind == kindReceipt {
		// Storing a receipt twice does no harm, so memory is not spent on it.
		return done{}, w.cfg.Engine.Receipt(ctx, m.receiptID(), string(m.Status))
	}
	key := m.key()
	if reply, ok := w.answered.Get(key); ok {
		return done{reply: reply, repeated: true}, nil
	}
	if w.shared == nil {
		return w.act(ctx, m, key)
	}
	reply, answered, leave, err := w.shared.enter(ctx, key)
	switch {
	case err != nil:
		return done{}, err
	case answered:
		w.answered.Add(key, reply)
		return done{reply: reply, repeated: true}, nil
	}
	var d done
	defer func() { leave(d.reply, d.handled) }() // also after a panic
	d, err = w.act(ctx, m, key)
	return d, err
}

// act handles a message that was not handled before.
func (w *worker) act(ctx context.Context, m *received, key string) (done, error) {
	var d done
	var err error
	switch m.kind {
	case kindSubscribe:
		d, err = w.subscribed(ctx, m, key)
	case kindUnsubscribe:
		err = w.cfg.Followers.Unsubscribed(ctx, m.openID(), m.at(w.cfg.Now()))
	case kindOther:
		if w.hints.due(m.openID(), w.cfg.Now()) {
			d.reply = wechat.FitText(w.cfg.Chat.OnlyTexts())
		}
	default:
		d, err = w.text(ctx, m, key)
	}
	if err != nil || d.foreign {
		return done{foreign: d.foreign}, err
	}
	w.answered.Add(key, d.reply)
	d.handled = true
	return d, nil
}

// subscribed records a new follower, and returns WELCOME, after the answer to the scene of
// the QR code by which they came if that joins a topic: of a long WELCOME the end is cut.
func (w *worker) subscribed(ctx context.Context, m *received, key string) (done, error) {
	err := w.cfg.Followers.Subscribed(ctx, m.openID(), m.at(w.cfg.Now()), string(m.EventKey))
	if err != nil || !w.known(ctx, m) {
		return done{reply: wechat.FitText(w.cfg.Welcome)}, err
	}
	d, err := w.answer(ctx, m, key)
	if err == nil && w.cfg.Welcome != "" {
		d.reply = wechat.FitText(d.reply + "\n\n" + w.cfg.Welcome)
	}
	return d, err
}

// text returns the reply to a text, a click or a scan.
func (w *worker) text(ctx context.Context, m *received, key string) (done, error) {
	if m.kind == kindText { // whoever tapped a menu wrote nothing
		w.cfg.Followers.Heard(m.openID(), string(m.Content))
	}
	if !w.known(ctx, m) {
		return done{foreign: true}, nil
	}
	return w.answer(ctx, m, key)
}

// answer returns the reply that a message got before, if it is in the database, else a new
// one.
func (w *worker) answer(ctx context.Context, m *received, key string) (done, error) {
	if w.cfg.Chat.Remembers(m.words()) {
		reply, found, err := w.cfg.Store.FindReply(ctx, key)
		if err != nil || found {
			return done{reply: reply, repeated: found}, err
		}
	}
	text, remember, err := w.reply(ctx, m, key)
	if err != nil {
		return done{}, err
	}
	reply := wechat.FitText(text)
	if len(reply) != len(text) {
		w.cfg.Log.WarnContext(ctx, "reply cut to what the platform takes",
			"openid", models.MaskOpenID(m.openID()), "bytes", len(text))
	}
	if !remember {
		return done{reply: reply}, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveWithin)
	defer cancel()
	stored, err := w.cfg.Store.SaveReply(ctx, key, reply, w.cfg.Now())
	if err != nil {
		// The command was carried out, so the person gets the reply. This process still
		// remembers it.
		w.cfg.Log.WarnContext(ctx, "reply not saved: a redelivery after a restart is handled anew",
			"openid", models.MaskOpenID(m.openID()), "error", masked(err.Error(), m.openID()))
		return done{reply: reply}, nil
	}
	return done{reply: stored}, nil
}

func (w *worker) reply(ctx context.Context, m *received, key string) (reply string, remember bool, err error) {
	switch m.kind {
	case kindText:
		return w.cfg.Chat.Reply(ctx, m.openID(), m.words(), key)
	case kindClick:
		return w.cfg.Chat.Act(ctx, m.openID(), m.words(), models.ViaMenu, key)
	default:
		return w.cfg.Chat.Act(ctx, m.openID(), m.words(), models.ViaScan, key)
	}
}
