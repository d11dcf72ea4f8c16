// Package notify tells admins what they did not ask for: how a broadcast ended or why
// it paused, that one gets no further, what became of a request. What the platform
// does not take is kept, and comes with the reply to the admin's next message.
package notify

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/admins"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/wechat"
)

const (
	// lookEvery is how often it is looked for what admins do not know yet.
	lookEvery = 2 * time.Second
	// askStoreFor is how long the database may take to say where a broadcast stands of
	// which an admin is to be told.
	askStoreFor = 3 * time.Second
	// keptAtOnce is how many kept notices one reply takes up at most.
	keptAtOnce = 20
	// lateFor is how long it is tried to tell what became of a request.
	lateFor = time.Hour
)

// The kinds of notice about a broadcast.
const (
	Started  = "started" // at its planned start
	Finished = "finished"
	Paused   = "paused"
	Failed   = "failed"
	Stalled  = "stalled"
	GoesOn   = "goes_on"

	Pending   = "pending"  // to those who may approve it
	Approved  = "approved" // to its asker
	Cancelled = "cancelled"
)

// Words are the sentences of the notices.
type Words interface {
	// Notice words what is told of a broadcast.
	Notice(kind string, st broadcast.Status) string
	// Halts words what is told of broadcasts that were paused at once for the same reason:
	// where the first one stands, and the numbers of the others.
	Halts(first broadcast.Status, others []int64) string
	// LateReply words what became of a request: asked, or err if it came to nothing.
	LateReply(asked *broadcast.Created, err error) string
}

// Config is what a Notifier needs.
type Config struct {
	Store    *models.Store
	Platform *wechat.Client
	Engine   *broadcast.Engine
	// Admins says who is told. Whoever is no admin any more is told nothing: what became of
	// their broadcasts the owners are told.
	Admins *admins.Service
	Words  Words
	Now    func() time.Time
	Log    *slog.Logger
}

// Notifier hands notices over.
type Notifier struct {
	Config
	// pending are the notices that are in no database, by key.
	pending map[string]*notice
	sent    chan *notice
	// handed is what came of notices of broadcasts, by key, until the database has that
	// they are told. It is the stored notices' loop's.
	handed map[string]handed
}

// notice is one on its way to an admin.
type notice struct {
	key  string // one takes the place of another with the same key
	kind string
	to   string
	text func() string
	// broadcast is the one that it is about, 0 for none, and also are further ones.
	broadcast int64
	also      []int64
	// outdated tells whether it need not be told any more; nil for never.
	outdated func(ctx context.Context) bool
	// until is when it is given up; zero for never.
	until time.Time
	// ofRole says that it is about the admin's role.
	ofRole bool
}

// New returns a Notifier. Run makes it tell.
func New(c Config) *Notifier {
	return &Notifier{Config: c, pending: map[string]*notice{}, sent: make(chan *notice, 16), handed: map[string]handed{}}
}

// Run tells admins what they do not know until ctx ends. Of the broadcasts in the
// database the process tells that leads them.
func (n *Notifier) Run(ctx context.Context) {
	// Two loops, so that a database that is away does not keep admins from hearing of it.
	var loops sync.WaitGroup
	loops.Go(func() {
		again := rests{}
		loop.Every(ctx, lookEvery, func() {
			if err := n.tellStored(ctx, again); err != nil && ctx.Err() == nil {
				n.Log.WarnContext(ctx, "tell admins, trying again", "err", err)
			}
		})
	})
	loops.Go(func() { n.runPending(ctx) })
	loops.Wait()
}

// runPending tells what is in no database until ctx ends.
func (n *Notifier) runPending(ctx context.Context) {
	again := rests{}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		var m *notice
		select {
		case v := <-n.Engine.Events():
			m = n.ofEvent(v)
		case m = <-n.sent:
		case <-tick.C:
		case <-ctx.Done():
			n.keepLate()
			return
		}
		if m != nil {
			n.pending[m.key] = m
			delete(again, m.key)
		}
		n.tellPending(ctx, again)
	}
}

// keepLate keeps what became of requests for the admins' next words: the program ends.
func (n *Notifier) keepLate() {
	for len(n.Engine.Events()) > 0 {
		m := n.ofEvent(<-n.Engine.Events())
		n.pending[m.key] = m
	}
	ctx, cancel := context.WithTimeout(context.Background(), askStoreFor)
	defer cancel()
	for _, m := range n.pending {
		if m.kind != late || m.broadcast == 0 || !models.ValidOpenID(m.to) {
			continue
		}
		if err := n.Store.KeepNotice(ctx, m.to, m.broadcast); err != nil {
			n.Log.Warn("keep a notice", "broadcast", m.broadcast, "err", err)
		}
	}
}

// Flush tells once what was handed to Send and SendRole, for a process that does not Run.
// What is for the admin here it returns instead. What the platform does not take of a role
// comes with the reply to that admin's next word.
func (n *Notifier) Flush(ctx context.Context, here string) []string {
	var texts []string
	for len(n.sent) > 0 {
		m := <-n.sent
		if m.to == here {
			texts = append(texts, m.text())
			continue
		}
		n.pending[m.key] = m
	}
	n.tellPending(ctx, rests{})
	return texts
}

// late is the kind of a notice about a request.
var late = string(broadcast.EventLate)

// Send has an admin told something that is about no broadcast.
func (n *Notifier) Send(ctx context.Context, to, text string) {
	m := &notice{key: "to " + to + ": " + text, kind: "answer", to: to, text: func() string { return text }, until: n.Now().Add(lateFor)}
	select {
	case n.sent <- m:
	case <-ctx.Done():
	}
}

