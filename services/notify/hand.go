package notify

import (
	"context"
	"errors"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const (
	// restFirst is how long a notice that could not be handed over rests at first,
	// twice as long each time, and restMost at most.
	restFirst = 2 * time.Second
	restMost  = time.Minute
)

// rests are the notices that wait for their next try, by key.
type rests map[string]rest

type rest struct {
	pause time.Duration
	until time.Time
}

// waits tells whether it is too soon for another try.
func (r rests) waits(key string, now time.Time) bool { return now.Before(r[key].until) }

// note notes what came of a try: one that failed has the notice rest.
func (r rests) note(key string, done bool, now time.Time) {
	if done {
		delete(r, key)
		return
	}
	pause := min(max(2*r[key].pause, restFirst), restMost)
	r[key] = rest{pause, now.Add(pause)}
}

// handed is what came of handing a notice over.
type handed int

const (
	away  handed = iota // the platform or the database is: try again
	taken               // the platform took it
	kept                // it refused it, and it is kept for the admin's next word if it can be
	moot                // nobody is to be told
)

// hand hands a notice over. One that the platform refuses is kept for the admin's
// next word, if it is about broadcasts; that of a role is kept until it was taken.
func (n *Notifier) hand(ctx context.Context, m *notice) (outcome handed, err error) {
	switch {
	case n.Admins.RoleOf(ctx, m.to) != "":
		return n.handTo(ctx, m, m.to)
	case !n.Admins.Known(ctx):
		return away, nil
	}
	outcome = moot
	if m.kind == late || m.broadcast == 0 {
		return outcome, nil
	}
	for _, owner := range n.Admins.Owners() {
		if outcome, err = n.handTo(ctx, m, owner); outcome == away {
			return outcome, err
		}
	}
	return outcome, nil
}

// handTo hands a notice over to one admin.
func (n *Notifier) handTo(ctx context.Context, m *notice, to string) (handed, error) {
	err := n.Platform.Notify(ctx, to, m.text())
	var refused *wechat.APIError
	switch {
	case err == nil:
		return taken, nil
	case !errors.As(err, &refused), busyCode(refused.Code):
		return away, nil
	}
	log := n.Log.With("notice", m.kind, "admin", models.MaskOpenID(to), "err", err)
	if m.broadcast == 0 {
		log.WarnContext(ctx, "the platform does not take the notice")
		return kept, nil
	}
	log.WarnContext(ctx, "the platform does not take the notice; the admin is told in the reply to their next word", "broadcast", m.broadcast)
	ctx, cancel := context.WithTimeout(ctx, askStoreFor)
	defer cancel()
	for _, id := range append([]int64{m.broadcast}, m.also...) {
		if err := n.Store.KeepNotice(ctx, to, id); err != nil {
			return away, err
		}
	}
	return kept, nil
}

// busyCode tells whether a refusal says that the platform is busy, and nothing of
// the notice or its reader (WeChat: commErrCode docs). All others are for good,
// above all 45015, when the admin did not write for 48 hours, and 45047, when
// five notices followed their last word (WeChat: customer service message docs).
func busyCode(code int) bool { return code == -1 || code == 45011 }