// SendRole has somebody told that they are an admin now. What the platform does not take
// comes with the reply to their next word.
func (n *Notifier) SendRole(ctx context.Context, to, text string) {
	m := &notice{key: "role of " + to, kind: "role", to: to, text: func() string { return text }, until: n.Now().Add(lateFor), ofRole: true}
	m.outdated = func(ctx context.Context) bool { // a reply told of it meanwhile
		ctx, cancel := context.WithTimeout(ctx, askStoreFor)
		defer cancel()
		kept, err := n.RoleKept(ctx, to, "")
		return err == nil && !kept
	}
	select {
	case n.sent <- m:
	case <-ctx.Done():
	}
}

// roleTaken records that the platform took a notice of a role.
func (n *Notifier) roleTaken(ctx context.Context, to string) {
	if err := n.SayRole(ctx, to, ""); err != nil {
		n.Log.WarnContext(ctx, "a notice of a role may come again", "admin", models.MaskOpenID(to), "err", err)
	}
}

// RoleKept tells whether an admin is still to be told of their role in the reply to a
// message of that key.
func (n *Notifier) RoleKept(ctx context.Context, openID, key string) (bool, error) {
	return n.Store.RoleNoticeKept(ctx, openID, key)
}

// SayRole records that the reply to an admin's message tells them of their role, or with
// no key that the platform took the notice.
func (n *Notifier) SayRole(ctx context.Context, openID, key string) error {
	return n.Store.RoleNoticeSaid(ctx, openID, key)
}

// Kept returns the broadcasts of which an admin could not be told, the newest first,
// for the reply to a message of that key. What was said in an earlier copy of that
// reply is returned again.
func (n *Notifier) Kept(ctx context.Context, openID, key string) ([]models.Broadcast, error) {
	return n.Store.KeptNotices(ctx, openID, key, keptAtOnce)
}

// Say records that the reply to an admin's message has the kept notices of these
// broadcasts, and returns those that no other reply has.
func (n *Notifier) Say(ctx context.Context, openID string, ids []int64, key string) ([]int64, error) {
	return n.Store.SayNotices(ctx, openID, ids, key)
}

// ofEvent makes a notice of an event.
func (n *Notifier) ofEvent(v broadcast.Event) *notice {
	b := v.Status.Broadcast
	switch v.Kind {
	case broadcast.EventLate:
		m := &notice{kind: late, to: v.AskedBy, text: func() string { return n.Words.LateReply(v.Created, v.Err) }, until: n.Now().Add(lateFor)}
		if v.Err == nil {
			m.broadcast = v.Created.Broadcast.ID
		}
		m.key = fmt.Sprintf("late %s %p", v.AskedBy, m)
		return m
	case broadcast.EventStalled, broadcast.EventGoesOn:
	}
	kind := Stalled
	if v.Kind == broadcast.EventGoesOn {
		kind = GoesOn
	}
	return &notice{
		key: fmt.Sprintf("stall %d", b.ID), kind: kind, to: v.AskedBy, broadcast: b.ID,
		text: func() string { return n.Words.Notice(kind, v.Status) },
		outdated: func(ctx context.Context) bool {
			ctx, cancel := context.WithTimeout(ctx, askStoreFor)
			defer cancel()
			now, err := n.Store.FindBroadcast(ctx, b.ID)
			return err == nil && now.State != models.Running
		},
	}
}

// tellPending tells what is in no database.
func (n *Notifier) tellPending(ctx context.Context, again rests) {
	for key, m := range n.pending {
		if again.waits(key, n.Now()) {
			continue
		}
		done := m.outdated != nil && m.outdated(ctx)
		if !m.until.IsZero() && n.Now().After(m.until) {
			n.Log.WarnContext(ctx, "an admin could not be told", "notice", m.kind, "broadcast", m.broadcast, "admin", models.MaskOpenID(m.to))
			done = true
		}
		if !done {
			outcome, err := n.hand(ctx, m)
			if err != nil {
				n.Log.WarnContext(ctx, "keep a notice, trying again", "broadcast", m.broadcast, "err", err)
			}
			if outcome == taken && m.ofRole {
				n.roleTaken(ctx, m.to)
			}
			done = outcome != away
		}
		if again.note(key, done, n.Now()); done {
			delete(n.pending, key)
		}
	}
}

// ready tells whether what is to be told of a broadcast is known: its last calls are
// counted, and the receipts of a finished one are in or late. That goes by what is
// stored, so that the time does not begin anew with another process.
func (n *Notifier) ready(ctx context.Context, b models.Broadcast) (bool, error) {
	if b.State == models.Running || b.State == models.Scheduled {
		return true, nil
	}
	counted, err := n.Engine.Counted(ctx, b)
	if err != nil || !counted {
		return false, err
	}
	if b.State != models.Finished {
		return true, nil
	}
	if n.Now().Sub(b.FinishedAt.Time) >= models.ReceiptsWithin {
		return n.Engine.Looked(&b), nil
	}
	// Counting a large broadcast every two seconds would keep a core busy.
	st, err := n.Engine.Recent(b.ID)
	if err != nil {
		return false, err
	}
	return st.Broadcast.State == models.Finished && st.Counts.Accepted == 0 && n.Engine.Looked(&b), nil
}

func kindOf(b models.Broadcast) string {
	if b.Approved() {
		return Approved
	}
	switch b.State {
	case models.Paused:
		return Paused
	case models.Failed:
		return Failed
	case models.Running:
		return Started
	case models.Cancelled:
		return Cancelled
	case models.Pending:
		return Pending
	case models.Finished, models.Scheduled:
	}
	return Finished
}
